// @ts-check
// See: what happens inside while the network reads the text, one tab a question.

import { choice, h } from "./views/elements.js";
import { Tabs } from "./views/tabs.js";
import { Answers } from "./answers.js";
import { picker } from "./picker.js";
import { about, QUESTIONS } from "./questions.js";

export class See {
  /** @param {import("./session.js").Session} session @param {import("./writer.js").Writer} writer */
  constructor(session, writer) {
    this.session = session;
    this.writer = writer;
    this.network = "changed";
    /** The token that each question is about. @type {Map<string, number>} */
    this.chosen = new Map();
    const address = {
      keep: (/** @type {Record<string, number>} */ { layer, head }) =>
        session.keep({ layer: asText(layer), head: asText(head) }),
      kept: () => new URLSearchParams(session.place),
    };
    this.answers = QUESTIONS.map(() => new Answers(address));
    this.picks = QUESTIONS.map(() => h("div"));
    const sections = QUESTIONS.map(({ name, words }, at) =>
      h("section", { id: `see-${name}` }, h("p", { class: "lead" }, words), this.picks[at], this.answers[at].element),
    );
    this.tabs = new Tabs(
      "What to see",
      QUESTIONS.map(({ title }, at) => ({ title, section: sections[at] })),
      (at) => {
        session.keep({ see: QUESTIONS[at].name });
        this.show();
      },
    );
    const networks = {
      changed: "the changed network, your text",
      own: "the changed network, the text it wrote",
      plain: "the unchanged network, your text",
    };
    this.which = choice("Inside", networks, (value) => {
      this.network = value;
      this.chosen.clear();
      this.show();
    });
    const signs = h(
      "p",
      { class: "note" },
      "In the pictures Ġ stands for a space before a token, and Ċ for the end of a line.",
    );
    this.element = h("div", { class: "see" }, this.which, this.tabs.element, ...sections, signs);
    for (const what of /** @type {const} */ (["done", "changes"])) session.on(what, () => this.show());
    session.on("text", () => this.chosen.clear());
  }

  /** Called when one comes here. */
  open() {
    const at = QUESTIONS.findIndex(({ name }) => name === this.session.place.see);
    this.tabs.open(Math.max(0, at));
  }

  /** Ask what is open, if it can be seen. */
  show() {
    const { session, tabs } = this;
    this.which.hidden = session.changes.count === 0;
    if (tabs.at < 0 || this.element.closest("[hidden]") || !this.element.isConnected) return;
    const [asked, answers] = [QUESTIONS[tabs.at], this.answers[tabs.at]];
    const path = this.text();
    if (!path.length) return answers.say("There is no text yet: let the network write one.");
    if (this.writer.busy) return answers.say("The text is still being written…");
    const ids = path.map(({ token }) => token);
    const edits = this.network === "plain" ? [] : session.changes.asked();
    const chosen = this.choice(asked, path);
    return answers.show({ name: asked.name, model: session.shape.model, edits, ...about(asked, ids, chosen) });
  }

  /** What is read: what has been written, or what the changed network wrote. */
  text() {
    const { tree, changes, changedText } = this.session;
    return (this.network === "own" && changes.count && changedText) || (tree?.path ?? []);
  }

  /**
   * The token that a question is about; the text to choose it from is made anew when it has changed.
   *
   * @param {import("./questions.js").Asked} asked @param {import("./branches.js").Token[]} path
   */
  choice({ name, pick }, path) {
    const chosen = this.chosen.get(name) ?? path.length - 1;
    if (!pick || this.chosen.has(name)) return chosen;
    const choose = (/** @type {number} */ token) => {
      this.chosen.set(name, token);
      this.show();
    };
    this.chosen.set(name, chosen);
    const pieces = path.map(({ piece }) => piece);
    this.picks[this.tabs.at].replaceChildren(picker(pick, pieces, chosen, choose));
    return chosen;
  }
}

/** @param {number | undefined} value */
function asText(value) {
  return value === undefined ? null : String(value);
}
