// @ts-check
// Zoom into an MLP: its hidden units, what makes one of them active, and what it then adds to the stream.

import { choice, h } from "./views/elements.js";
import { figure } from "./views/numbers.js";
import { box, bySize, door, meter, rows, title } from "./box.js";
import { gelu, geluCurve } from "./gelu_curve.js";
import { momentsOf } from "./layer_norm.js";
import { rowOf } from "./logit.js";
import { changed, multiplyAdd, terms, total } from "./products.js";
import { shown } from "./alternatives.js";
import { strip } from "./strip.js";
import { norm } from "./trace_file.js";

/** @typedef {import("./levels.js").Level} Level */
/** @typedef {import("./levels.js").Scope} Scope */
/** @typedef {import("./reading.js").Reading} Reading */

/** @type {Record<string, string>} */
const ORDERS = { adds: "how much each adds", active: "how active each is" };
const USUAL = "adds";
/** Tokens whose logits are looked at. */
const ANSWERS = 8;

/** @param {Scope} scope @param {number} layer @returns {Level} */
export function mlp(scope, layer) {
  const { config, pieces } = scope;
  const at = pieces.length - 1;
  const size = config.n_inner ?? 4 * config.n_embd;
  const lengths = `|h.${layer}.mlp.c_proj.weight[:,*]|`;
  const points = ["ln_2", "mlp_pre", "mlp_post", "mlp_out"].map((point) => `h.${layer}.${point}`);
  return {
    name: "MLP",
    needs: { points, weights: [lengths] },
    inside: (step, name) => {
      if (name === "out") return written(scope, layer);
      return step < size ? unit(scope, layer, step) : null;
    },
    draw: (reading, open) => {
      const [input, before, after, out] = points.map((point) => reading.at(point, at));
      const adds = after.map((value, each) => Math.abs(value) * reading.weight(lengths)[each]);
      const list = h("div", {});
      const show = (/** @type {string} */ order) => list.replaceChildren(units(before, after, adds, order, open));
      const by = choice("Units by", ORDERS, (order) => {
        scope.keep({ units: order === USUAL ? null : order });
        show(order);
      });
      const order = scope.place.units in ORDERS ? scope.place.units : USUAL;
      /** @type {HTMLSelectElement} */ (by.querySelector("select")).value = order;
      show(order);
      return [
        `The MLP works on this token alone. Each of its ${size.toLocaleString("en")} units multiplies the token by weights of its own and sums up; the GELU lets what is above zero pass and nearly nothing of the rest; then each unit adds its own list of numbers to the stream, as strongly as it is active.`,
        box("What comes in, after LayerNorm", strip(input, "what comes in")),
        by,
        list,
        door(
          "out",
          open,
          `All units together add this, of length ${figure(norm(out), 3)}`,
          strip(out, "what the MLP adds"),
        ),
      ];
    },
  };
}

/** @param {Float32Array} before @param {Float32Array} after @param {Float32Array} adds @param {string} by @param {import("./box.js").Open} open */
function units(before, after, adds, by, open) {
  const sizes = by === "adds" ? adds : after;
  const order = bySize(sizes);
  const most = Math.abs(sizes[order[0]]) || 1;
  return rows(order.length, (rank) => {
    const at = order[rank];
    const said = `${figure(before[at], 3)} → ${figure(after[at], 3)}, adds ${figure(adds[at], 3)}`;
    return door(at, open, "", meter(`unit ${at}`, Math.abs(sizes[at]) / most, said, after[at] < 0));
  });
}

/** One unit. @param {Scope} scope @param {number} layer @param {number} unit @returns {Level} */
function unit(scope, layer, unit) {
  const { config, pieces } = scope;
  const at = pieces.length - 1;
  const here = `h.${layer}.mlp`;
  const [weights, bias, out] = [
    `${here}.c_fc.weight[${unit}]`,
    `${here}.c_fc.bias`,
    `${here}.c_proj.weight[:,${unit}]`,
  ];
  const last = `h.${config.n_layer - 1}.resid_post`;
  const answers = scope.next.slice(0, ANSWERS);
  const needs = {
    points: [...["ln_2", "mlp_pre", "mlp_post"].map((point) => `h.${layer}.${point}`), last],
    weights: [weights, bias, out, "ln_f.weight", ...answers.map(([id]) => rowOf(id))],
  };
  const incoming = (/** @type {Reading} */ reading) => ({
    left: reading.at(`h.${layer}.ln_2`, at),
    right: reading.weight(weights),
    start: reading.weight(bias)[unit],
  });
  return {
    name: `Unit ${unit}`,
    needs,
    inside: (step) => (step < config.n_embd ? multiplyAdd(step, needs, `unit ${unit}`, incoming) : null),
    draw: (reading, open) => {
      const products = incoming(reading);
      const before = reading.at(`h.${layer}.mlp_pre`, at)[unit];
      const after = reading.at(`h.${layer}.mlp_post`, at)[unit];
      const adds = reading.weight(out).map((weight) => after * weight);
      const { spread } = momentsOf(reading.at(last, at), config.layer_norm_epsilon);
      const effects = answers.map(([id, piece]) => ({
        piece,
        effect: effect(adds, spread, reading.weight("ln_f.weight"), reading.weight(rowOf(id))),
      }));
      const most = Math.max(...effects.map(({ effect }) => Math.abs(effect)), 1e-9);
      const sum = total(products);
      return [
        `Unit ${unit} of layer ${layer}, at “${shown(pieces[at])}”. Its products and its bias sum to ${figure(sum, 6)}.${changed(sum, before)} The GELU makes ${figure(after, 6)} of that.${changed(gelu(before), after)}`,
        title("What makes it active: the token times the unit’s weights, number by number"),
        terms(products, open, { first: 12 }),
        title("The GELU"),
        geluCurve(before, after),
        title(`What it adds to the stream: a list of length ${figure(norm(adds), 3)}`),
        strip(adds, "what the unit adds"),
        title("What that does to the logits of the likeliest next tokens, directly"),
        h("div", { class: "rows" }, ...effects.map((each) => effectRow(each, most))),
        "Directly means: as if no later layer had seen it, and with the spread that the last LayerNorm found.",
      ];
    },
  };
}

/** @param {{piece: string, effect: number}} effect @param {number} most */
function effectRow({ piece, effect }, most) {
  return h("div", { class: "box loose" }, meter(shown(piece), Math.abs(effect) / most, figure(effect, 3), effect < 0));
}

/**
 * What something written to the stream adds to a logit, through the last LayerNorm and the token's row.
 *
 * @param {Float32Array} added @param {number} spread @param {Float32Array} scale the LayerNorm's weights @param {Float32Array} row
 */
export function effect(added, spread, scale, row) {
  const mean = added.reduce((all, value) => all + value, 0) / added.length;
  return added.reduce((all, value, at) => all + ((value - mean) / spread) * scale[at] * row[at], 0);
}

/** What the MLP adds, number by number. @param {Scope} scope @param {number} layer @returns {Level} */
function written(scope, layer) {
  const { config, pieces } = scope;
  const point = `h.${layer}.mlp_out`;
  return {
    name: "What it adds",
    needs: { points: [point] },
    inside: (step) => (step < config.n_embd ? channel(scope, layer, step) : null),
    draw: (reading, open) => {
      const out = reading.at(point, pieces.length - 1);
      const order = bySize(out);
      const most = Math.abs(out[order[0]]) || 1;
      const row = (/** @type {number} */ rank) => {
        const at = order[rank];
        return door(at, open, "", meter(`number ${at}`, Math.abs(out[at]) / most, figure(out[at]), out[at] < 0));
      };
      return [
        "Each of these numbers is added to one of the stream’s. It is the sum of what every unit says about it.",
        box("What the MLP adds", strip(out, "what the MLP adds")),
        rows(out.length, row),
      ];
    },
  };
}

/** One number of what the MLP adds. @param {Scope} scope @param {number} layer @param {number} channel @returns {Level} */
function channel({ config, pieces }, layer, channel) {
  const at = pieces.length - 1;
  const [weights, bias] = [`h.${layer}.mlp.c_proj.weight[${channel}]`, `h.${layer}.mlp.c_proj.bias`];
  const needs = { points: [`h.${layer}.mlp_post`, `h.${layer}.mlp_out`], weights: [weights, bias] };
  const products = (/** @type {Reading} */ reading) => ({
    left: reading.at(`h.${layer}.mlp_post`, at),
    right: reading.weight(weights),
    start: reading.weight(bias)[channel],
  });
  const what = `number ${channel} of what the MLP adds`;
  return {
    name: `Number ${channel}`,
    needs,
    inside: (step) => (step < (config.n_inner ?? 4 * config.n_embd) ? multiplyAdd(step, needs, what, products) : null),
    draw: (reading, open) => {
      const all = products(reading);
      const seen = reading.at(`h.${layer}.mlp_out`, at)[channel];
      const sum = total(all);
      return [
        `Number ${channel}: how active each unit is, times its weight for this number. The products and the bias sum to ${figure(sum, 6)}.${changed(sum, seen)}`,
        terms(all, open, { name: (each) => `unit ${each}` }),
      ];
    },
  };
}
