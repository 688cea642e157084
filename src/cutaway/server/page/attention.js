// @ts-check
// Zoom into a head: whom its token looks at, and one of those scores product by product.

import { figure, percent } from "./views/numbers.js";
import { shown } from "./alternatives.js";
import { box, door, meter, rows } from "./box.js";
import { multiplyAdd, terms, total } from "./products.js";
import { strip } from "./strip.js";
import { dot, softmax } from "./trace_file.js";

/** @typedef {import("./levels.js").Scope} Scope */
/** @typedef {import("./levels.js").Level} Level */
/** @typedef {import("./reading.js").Reading} Reading */

/** @param {Scope} scope @param {number} layer @param {number} head @returns {Level} */
export function head(scope, layer, head) {
  const { pieces } = scope;
  const needs = attentionNeeds(layer);
  return {
    name: `Head ${head}`,
    needs,
    inside: (step) => (step < pieces.length ? score(scope, layer, head, step) : null),
    draw: (reading, open) => {
      const all = scores(reading, scope, layer, head);
      const weights = softmax(all);
      const most = Math.max(...weights);
      const row = (/** @type {number} */ key) => {
        const said = `score ${figure(all[key], 3)} → ${percent(weights[key])}`;
        return door(key, open, "", meter(`${key} ${shown(pieces[key])}`, weights[key] / most, said));
      };
      return [
        `“${shown(pieces[pieces.length - 1])}” compares its query with the key of every token so far. That gives scores; their exponentials, divided by the sum of all, are the attention.`,
        rows(pieces.length, row),
      ];
    },
  };
}

/** @param {Scope} scope @param {number} layer @param {number} head @param {number} key @returns {Level} */
function score(scope, layer, head, key) {
  const { pieces } = scope;
  const needs = attentionNeeds(layer);
  const pair = (/** @type {Reading} */ reading) => ({
    left: reading.at(`h.${layer}.q`, pieces.length - 1, head),
    right: reading.at(`h.${layer}.k`, key, head),
  });
  return {
    name: `Key ${key}`,
    needs,
    inside: (step) =>
      step < scope.config.n_embd / scope.config.n_head ? multiplyAdd(step, needs, "this score", pair) : null,
    draw: (reading, open) => {
      const both = pair(reading);
      const sum = total(both);
      const size = both.left.length;
      return [
        `A score: the query of “${shown(pieces[pieces.length - 1])}” times the key of “${shown(pieces[key])}”, number by number. The products sum to ${figure(sum)}; divided by √${size} that is ${figure(sum / Math.sqrt(size))}.`,
        box("The query", strip(both.left, "the query")),
        box("The key", strip(both.right, "the key")),
        terms(both, open),
      ];
    },
  };
}

/** @param {number} layer @returns {import("./levels.js").Needs} */
export function attentionNeeds(layer) {
  return { points: [`h.${layer}.q`, `h.${layer}.k`] };
}

/** The scores of the token's query with all keys, in one head. @param {Reading} reading @param {Scope} scope @param {number} layer @param {number} head */
export function scores(reading, { pieces }, layer, head) {
  const query = reading.at(`h.${layer}.q`, pieces.length - 1, head);
  return pieces.map((_, key) => dot(query, reading.at(`h.${layer}.k`, key, head)) / Math.sqrt(query.length));
}
