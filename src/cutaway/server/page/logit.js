// @ts-check
// Zoom into what leaves: for each token of the vocabulary a logit, which is one last sum of products.

import { h } from "./views/elements.js";
import { figure, percent } from "./views/numbers.js";
import { shown } from "./alternatives.js";
import { box, door, meter } from "./box.js";
import { multiplyAdd, terms, total } from "./products.js";
import { strip } from "./strip.js";

/** @typedef {import("./levels.js").Level} Level */
/** @typedef {import("./levels.js").Scope} Scope */
/** @typedef {import("./reading.js").Reading} Reading */

const LISTED = 10;

/** The head's row for a token. @param {number} id */
export function rowOf(id) {
  return `lm_head.weight[${id}]`;
}

/** @param {Scope} scope @returns {Level} */
export function logits(scope) {
  const { config, pieces } = scope;
  const next = scope.next.slice(0, LISTED);
  return {
    name: "Logits",
    needs: { points: ["ln_f"], weights: next.map(([id]) => rowOf(id)) },
    inside: (step) => (step < config.vocab_size ? logit(scope, step) : null),
    draw: (reading, open) => {
      const left = reading.at("ln_f", pieces.length - 1);
      const list = next.map(([id, piece, logprob]) => {
        const value = total({ left, right: reading.weight(rowOf(id)) });
        const said = `logit ${figure(value)} → ${percent(Math.exp(logprob))}`;
        return door(id, open, "", meter(shown(piece), Math.exp(logprob), said));
      });
      return [
        `What has come out of the last layer is compared with the row of every one of the ${config.vocab_size.toLocaleString("en")} tokens. That gives each a logit; their exponentials, divided by the sum of all, are the probabilities. These are the likeliest.`,
        box("The stream after the last LayerNorm", strip(left, "the stream after the last LayerNorm")),
        h("div", { class: "rows" }, ...list),
      ];
    },
  };
}

/** @param {Scope} scope @param {number} id @returns {Level} */
function logit(scope, id) {
  const { config, pieces } = scope;
  const needs = { points: ["ln_f"], weights: [rowOf(id)] };
  const products = (/** @type {Reading} */ reading) => ({
    left: reading.at("ln_f", pieces.length - 1),
    right: reading.weight(rowOf(id)),
  });
  const known = scope.next.find(([token]) => token === id);
  const name = known ? `“${shown(known[1])}”` : `token ${id.toLocaleString("en")}`;
  return {
    name: `Token ${name}`,
    needs,
    inside: (step) => (step < config.n_embd ? multiplyAdd(step, needs, `the logit of ${name}`, products) : null),
    draw: (reading, open) => {
      const both = products(reading);
      const chance = known ? ` It makes ${name} ${percent(Math.exp(known[2]))} likely to come next.` : "";
      return [
        `The logit of ${name}: the stream as it leaves, times the token’s row, number by number. The products sum to ${figure(total(both), 6)}.${chance}`,
        box("The stream after the last LayerNorm", strip(both.left, "the stream after the last LayerNorm")),
        box(`The row of ${name}`, strip(both.right, `the row of ${name}`)),
        terms(both, open),
      ];
    },
  };
}
