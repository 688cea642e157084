// @ts-check
// The numbers of one reading of a text: activations and weights, each fetched when it is first needed.

import { ask, fetchBytes } from "./server.js";
import { TraceFile, traceOf } from "./trace_file.js";

/** @typedef {{model: string, prompt: number[], edits: import("./changes.js").Edit[]}} Read what is read, and how */
/**
 * Points as in a trace; weights as rows and columns, such as `h.0.mlp.c_fc.weight[17]`.
 *
 * @typedef {{points: string[], weights?: string[], next?: boolean}} Needs `next`: what is expected after each token
 */

/** As many vectors as the server gives at once. */
const MOST_VECTORS = 256;

export class Reading {
  /** @param {Read} read */
  constructor(read) {
    this.read = read;
    /** @type {Map<string, import("./trace_file.js").Numbers>} */
    this.arrays = new Map();
    /** What is expected after each token. @type {import("./branches.js").Alternative[][] | null} */
    this.after = null;
  }

  /** Have these numbers here. @param {Needs} needs */
  async fetch({ points, weights = [], next = false }) {
    const missing = (/** @type {string[]} */ names) => names.filter((name) => !this.arrays.has(name));
    const [names, vectors] = [missing(points), missing(weights)];
    const parts = Array.from({ length: Math.ceil(vectors.length / MOST_VECTORS) }, (_, part) =>
      vectors.slice(part * MOST_VECTORS, (part + 1) * MOST_VECTORS),
    );
    const { model } = this.read;
    const files = [
      ...(names.length ? [traceOf({ ...this.read, names })] : []),
      ...parts.map(async (some) => new TraceFile(await fetchBytes("/inside/weights", { model, vectors: some }))),
    ];
    const after = next && !this.after ? ask("/inside/read", { ...this.read, top: 10 }) : null;
    for (const file of await Promise.all(files)) for (const [name, array] of file.arrays) this.arrays.set(name, array);
    if (!after) return;
    const { tokens, next: last } = await after;
    this.after = [...tokens.slice(1).map((/** @type {import("./branches.js").Token} */ { top }) => top), last];
  }

  /** The numbers at one position, of one head where there are heads. @param {string} name @param {number} position @param {number} [head] */
  at(name, position, head = 0) {
    const { shape, values } = this.array(name);
    const [tokens, width] = shape.slice(-2);
    const start = (head * tokens + position) * width;
    return values.subarray(start, start + width);
  }

  /** A vector of weights. @param {string} name */
  weight(name) {
    return this.array(name).values;
  }

  /** @param {string} name */
  array(name) {
    return /** @type {import("./trace_file.js").Numbers} */ (this.arrays.get(name));
  }
}
