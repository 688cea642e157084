// @ts-check
// Change: parts of the network switched off, scaled, patched or pushed, and what it writes then.

import { h } from "./views/elements.js";
import { button } from "./views/toolbar.js";
import { shown } from "./alternatives.js";
import { Beside } from "./beside.js";
import { fault } from "./server.js";
import { read } from "./link.js";
import { Pushes } from "./pushes.js";
import { Switches } from "./switches.js";

const PATIENCE_MS = 250;

export class Change {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    this.beside = new Beside(session);
    this.controls = h("div", { class: "words" });
    this.element = h(
      "div",
      { class: "change" },
      h(
        "p",
        { class: "lead" },
        "Every cell is a part of the network. Switch one off with a click: the same prompt is written on with the same seed, with and without your changes. See then shows the changed network too.",
      ),
      h("div", { class: "frame" }, h("div", { class: "picture" }, this.beside.element), this.controls),
    );
    this.build();
    for (const what of /** @type {const} */ (["changes", "settings", "done"])) session.on(what, () => this.soon());
  }

  /** The controls, for the model that is looked at. */
  build() {
    this.built = this.session.shape;
    this.gone?.abort();
    this.gone = new AbortController();
    this.offered = "";
    this.pushes = new Pushes(this.session, this.gone.signal);
    const reset = button("Undo all", "Leave the network as it was trained", () => {
      this.session.changes.clear();
      this.session.tell("changes");
    });
    this.controls.replaceChildren(new Switches(this.session, this.gone.signal).element, this.pushes.element, reset);
  }

  /** Called when one comes here. */
  open() {
    this.run();
  }

  /** A slider is moved in many steps; only where it comes to rest is written. */
  soon() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.run(), PATIENCE_MS);
  }

  async run() {
    if (this.built !== this.session.shape) this.build();
    if (this.element.closest("[hidden]") || !this.element.isConnected) return;
    try {
      const prompt = await this.prompt();
      const texts = prompt.map(({ piece }) => shown(piece));
      if (this.offered !== JSON.stringify(texts)) this.pushes?.offer(texts);
      this.offered = JSON.stringify(texts);
      await this.beside.run(prompt);
    } catch (error) {
      this.beside.fault.textContent = fault(error);
    }
  }

  /** The prompt's tokens, read for this if nothing has been written yet. */
  async prompt() {
    const { tree, prompt } = this.session;
    return tree ? tree.path.slice(0, Math.max(1, tree.promptLength)) : (await read(this.session, prompt)).tokens;
  }
}
