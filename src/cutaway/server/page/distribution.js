// @ts-check
// From what a network finds likely to what is drawn: temperature, top-k, top-p.

/**
 * @typedef {object} Settings
 * @property {number} temperature 0 always takes the likeliest
 * @property {number} top_k 0 keeps all
 * @property {number} top_p 1 keeps all
 * @property {number} seed
 * @property {number} max_tokens
 */

/** A share of all others together below which it does not matter how it is spread. */
const NEGLIGIBLE = 0.005;

/**
 * How probable each of the likeliest tokens is to be drawn, and all others together. The others are known by their sum
 * alone; where temperature or cuts reach among them they are taken to be equally likely, and the result is `about` right.
 *
 * @param {number[]} logprobs of the likeliest tokens, in falling order
 * @param {number} vocabulary how many tokens there are
 * @param {Settings} settings
 * @returns {{shares: number[], rest: number, about: boolean}}
 */
export function drawn(logprobs, vocabulary, { temperature, top_k, top_p }) {
  const highest = logprobs[0] ?? 0;
  if (temperature === 0) return { shares: logprobs.map((_, at) => (at === 0 ? 1 : 0)), rest: 0, about: false };
  let weights = logprobs.map((logprob) => Math.exp((logprob - highest) / temperature));
  const others = vocabulary - logprobs.length;
  const unknown = Math.max(0, 1 - sum(logprobs.map(Math.exp)));
  const each = others > 0 && unknown > 1e-9 ? Math.exp((Math.log(unknown / others) - highest) / temperature) : 0;
  let kept = others;
  if (top_k > 0) {
    const least = weights[Math.min(top_k, weights.length) - 1];
    weights = weights.map((weight) => (weight >= least ? weight : 0));
    kept = Math.min(kept, Math.max(0, top_k - logprobs.length));
  }
  let total = sum(weights) + kept * each;
  if (top_p < 1) {
    let reached = 0;
    let least = 0;
    for (const weight of weights) {
      if (reached >= top_p * total) break;
      reached += weight;
      least = weight;
    }
    weights = weights.map((weight) => (weight >= least ? weight : 0));
    kept = each > 0 ? Math.min(kept, Math.max(0, Math.ceil((top_p * total - reached) / each))) : 0;
    total = sum(weights) + kept * each;
  }
  const rest = (kept * each) / total;
  const guessed =
    each > 0 && (temperature !== 1 || (kept > 0 && kept < others)) && Math.max(unknown, rest) > NEGLIGIBLE;
  return {
    shares: weights.map((weight) => weight / total),
    rest,
    about: guessed && (top_k === 0 || top_k > logprobs.length),
  };
}

/** @param {number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
