// @ts-check
// A switch for every head and every MLP: layers down, heads across. A click switches off and on, the slider scales.

import { h } from "./views/elements.js";
import { button } from "./views/toolbar.js";
import { slider } from "./sliders.js";

/** @typedef {import("./changes.js").Part} Part */

const STEP = 0.25;
const MOST = 3;

export class Switches {
  /** @param {import("./session.js").Session} session @param {AbortSignal} gone */
  constructor(session, gone) {
    this.session = session;
    const { n_layer, n_head } = session.shape.config;
    /** @type {Part[]} */
    this.parts = [...Array(n_head).keys(), null];
    this.layers = n_layer;
    this.at = { layer: 0, column: 0 };
    this.cells = Array.from({ length: n_layer }, (_, layer) => this.parts.map((_, column) => this.cell(layer, column)));
    const heads = this.parts.map((part) => h("th", { scope: "col" }, part === null ? "MLP" : String(part)));
    const rows = this.cells.map((cells, layer) =>
      h("tr", {}, h("th", { scope: "row" }, String(layer)), ...cells.map((cell) => h("td", {}, cell))),
    );
    const table = h(
      "table",
      {
        class: "switches",
        "aria-label": "Heads and MLPs, layers down. Arrow keys move, Enter switches, plus and minus scale.",
      },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "layer \\ head"), ...heads)),
      h("tbody", {}, ...rows),
    );
    table.addEventListener("keydown", (event) => this.key(event));
    this.scale = slider(
      "",
      "What the chosen part is multiplied by: 0 is off, 1 as it is",
      { min: 0, max: MOST, step: 0.05, value: 1 },
      (value) => (value === 0 ? "off" : `× ${value.toFixed(2)}`),
      (value) => this.set(value),
    );
    this.name = /** @type {HTMLElement} */ (this.scale.element.querySelector("span"));
    this.element = h(
      "div",
      {},
      h("div", { class: "wide" }, table),
      this.scale.element,
      h(
        "div",
        { class: "buttons" },
        button("Layer off", "Switch all heads and the MLP of the chosen layer off", () => this.row(0)),
        button("Layer on", "Leave all of the chosen layer as it is", () => this.row(1)),
      ),
    );
    session.on("changes", () => this.update(), gone);
    this.update();
  }

  /** @param {number} layer @param {number} column */
  cell(layer, column) {
    const onclick = () => {
      this.choose(layer, column);
      this.set(this.factor(layer, column) === 0 ? 1 : 0);
    };
    return h("button", { type: "button", tabindex: -1, onclick, onfocus: () => this.choose(layer, column) });
  }

  /** @param {number} layer @param {number} column */
  factor(layer, column) {
    return this.session.changes.factor(layer, this.parts[column]);
  }

  /** @param {number} layer @param {number} column */
  choose(layer, column) {
    this.at = { layer, column };
    this.update();
  }

  /** Multiply the chosen part. @param {number} factor */
  set(factor) {
    this.session.changes.scale(this.at.layer, this.parts[this.at.column], factor);
    this.session.tell("changes");
  }

  /** Multiply all of the chosen layer. @param {number} factor */
  row(factor) {
    for (const part of this.parts) this.session.changes.scale(this.at.layer, part, factor);
    this.session.tell("changes");
  }

  update() {
    this.cells.forEach((cells, layer) => cells.forEach((cell, column) => this.paint(cell, layer, column)));
    const { layer, column } = this.at;
    this.scale.set(this.factor(layer, column));
    this.name.textContent = nameOf(layer, this.parts[column]);
  }

  /** @param {HTMLButtonElement} cell @param {number} layer @param {number} column */
  paint(cell, layer, column) {
    const factor = this.factor(layer, column);
    const here = layer === this.at.layer && column === this.at.column;
    const said = factor === 1 ? "as it is" : factor === 0 ? "off" : `times ${factor}`;
    cell.textContent = factor === 1 ? "" : factor === 0 ? "off" : String(+factor.toFixed(2));
    cell.setAttribute("aria-label", `${nameOf(layer, this.parts[column])}: ${said}`);
    cell.setAttribute("aria-pressed", String(factor === 0));
    cell.tabIndex = here ? 0 : -1;
    cell.className = factor === 1 ? "" : factor === 0 ? "off" : factor > 1 ? "more" : "less";
    cell.classList.toggle("here", here);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { layer, column } = this.at;
    const factor = this.factor(layer, column);
    const to = (/** @type {number} */ down, /** @type {number} */ across) => {
      const row = Math.min(Math.max(layer + down, 0), this.layers - 1);
      this.cells[row][Math.min(Math.max(column + across, 0), this.parts.length - 1)].focus();
    };
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowUp: () => to(-1, 0),
      ArrowDown: () => to(1, 0),
      ArrowLeft: () => to(0, -1),
      ArrowRight: () => to(0, 1),
      Home: () => to(0, -this.parts.length),
      End: () => to(0, this.parts.length),
      "+": () => this.set(Math.min(MOST, factor + STEP)),
      "=": () => this.set(Math.min(MOST, factor + STEP)),
      "-": () => this.set(Math.max(0, factor - STEP)),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    actions[event.key]();
  }
}

/** @param {number} layer @param {Part} part */
function nameOf(layer, part) {
  return part === null ? `Layer ${layer}, MLP` : `Layer ${layer}, head ${part}`;
}
