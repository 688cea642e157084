// @ts-check
// What a level of zoom is built of: boxes, some of which one can go into, bars with a number, and long lists of them.

import { h } from "./views/elements.js";

/** @typedef {(step: string | number) => void} Open goes one step further in */

/** A part of the network. @param {string} title @param {...HTMLElement} inside */
export function box(title, ...inside) {
  return h("div", { class: "box" }, named(title), ...inside);
}

/** A part that one can go into. @param {string | number} step @param {Open} open @param {string} title @param {...HTMLElement} inside */
export function door(step, open, title, ...inside) {
  const facts = { type: "button", class: "box", "data-step": step, onclick: () => open(step) };
  return h("button", facts, named(title), ...inside);
}

/** @param {string} title */
function named(title) {
  return title ? h("span", { class: "name" }, title) : null;
}

/** @param {string} name @param {number} share @param {string} said @param {boolean} [below] whether it is a number below zero */
export function meter(name, share, said, below = false) {
  const bar = h("i", { class: below ? "below" : "", style: { width: `${100 * share}%` } });
  return h("span", { class: "meter" }, h("span", {}, name), h("s", {}, bar), h("b", {}, said));
}

/** @param {string} text */
export function title(text) {
  return h("h2", { class: "small" }, text);
}

/** How many of a long list are shown before one asks for all. */
const FIRST = 32;

/**
 * The first of many rows, what is said of the others, and a button that shows them.
 *
 * @param {number} count @param {(at: number) => HTMLElement} row
 * @param {{others?: (shown: number) => HTMLElement | null, first?: number}} [options]
 */
export function rows(count, row, { others = () => null, first = FIRST } = {}) {
  const list = h("div", { class: "rows" });
  const show = (/** @type {number} */ end) => {
    const all = Array.from({ length: end }, (_, at) => row(at));
    const rest = end < count ? [others(end), more] : [];
    list.replaceChildren(...all, ...rest.filter((each) => each !== null));
  };
  const onclick = () => {
    show(count);
    /** @type {HTMLElement | undefined} */ (list.children[first])?.focus();
  };
  const more = h("button", { type: "button", class: "more", onclick }, `Show all ${count.toLocaleString("en")}`);
  show(Math.min(count, first));
  return list;
}

/** The places of a vector, that of the largest number first, whatever its sign. @param {ArrayLike<number>} numbers */
export function bySize(numbers) {
  return Array.from(numbers, (_, at) => at).sort((a, b) => Math.abs(numbers[b]) - Math.abs(numbers[a]));
}
