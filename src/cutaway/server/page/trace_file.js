// @ts-check
// The activations that a network had when it read a text, from a safetensors file.

import { fetchBytes } from "./server.js";

/** An array by rows. @typedef {{shape: number[], values: Float32Array}} Numbers */

export class TraceFile {
  /** @param {ArrayBuffer} bytes as safetensors has them: the header's length, the header, the numbers */
  constructor(bytes) {
    const length = Number(new DataView(bytes).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 8, length)));
    /** @type {Map<string, Numbers>} */
    this.arrays = new Map();
    for (const [name, { shape, data_offsets }] of Object.entries(header)) {
      if (name === "__metadata__") continue;
      const [start, end] = data_offsets.map((/** @type {number} */ offset) => 8 + length + offset);
      // Copied, for a view would have to begin at a multiple of four.
      this.arrays.set(name, { shape, values: new Float32Array(bytes.slice(start, end)) });
    }
  }
}

/**
 * What happens at some points.
 *
 * @param {{model: string, prompt: number[], edits: import("./changes.js").Edit[], names: string[]}} body
 */
export async function traceOf(body) {
  return new TraceFile(await fetchBytes("/inside/trace", body));
}

/** The length of a vector. @param {Float32Array} vector */
export function norm(vector) {
  return Math.sqrt(dot(vector, vector));
}

/** @param {Float32Array} one @param {Float32Array} other */
export function dot(one, other) {
  return one.reduce((sum, value, at) => sum + value * other[at], 0);
}

/** @param {number[]} scores */
export function softmax(scores) {
  const most = Math.max(...scores);
  const weights = scores.map((score) => Math.exp(score - most));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
