// @ts-check
// What else was expected in a place, with bars, and a click to go on with it.

import { h } from "./views/elements.js";
import { figure, percent } from "./views/numbers.js";
import { textOf } from "./views/tokens.js";
import { drawn } from "./distribution.js";

/** A token as it is read, with what cannot be seen made visible. @param {string} piece */
export function shown(piece) {
  const text = textOf(piece).replaceAll("\n", "↵").replaceAll("\t", "⇥");
  return text.trim() === ""
    ? text.replaceAll(" ", "␣")
    : text.replace(/^ +| +$/g, (spaces) => "␣".repeat(spaces.length));
}

export class Alternatives {
  /**
   * @param {import("./session.js").Session} session
   * @param {(place: number, alternative: import("./branches.js").Alternative) => void} onTake
   */
  constructor(session, onTake) {
    this.session = session;
    this.onTake = onTake;
    this.heading = h("h2", { class: "small" });
    this.said = h("p", { class: "readout", role: "status", "aria-live": "polite" });
    this.list = h("ol", { class: "draws" });
    this.rest = h("p", { class: "note" });
    this.element = h(
      "section",
      { class: "alternatives-here", "aria-label": "Alternatives" },
      this.heading,
      this.said,
      h(
        "div",
        { class: "draw head", "aria-hidden": "true" },
        h("span", {}, "token"),
        h("s"),
        h("em", {}, "network"),
        h("b", {}, "drawn"),
      ),
      this.list,
      this.rest,
    );
    /** @type {import("./branches.js").Alternative[]} */
    this.here = [];
    /** @type {{row: HTMLElement, bar: HTMLElement, mark: HTMLElement, share: HTMLElement}[]} */
    this.rows = [];
    session.on("settings", () => this.rank());
  }

  /** @param {number | null} place null for the end of the text */
  show(place) {
    const { tree } = this.session;
    const path = tree?.path ?? [];
    this.place = place ?? path.length;
    const token = path[this.place];
    this.element.hidden = !tree;
    if (!tree) return;
    this.heading.textContent = token ? `In place of “${shown(token.piece)}”` : "What may come next";
    this.said.replaceChildren(...this.surprise(token));
    const expected = tree.expected(this.place);
    const among = token && expected.some(([id]) => id === token.token);
    const { logprob } = token ?? {};
    this.truth = token?.token;
    this.here =
      token && !among && logprob != null && expected.length
        ? [...expected, [token.token, token.piece, logprob]]
        : expected;
    this.listed = expected.length;
    this.rows = this.here.map((alternative) => this.row(alternative));
    this.list.replaceChildren(...this.rows.map(({ row }) => h("li", {}, row)));
    this.rank();
  }

  /** @param {import("./branches.js").Token | undefined} token @returns {(Node | string)[]} */
  surprise(token) {
    if (!token) return ["Click one, and the text goes on with it."];
    if (token.logprob === null) return ["The first token follows nothing, so nothing was expected."];
    const bits = figure(-token.logprob / Math.LN2, 3);
    return ["The network gave it ", h("b", {}, percent(Math.exp(token.logprob))), `: a surprise of ${bits} bits.`];
  }

  /** @param {import("./branches.js").Alternative} alternative */
  row(alternative) {
    const [token, piece, logprob] = alternative;
    const [bar, mark, share] = [h("i", {}), h("u", {}), h("b", {})];
    const row = h(
      "button",
      {
        type: "button",
        class: token === this.truth ? "draw true" : "draw",
        onclick: () => this.onTake(this.place ?? 0, alternative),
      },
      h("span", {}, shown(piece)),
      h("s", { "aria-hidden": "true" }, bar, mark),
      h("em", {}, percent(Math.exp(logprob))),
      share,
    );
    mark.style.left = `${100 * Math.exp(logprob)}%`;
    return { row, bar, mark, share };
  }

  /** Weigh them as the sliders say. */
  rank() {
    const { settings, shape } = this.session;
    const listed = this.here.slice(0, this.listed);
    const { shares, rest, about } = drawn(
      listed.map(([, , logprob]) => logprob),
      shape.config.vocab_size,
      settings,
    );
    this.rows.forEach(({ row, bar, share }, at) => {
      const value = shares[at];
      row.classList.toggle("out", !value);
      bar.style.width = `${100 * (value ?? 0)}%`;
      share.textContent = value === undefined ? "" : value === 0 ? "–" : (about ? "≈ " : "") + percent(value);
    });
    const others = shape.config.vocab_size - (this.listed ?? 0);
    this.rest.hidden = others <= 0 || !listed.length;
    const together = rest === 0 ? "none of them can be drawn" : `${about ? "about " : ""}${percent(rest)}`;
    this.rest.textContent = `All other ${others.toLocaleString("en")} tokens together: ${together}.${about ? " ≈ marks what depends on how they share it." : ""}`;
  }
}
