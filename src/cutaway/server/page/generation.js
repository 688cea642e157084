// @ts-check
// A text as it came to be: at each step the attention of its newest token, and what was expected next.

import { bytesOf, jsonOf, levelsOf } from "./views/packed.js";
import { answer, blockOf } from "./answers.js";
import { ask } from "./server.js";

/** @typedef {import("./views/thumbnails.js").Head} Head */
/** @typedef {import("./branches.js").Token} Token */

/** Tokens expected next that are shown. */
export const LISTED = 8;
/** A text as it has been read. @typedef {{tokens: Token[], next: import("./branches.js").Alternative[]}} Read */

/** Heads that are kept unpacked; one of a long text takes half a megabyte. */
const MOST_KEPT = 16;

/** One head's attention, row after row. */
export class Pattern {
  /** @param {Uint8Array | Uint16Array} levels square roots of the weights, as shares of `top` @param {number} top */
  constructor(levels, top) {
    this.levels = levels;
    this.top = top;
  }

  /** How much one token looks at another. @param {number} query @param {number} key */
  weight(query, key) {
    return (this.levels[(query * (query + 1)) / 2 + key] / this.top) ** 2;
  }

  /** What a token takes from each up to itself. @param {number} query */
  row(query) {
    return Float32Array.from({ length: query + 1 }, (_, key) => this.weight(query, key));
  }
}

export class Generation {
  /**
   * Everything that is needed for all steps, asked for once; a head's pattern when somebody looks at it.
   *
   * @param {import("./answers.js").Question} question @param {Read | null} known what was expected after each token, if somebody knows
   */
  static async of(question, known) {
    const { model, prompt, edits } = question;
    const [[{ blocks, ...facts }], read] = await Promise.all([
      answer({ ...question, name: "attention" }),
      known ?? ask("/inside/read", { model, prompt, edits, top: LISTED }),
    ]);
    const nowhere = { keep: () => {}, kept: () => new URLSearchParams() };
    const { kind, title } = facts;
    const block = (/** @type {string} */ name) => blockOf(question, blocks, name);
    /** @type {import("./views/packed.js").View} */
    const view = { ...facts, kind, title, address: nowhere, block };
    const [heads, thumbnails] = await Promise.all([jsonOf(view, "heads"), bytesOf(view, "thumbnails")]);
    return new Generation(view, heads, thumbnails, read);
  }

  /**
   * @param {import("./views/packed.js").View} view @param {Head[]} heads @param {Uint8Array} thumbnails @param {Read} read
   */
  constructor(view, heads, thumbnails, { tokens, next }) {
    this.view = view;
    this.heads = heads;
    this.thumbnails = thumbnails;
    this.tokens = tokens.map((token) => ({ ...token, top: token.top.slice(0, LISTED) }));
    this.next = next.slice(0, LISTED);
    /** @type {Map<Head, Promise<Pattern>>} */
    this.patterns = new Map();
  }

  get length() {
    return this.tokens.length;
  }

  /** @param {Head} head */
  pattern(head) {
    const { bits } = this.view;
    const name = `pattern-${head.layer}-${head.head}`;
    const found =
      this.patterns.get(head) ?? levelsOf(this.view, name, bits).then((all) => new Pattern(all, 2 ** bits - 1));
    this.patterns.delete(head);
    this.patterns.set(head, found);
    found.catch(() => this.patterns.delete(head));
    for (const old of [...this.patterns.keys()].slice(0, -MOST_KEPT)) this.patterns.delete(old);
    return found;
  }

  /** The head that looks least at the first token, where most of them rest: there is most to see in it. @returns {Head} */
  get liveliest() {
    return this.heads.reduce((best, head) => (head.to_first < best.to_first ? head : best));
  }
}
