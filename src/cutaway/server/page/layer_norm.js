// @ts-check
// Zoom into a LayerNorm: the stream at mean 0 and spread 1, then each number times a weight, plus a bias.

import { figure } from "./views/numbers.js";
import { box, bySize, door, meter, rows } from "./box.js";
import { changed, exactly, sum } from "./products.js";
import { strip } from "./strip.js";

/** @typedef {import("./levels.js").Level} Level */
/** @typedef {import("./reading.js").Reading} Reading */

/**
 * @param {import("./levels.js").Scope} scope
 * @param {{name: string, title: string, source: string}} norm its name in the checkpoint, and the point it reads from
 * @returns {Level}
 */
export function layerNorm({ config, pieces }, { name, title, source }) {
  const needs = { points: [source, name], weights: [`${name}.weight`, `${name}.bias`] };
  const at = pieces.length - 1;
  const numbers = (/** @type {Reading} */ reading) => ({
    stream: reading.at(source, at),
    seen: reading.at(name, at),
    weight: reading.weight(`${name}.weight`),
    bias: reading.weight(`${name}.bias`),
    ...momentsOf(reading.at(source, at), config.layer_norm_epsilon),
  });
  /** @param {number} channel @returns {Level} */
  const channel = (channel) => ({
    name: `Number ${channel}`,
    needs,
    inside: () => null,
    draw: (reading) => {
      const { stream, seen, weight, bias, mean, spread } = numbers(reading);
      const value = ((stream[channel] - mean) / spread) * weight[channel] + bias[channel];
      return [
        "The stream's number less the mean of all, divided by their spread; then times a weight and plus a bias that were learned.",
        sum(
          `(${exactly(stream[channel])} − ${exactly(mean)}) ÷ ${exactly(spread)} × ${exactly(weight[channel])} + ${exactly(bias[channel])} = `,
          value,
        ),
        `It is number ${channel} of ${stream.length.toLocaleString("en")}.${changed(value, seen[channel])}`,
      ];
    },
  });
  return {
    name: title,
    needs,
    inside: (step) => (step < config.n_embd ? channel(step) : null),
    draw: (reading, open) => {
      const { stream, seen, mean, spread } = numbers(reading);
      const order = bySize(seen);
      const most = Math.abs(seen[order[0]]) || 1;
      const row = (/** @type {number} */ rank) => {
        const place = order[rank];
        const said = `${figure(stream[place], 3)} → ${figure(seen[place], 3)}`;
        return door(place, open, "", meter(`number ${place}`, Math.abs(seen[place]) / most, said, seen[place] < 0));
      };
      return [
        `The stream has grown on its way. Before it is read its numbers are brought to mean 0 and spread 1: here their mean is ${figure(mean)} and their spread ${figure(spread)}. Then each is multiplied by a weight, and a bias is added.`,
        box("The stream", strip(stream, "the stream")),
        box("What is read", strip(seen, "the stream after LayerNorm")),
        rows(seen.length, row),
      ];
    },
  };
}

/** The mean of numbers, and their spread as LayerNorm takes it. @param {Float32Array} numbers @param {number} epsilon */
export function momentsOf(numbers, epsilon) {
  const mean = numbers.reduce((all, value) => all + value, 0) / numbers.length;
  const variance = numbers.reduce((all, value) => all + (value - mean) ** 2, 0) / numbers.length;
  return { mean, spread: Math.sqrt(variance + epsilon) };
}
