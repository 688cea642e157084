// @ts-check
// Has the network write on, token by token, until it has written enough or is stopped.

import { fault, follow } from "./server.js";
import { learn, read } from "./link.js";
import { Tree } from "./branches.js";

export class Writer {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    /** @type {AbortController | null} */
    this.running = null;
    this.fault = "";
  }

  get busy() {
    return this.running !== null;
  }

  /** A new text. @param {string} prompt */
  begin(prompt) {
    const { session } = this;
    return this.run(async (signal) => {
      const { tokens, next } = await read(session, prompt, signal);
      session.prompt = prompt;
      session.tree = new Tree(tokens);
      session.tree.current.next = next;
      session.tell("text");
      await this.write(session.tree, signal);
    });
  }

  /** More of the branch that is looked at. */
  goOn() {
    return this.run((signal) => this.write(/** @type {Tree} */ (this.session.tree), signal));
  }

  /** A branch, written on when it is new. @param {number} place @param {import("./branches.js").Alternative} alternative */
  async take(place, alternative) {
    const tree = /** @type {Tree} */ (this.session.tree);
    this.stop();
    if (place >= this.session.shape.config.block_size) return this.goOn();
    if (!tree.take(place, alternative)) return this.look(tree.current);
    this.session.tell("text");
    await this.goOn();
  }

  /** A branch that was written before. @param {import("./branches.js").Branch} branch */
  async look(branch) {
    const tree = /** @type {Tree} */ (this.session.tree);
    this.stop();
    tree.current = branch;
    if (branch.unread) return this.run((signal) => learn(this.session, tree, signal));
    this.session.tell("text");
    this.session.tell("done");
  }

  stop() {
    this.running?.abort();
    this.running = null;
  }

  /** @param {(signal: AbortSignal) => Promise<void>} work */
  async run(work) {
    this.stop();
    const mine = (this.running = new AbortController());
    this.fault = "";
    this.session.tell("text");
    let problem = "";
    try {
      await work(mine.signal);
    } catch (error) {
      problem = fault(error);
    }
    // Whoever has begun something else meanwhile goes on from here.
    if (this.running && this.running !== mine) return;
    this.running = null;
    this.fault = problem;
    this.session.tell("text");
    if (!problem) await this.lookAhead();
    if (!this.busy) this.session.tell("done");
  }

  /** @param {Tree} tree @param {AbortSignal} signal */
  async write(tree, signal) {
    const { session } = this;
    const asked = session.asked(tree.ids);
    if (asked.max_tokens < 1) {
      throw new Error(`the context of ${session.shape.config.block_size.toLocaleString("en")} tokens is full`);
    }
    for await (const { token, piece, logprob, top } of follow("/inside/continue", { ...asked, logprobs: 50 }, signal)) {
      if (signal.aborted) return;
      tree.add({ token, piece, logprob, top });
      session.tell("text");
    }
  }

  /** What might come after the end of the text. */
  async lookAhead() {
    const { tree } = this.session;
    if (!tree || tree.current.next.length) return;
    const { current } = tree;
    const { length } = current.path;
    const { next } = await read(this.session, tree.ids).catch(() => ({ next: [] }));
    if (current.path.length === length && !this.busy) current.next = next;
  }
}
