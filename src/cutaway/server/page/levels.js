// @ts-check
// How near one looks: the whole network, a layer, a head, one attention score, one multiply-add.

import { h } from "./views/elements.js";
import { figure, percent } from "./views/numbers.js";
import { shown } from "./alternatives.js";
import { strip } from "./strip.js";
import { dot, norm, softmax } from "./trace_file.js";

/**
 * What is looked at: numbers, the text up to the token, and the way into it.
 *
 * @typedef {object} Sight
 * @property {import("./trace_file.js").TraceFile} trace
 * @property {string[]} pieces up to the token that is followed
 * @property {number[]} way layer, head, key, channel: as far as one has gone in
 * @property {number} layers
 * @property {number} heads
 * @property {import("./branches.js").Alternative[]} next
 * @property {(step: number) => void} into
 */

/** @type {((sight: Sight) => (HTMLElement | string)[])[]} */
export const LEVELS = [network, layer, head, score, product];
export const NAMES = ["The network", "Layer", "Head", "Key", "Multiply-add"];

/** @param {Sight} sight */
function network({ trace, pieces, layers, next, into }) {
  const at = pieces.length - 1;
  const vectors = Array.from({ length: layers }, (_, layer) => ({
    enters: trace.at(`h.${layer}.resid_pre`, at),
    heads: norm(trace.at(`h.${layer}.attn_out`, at)),
    mlp: norm(trace.at(`h.${layer}.mlp_out`, at)),
  }));
  const most = Math.max(...vectors.flatMap(({ heads, mlp }) => [heads, mlp]));
  const rows = vectors.map(({ enters, heads, mlp }, layer) =>
    box(
      `Layer ${layer}`,
      () => into(layer),
      strip(enters, `the stream into layer ${layer}`),
      meter("heads add", heads / most, figure(heads, 3)),
      meter("MLP adds", mlp / most, figure(mlp, 3)),
    ),
  );
  const answers = next
    .slice(0, 5)
    .map(([, piece, logprob]) => meter(shown(piece), Math.exp(logprob), percent(Math.exp(logprob))));
  return [
    `One token, “${shown(pieces[at])}”, goes from top to bottom: a list of ${vectors[0].enters.length} numbers, here as a strip of colours, to which every layer adds something. The bars say how much.`,
    box("Enters: its embedding, and that of its position"),
    ...rows,
    box("Leaves: how likely each token is to come next", undefined, ...answers),
  ];
}

/** @param {Sight} sight */
function layer(sight) {
  const { trace, pieces, way, heads, into } = sight;
  const [layer] = way;
  const at = pieces.length - 1;
  const looks = Array.from({ length: heads }, (_, head) => {
    const weights = softmax(scores(sight, head));
    const most = weights.indexOf(Math.max(...weights));
    return box(
      `Head ${head}`,
      () => into(head),
      meter(`looks at “${shown(pieces[most])}” (${most})`, weights[most], percent(weights[most])),
    );
  });
  const point = (/** @type {string} */ name) => trace.at(`h.${layer}.${name}`, at);
  return [
    `In a layer the heads first fetch information from earlier tokens, then the MLP works on the token alone. Each adds its result to the stream.`,
    box("The stream comes in", undefined, strip(point("resid_pre"), "the stream in")),
    h("div", { class: "row" }, ...looks),
    box(
      `The heads add this, of length ${figure(norm(point("attn_out")), 3)}`,
      undefined,
      strip(point("attn_out"), "what the heads add"),
    ),
    box(
      `The MLP adds this, of length ${figure(norm(point("mlp_out")), 3)}`,
      undefined,
      strip(point("mlp_out"), "what the MLP adds"),
    ),
  ];
}

/** @param {Sight} sight */
function head(sight) {
  const { pieces, way, into } = sight;
  const all = scores(sight, way[1]);
  const weights = softmax(all);
  const most = Math.max(...weights);
  const rows = pieces.map((piece, key) =>
    box(
      "",
      () => into(key),
      meter(`${key} ${shown(piece)}`, weights[key] / most, `score ${figure(all[key], 3)} → ${percent(weights[key])}`),
    ),
  );
  return [
    `“${shown(pieces[pieces.length - 1])}” compares its query with the key of every token so far. That gives scores; their exponentials, divided by the sum of all, are the attention.`,
    ...rows,
  ];
}

/** @param {Sight} sight */
function score(sight) {
  const { pieces, way, into } = sight;
  const [query, key] = pair(sight);
  const products = query.map((value, at) => value * key[at]);
  const most = Math.max(...products.map(Math.abs)) || 1;
  const sum = dot(query, key);
  const rows = [...products].map((value, at) =>
    box(
      "",
      () => into(at),
      meter(
        String(at),
        Math.abs(value) / most,
        `${figure(query[at], 3)} × ${figure(key[at], 3)} = ${figure(value, 3)}`,
        value < 0,
      ),
    ),
  );
  return [
    `A score: the query of “${shown(pieces[pieces.length - 1])}” times the key of “${shown(pieces[way[2]])}”, number by number. The products sum to ${figure(sum)}; divided by √${query.length} that is ${figure(sum / Math.sqrt(query.length))}.`,
    box("The query", undefined, strip(query, "the query")),
    box("The key", undefined, strip(key, "the key")),
    ...rows,
  ];
}

/** @param {Sight} sight */
function product(sight) {
  const [query, key] = pair(sight);
  const at = sight.way[3];
  const before = dot(query.subarray(0, at), key);
  const value = query[at] * key[at];
  const number = (/** @type {number} */ value) => figure(value, 6);
  return [
    "Nearly all that the network does is this: it multiplies two numbers, and adds the product to a sum.",
    h(
      "p",
      { class: "sum" },
      `${number(before)} + ${number(query[at])} × ${number(key[at])} = `,
      h("b", {}, number(before + value)),
    ),
    `It is multiplication ${at + 1} of ${query.length} for this score. For every new token the whole network makes about as many of them as it has weights.`,
  ];
}

/** The scores of the token's query with all keys, in one head. @param {Sight} sight @param {number} head */
function scores({ trace, pieces, way }, head) {
  const query = trace.at(`h.${way[0]}.q`, pieces.length - 1, head);
  return pieces.map((_, key) => dot(query, trace.at(`h.${way[0]}.k`, key, head)) / Math.sqrt(query.length));
}

/** The query and the key that are looked at. @param {Sight} sight */
function pair({ trace, pieces, way: [layer, head, key] }) {
  return [trace.at(`h.${layer}.q`, pieces.length - 1, head), trace.at(`h.${layer}.k`, key, head)];
}

/** A part; a button where one can go in. @param {string} title @param {(() => void) | undefined} [onclick] @param {...HTMLElement} inside */
function box(title, onclick, ...inside) {
  const name = title ? h("span", { class: "name" }, title) : null;
  return onclick
    ? h("button", { type: "button", class: "box", onclick }, name, ...inside)
    : h("div", { class: "box" }, name, ...inside);
}

/** @param {string} name @param {number} share @param {string} said @param {boolean} [below] */
function meter(name, share, said, below = false) {
  const bar = h("i", { class: below ? "below" : "", style: { width: `${100 * share}%` } });
  return h("span", { class: "meter" }, h("span", {}, name), h("s", {}, bar), h("b", {}, said));
}
