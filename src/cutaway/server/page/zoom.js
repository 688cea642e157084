// @ts-check
// Zoom: the way of one token through the network, from the whole of it down to one multiply-add, with the real numbers.

import { h } from "./views/elements.js";
import { onThemeChange } from "./views/colour.js";
import { takeLevelAway } from "./level_file.js";
import { levelsOf } from "./levels.js";
import { picker } from "./picker.js";
import { Reading } from "./reading.js";
import { fault } from "./server.js";

export class Zoom {
  /** @param {import("./session.js").Session} session @param {import("./writer.js").Writer} writer */
  constructor(session, writer) {
    this.session = session;
    this.writer = writer;
    this.way = (session.place.zoom ?? "").split(".").filter(Boolean);
    /** @type {number | null} */
    this.token = session.place.token ? Number(session.place.token) : null;
    /** What is known of the text that is there. @type {Reading | undefined} */
    this.reading = undefined;
    /** @type {import("./levels.js").Level[]} */
    this.levels = [];
    /** Which of several loadings is the newest. @type {symbol | null} */
    this.loading = null;
    this.pick = h("div");
    this.path = h("nav", { class: "way", "aria-label": "How near" });
    this.picture = h("div", { class: "network" });
    const lead =
      "Follow one token through the network: open a layer, a head or an MLP, down to a single multiplication.";
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
    this.reading = undefined;
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
    if (!this.reading) {
      const { shape, changes } = this.session;
      const prompt = path.map((each) => each.token);
      this.reading = new Reading({ model: shape.model, prompt, edits: changes.asked() });
      const pieces = path.map(({ piece }) => piece);
      this.pick.replaceChildren(picker("Choose the token to follow.", pieces, token, (chosen) => this.follow(chosen)));
    }
    await this.load(this.reading, token);
  }

  /** Another token. @param {number} token */
  follow(token) {
    this.token = token;
    this.session.keep({ token: String(token) });
    this.show();
  }

  /** As near as this. @param {string[]} way */
  go(way) {
    this.way = way;
    this.session.keep({ zoom: way.length ? way.join(".") : null });
    return this.show();
  }

  /** The numbers that are needed here, unless they are known. @param {Reading} reading @param {number} token */
  async load(reading, token) {
    const mine = (this.loading = Symbol());
    this.picture.setAttribute("aria-busy", "true");
    delete this.picture.dataset.ready;
    let problem;
    try {
      const levels = levelsOf(await this.scope(reading, token), this.way);
      await reading.fetch(levels[levels.length - 1].needs);
      if (mine === this.loading) this.levels = levels;
    } catch (error) {
      problem = h("p", { role: "alert", class: "fault" }, fault(error));
    }
    // Whoever goes on before the numbers are there has asked for others.
    if (mine !== this.loading) return;
    this.picture.removeAttribute("aria-busy");
    this.way = this.way.slice(0, this.levels.length - 1);
    if (problem) this.picture.replaceChildren(problem);
    else this.draw();
  }

  /** What is looked at. @param {Reading} reading @param {number} token @returns {Promise<import("./levels.js").Scope>} */
  async scope(reading, token) {
    const { shape, changes, tree } = this.session;
    // What the unchanged network expects is known; a changed one has to be asked.
    if (changes.count) await reading.fetch({ points: [], next: true });
    const next = reading.after?.[token] ?? tree?.expected(token + 1) ?? [];
    const path = (tree?.path ?? []).slice(0, token + 1);
    const [pieces, ids] = [path.map(({ piece }) => piece), path.map((each) => each.token)];
    const { place } = this.session;
    return { config: shape.config, pieces, ids, next, place, keep: (facts) => this.session.keep(facts) };
  }

  draw() {
    const { reading, levels, way } = this;
    const level = levels[levels.length - 1];
    if (!reading || !level) return;
    const focused = this.picture.contains(document.activeElement) || this.path.contains(document.activeElement);
    const parts = level.draw(reading, (step) => this.go([...way, String(step)]));
    const [words, ...boxes] = parts.map((part) => (typeof part === "string" ? h("p", {}, part) : part));
    this.picture.replaceChildren(words, h("div", { class: "parts" }, ...boxes));
    this.path.replaceChildren(...this.crumbs());
    this.picture.dataset.ready = way.join(".");
    if (focused) this.path.querySelector("button")?.focus();
  }

  /** The way back. */
  crumbs() {
    return this.levels.flatMap(({ name }, level) => {
      if (level === this.way.length) return [h("b", { "aria-current": "true" }, name)];
      const back = h("button", { type: "button", onclick: () => this.go(this.way.slice(0, level)) }, name);
      return [back, h("span", { "aria-hidden": "true" }, "›")];
    });
  }
}
