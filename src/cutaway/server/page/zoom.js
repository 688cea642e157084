// @ts-check
// Zoom: the way of one token through the network, from the whole of it down to one multiply-add, with the real numbers.

import { h } from "./views/elements.js";
import { onThemeChange } from "./views/colour.js";
import { LEVELS, NAMES } from "./levels.js";
import { takeLevelAway } from "./level_file.js";
import { picker } from "./picker.js";
import { fault } from "./server.js";
import { traceOf } from "./trace_file.js";

const POINTS = ["resid_pre", "attn_out", "mlp_out"];

export class Zoom {
  /** @param {import("./session.js").Session} session @param {import("./writer.js").Writer} writer */
  constructor(session, writer) {
    this.session = session;
    this.writer = writer;
    /** @type {number[]} */
    this.way = (session.place.zoom ?? "").split(".").filter(Boolean).map(Number);
    /** @type {number | null} */
    this.token = session.place.token ? Number(session.place.token) : null;
    /** The question that the trace answers. */
    this.asked = "";
    this.pick = h("div");
    this.path = h("nav", { class: "way", "aria-label": "How near" });
    this.picture = h("div", { class: "network" });
    const lead = "Follow one token through the network: open a layer, a head, a score, down to a single multiplication.";
    const bar = h("div", { class: "toolbar" }, this.path, takeLevelAway(this));
    this.element = h("div", { class: "zoom" }, h("p", { class: "lead" }, lead), this.pick, bar, this.picture);
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && this.go(this.way.slice(0, -1)));
    session.on("done", () => this.renew());
    session.on("changes", () => this.renew());
    onThemeChange(() => this.draw());
  }

  /** Called when one comes here. */
  open() {
    this.show();
  }

  /** What was known is of another text, or another network. */
  renew() {
    this.trace = undefined;
    this.show();
  }

  async show() {
    if (this.element.closest("[hidden]") || !this.element.isConnected || this.writer.busy) return;
    const path = this.session.tree?.path ?? [];
    if (!path.length) {
      for (const part of [this.pick, this.path]) part.replaceChildren();
      this.picture.replaceChildren("There is no text yet: let the network write one.");
      return;
    }
    const token = Math.min(this.token ?? path.length - 1, path.length - 1);
    if (!this.trace) {
      const pieces = path.map(({ piece }) => piece);
      this.pick.replaceChildren(picker("Choose the token to follow.", pieces, token, (chosen) => this.follow(chosen)));
    }
    this.way = this.valid(token);
    await this.load(token);
  }

  /** Another token. @param {number} token */
  follow(token) {
    this.token = token;
    this.session.keep({ token: String(token) });
    this.go(this.way.slice(0, 2));
  }

  /** As near as this. @param {number[]} way */
  go(way) {
    this.way = way;
    this.session.keep({ zoom: way.length ? way.join(".") : null });
    return this.show();
  }

  /** The numbers that are needed here, unless they are known. @param {number} token */
  async load(token) {
    const { shape, changes, tree } = this.session;
    const [layer] = this.way;
    const ids = tree?.ids ?? [];
    const layers = Array.from({ length: shape.config.n_layer }, (_, each) => each);
    const names = layers.flatMap((each) => POINTS.map((point) => `h.${each}.${point}`));
    if (layer !== undefined) names.push(`h.${layer}.q`, `h.${layer}.k`);
    const body = { model: shape.model, prompt: ids, edits: changes.asked(), names };
    const asked = JSON.stringify(body);
    if (!this.trace || asked !== this.asked) {
      this.asked = asked;
      this.picture.setAttribute("aria-busy", "true");
      try {
        const trace = await traceOf(body);
        if (asked !== this.asked) return;
        this.trace = trace;
      } catch (error) {
        this.picture.replaceChildren(h("p", { role: "alert", class: "fault" }, fault(error)));
        return;
      } finally {
        this.picture.removeAttribute("aria-busy");
      }
    }
    this.drawn = token;
    this.draw();
  }

  draw() {
    const { trace, way, drawn: token, session } = this;
    if (!trace || token === undefined || !session.tree) return;
    const { n_layer, n_head } = session.shape.config;
    const focused = this.picture.contains(document.activeElement) || this.path.contains(document.activeElement);
    const parts = LEVELS[way.length]({
      trace,
      way,
      pieces: session.tree.path.slice(0, token + 1).map(({ piece }) => piece),
      layers: n_layer,
      heads: n_head,
      next: session.tree.expected(token + 1),
      into: (step) => this.go([...way, step]),
    });
    const [words, ...boxes] = parts.map((part) => (typeof part === "string" ? h("p", {}, part) : part));
    this.picture.replaceChildren(words, h("div", { class: `level-${way.length}` }, ...boxes));
    this.path.replaceChildren(...this.crumbs());
    this.picture.dataset.ready = way.join(".");
    if (focused) this.path.querySelector("button")?.focus();
  }

  /** The way as far as there is one in this network and text. @param {number} token */
  valid(token) {
    const { n_layer, n_head, n_embd } = this.session.shape.config;
    const ends = [n_layer, n_head, token + 1, n_embd / n_head];
    const wrong = this.way.findIndex((step, level) => !(Number.isInteger(step) && step >= 0 && step < ends[level]));
    return wrong < 0 ? this.way : this.way.slice(0, wrong);
  }

  /** The way back. */
  crumbs() {
    return NAMES.slice(0, this.way.length + 1).flatMap((name, level) => {
      const text = level ? `${name} ${this.way[level - 1]}` : name;
      if (level === this.way.length) return [h("b", { "aria-current": "true" }, text)];
      const back = h("button", { type: "button", onclick: () => this.go(this.way.slice(0, level)) }, text);
      return [back, h("span", { "aria-hidden": "true" }, "›")];
    });
  }
}
