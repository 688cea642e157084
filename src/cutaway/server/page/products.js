// @ts-check
// A sum of products, which is what nearly every number in the network is: its terms, and one of them from near.

import { h } from "./views/elements.js";
import { figure } from "./views/numbers.js";
import { bySize, door, meter, rows } from "./box.js";

/**
 * @typedef {object} Products
 * @property {Float32Array} left
 * @property {Float32Array} right
 * @property {number} [start] what the products are added to: the bias, where there is one
 */

/** What the products and the bias are together. @param {Products} products @param {number} [end] how many of them */
export function total({ left, right, start = 0 }, end = left.length) {
  let sum = start;
  for (let at = 0; at < end; at++) sum += left[at] * right[at];
  return sum;
}

/**
 * The products by size, each a way in.
 *
 * @param {Products} products @param {import("./box.js").Open} open
 * @param {{name?: (at: number) => string, first?: number}} [options] what a term is called, and how many are shown
 */
export function terms({ left, right, start }, open, { name = String, first } = {}) {
  const values = Array.from(left, (value, at) => value * right[at]);
  const order = bySize(values);
  const most = Math.abs(values[order[0]]) || 1;
  const row = (/** @type {number} */ rank) => {
    const at = order[rank];
    const said = `${figure(left[at], 3)} × ${figure(right[at], 3)} = ${figure(values[at], 3)}`;
    return door(at, open, "", meter(name(at), Math.abs(values[at]) / most, said, values[at] < 0));
  };
  const others = (/** @type {number} */ shown) => {
    const rest = order.slice(shown).reduce((sum, at) => sum + values[at], 0);
    return loose(`${(values.length - shown).toLocaleString("en")} others`, rest, most);
  };
  const bias = start === undefined ? [] : [loose("the bias", start, most)];
  return h("div", { class: "terms" }, ...bias, rows(values.length, row, { others, first }));
}

/** A term that one cannot go into. @param {string} name @param {number} value @param {number} most */
function loose(name, value, most) {
  const share = Math.min(1, Math.abs(value) / most);
  return h("div", { class: "box loose" }, meter(name, share, figure(value, 4), value < 0));
}

/**
 * One multiplication and one addition.
 *
 * @param {number} at @param {import("./levels.js").Needs} needs @param {string} what the number that is the whole sum
 * @param {(reading: import("./reading.js").Reading) => Products} productsOf @returns {import("./levels.js").Level}
 */
export function multiplyAdd(at, needs, what, productsOf) {
  return {
    name: `Multiply-add ${at}`,
    needs,
    inside: () => null,
    draw: (reading) => {
      const products = productsOf(reading);
      const { left, right, start } = products;
      const [before, after] = [total(products, at), total(products, at + 1)];
      const begins = start === undefined ? "nothing" : "the bias";
      return [
        "Nearly all that the network does is this: it multiplies two numbers, and adds the product to a sum.",
        sum(`${exactly(before)} + ${exactly(left[at])} × ${exactly(right[at])} = `, after),
        `It is multiplication ${at + 1} of ${left.length.toLocaleString("en")} for ${what}, which begins with ${begins} and ends at ${figure(total(products), 6)}. For every new token the whole network makes about as many of them as it has weights.`,
      ];
    },
  };
}

/** A calculation in large figures. @param {string} terms @param {number} result */
export function sum(terms, result) {
  return h("p", { class: "sum" }, terms, h("b", {}, exactly(result)));
}

/** @param {number} value */
export function exactly(value) {
  return figure(value, 6);
}

/**
 * What is said where a change to the network has put something else in the place of what was calculated.
 *
 * @param {number} calculated @param {number} seen @param {number} [scale] how large such numbers are here
 */
export function changed(calculated, seen, scale = 1) {
  const same = Math.abs(calculated - seen) <= 1e-3 * Math.max(scale, Math.abs(calculated));
  return same ? "" : ` A change of yours makes ${figure(seen)} of it.`;
}
