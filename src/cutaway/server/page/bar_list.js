// @ts-check
// A short list with bars whose rows stay and only change what they say, so that it can follow every frame.

import { h } from "./views/elements.js";

/** @typedef {{name: string, share: number, said: string, at: number, chosen?: boolean}} Bar `at` is what it is about */

export class BarList {
  /** @param {string} title @param {number} most @param {(at: number | null) => void} onHover with what a bar is about */
  constructor(title, most, onHover) {
    /** @type {Bar[]} */
    this.bars = [];
    this.rows = Array.from({ length: most }, () => {
      const parts = { bar: h("i"), name: h("span"), said: h("b") };
      return { ...parts, row: h("li", { hidden: true }, parts.bar, parts.name, parts.said) };
    });
    this.list = h("ol", {}, ...this.rows.map(({ row }) => row));
    this.heading = h("h3", {}, title);
    this.element = h("section", {}, this.heading, this.list);
    this.list.addEventListener("pointerover", ({ target }) => {
      const at = this.rows.findIndex(({ row }) => row.contains(/** @type {Node} */ (target)));
      onHover(this.bars[at]?.at ?? null);
    });
    this.list.addEventListener("pointerleave", () => onHover(null));
  }

  /** @param {Bar[]} bars */
  show(bars) {
    this.bars = bars;
    this.rows.forEach(({ row, bar, name, said }, at) => {
      const shown = bars[at];
      row.hidden = !shown;
      row.classList.toggle("true", shown?.chosen === true);
      if (!shown) return;
      bar.style.width = `${(100 * shown.share).toFixed(1)}%`;
      name.textContent = shown.name;
      said.textContent = shown.said;
    });
  }

  /** Show which bar is about this. @param {number | null} about */
  mark(about) {
    this.rows.forEach(({ row }, at) => row.classList.toggle("here", about !== null && this.bars[at]?.at === about));
  }
}
