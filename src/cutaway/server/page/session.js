// @ts-check
// What one is doing: the model, the text and its branches, the settings, the changes to the network.

import { Changes } from "./changes.js";
import { Tree } from "./branches.js";

/** @typedef {"text" | "done" | "settings" | "changes" | "place"} What a token more, or all of them */

/**
 * @typedef {object} Config
 * @property {number} n_layer
 * @property {number} n_head
 * @property {number} n_embd
 * @property {number | null} n_inner units of an MLP; null is four times n_embd
 * @property {number} vocab_size
 * @property {number} block_size
 * @property {number} layer_norm_epsilon
 */
/** @typedef {{model: string, config: Config}} Shape */

export class Session {
  /** @param {Shape[]} models */
  constructor(models) {
    this.models = models;
    this.shape = models[0];
    this.prompt = "Once upon a time";
    /** @type {Tree | null} */
    this.tree = null;
    /** @type {import("./distribution.js").Settings} */
    this.settings = { temperature: 0.8, top_k: 0, top_p: 0.95, seed: 1, max_tokens: 60 };
    this.changes = new Changes();
    /** What the changed network wrote. @type {import("./branches.js").Token[] | null} */
    this.changedText = null;
    /** What one looks at: the view and what it keeps in mind, for the address. @type {Record<string, string>} */
    this.place = { view: "write", see: "text" };
    /** @type {Map<What, Set<() => void>>} */
    this.listeners = new Map();
  }

  /** @param {What} what @param {() => void} listener @param {AbortSignal} [gone] when it need not listen any more */
  on(what, listener, gone) {
    const listeners = (this.listeners.get(what) ?? new Set()).add(listener);
    this.listeners.set(what, listeners);
    gone?.addEventListener("abort", () => listeners.delete(listener));
  }

  /** @param {What} what */
  tell(what) {
    for (const listener of this.listeners.get(what) ?? []) listener();
  }

  /** The model that is asked. @param {string} name */
  choose(name) {
    this.shape = this.models.find(({ model }) => model === name) ?? this.models[0];
    this.tree = null;
    this.changes.clear();
    this.changedText = null;
    this.tell("changes");
    this.tell("text");
    this.tell("done");
  }

  /** Remember where one is. @param {Record<string, string | null>} facts */
  keep(facts) {
    for (const [name, value] of Object.entries(facts)) {
      if (value === null) delete this.place[name];
      else this.place[name] = value;
    }
    this.tell("place");
  }

  /** @param {Partial<import("./distribution.js").Settings>} settings */
  set(settings) {
    Object.assign(this.settings, settings);
    this.tell("settings");
  }

  /** What to send for a text to be written on. @param {number[]} ids */
  asked(ids) {
    const { temperature, top_k, top_p, seed, max_tokens } = this.settings;
    const room = Math.min(max_tokens, this.shape.config.block_size - ids.length);
    return { model: this.shape.model, prompt: ids, temperature, top_k, top_p, seed, max_tokens: room };
  }
}
