// @ts-check
// See: what happens inside while the network reads the text, one tab a question.

import { choice, h } from "./views/elements.js";
import { Tabs } from "./views/tabs.js";
import { Answers } from "./answers.js";
import { picker } from "./picker.js";
import { Player } from "./player.js";
import { about, QUESTIONS } from "./questions.js";

/** @type {import("./questions.js").Asked} */
const STEPS = {
  name: "steps",
  title: "Step by step",
  words:
    "The text once more, token by token: what the newest token looks at, row after row, and what was expected to come next. Space plays, the arrow keys step.",
};
/** After the surprise and the attention, of which it is the film. */
const TABS = [...QUESTIONS.slice(0, 2), STEPS, ...QUESTIONS.slice(2)];
/** @type {Record<string, string>} */
const NETWORKS = {
  changed: "the changed network, your text",
  own: "the changed network, the text it wrote",
  plain: "the unchanged network, your text",
};

export class See {
  /** @param {import("./session.js").Session} session @param {import("./writer.js").Writer} writer */
  constructor(session, writer) {
    this.session = session;
    this.writer = writer;
    this.network = session.place.inside in NETWORKS ? session.place.inside : "changed";
    /** The token that each question is about. @type {Map<string, number>} */
    this.chosen = new Map();
    const address = {
      keep: (/** @type {Record<string, number>} */ { layer, head }) =>
        session.keep({ layer: asText(layer), head: asText(head) }),
      kept: () => new URLSearchParams(session.place),
    };
    this.answers = TABS.map((asked) => (asked === STEPS ? new Player(session, address) : new Answers(address)));
    this.picks = TABS.map(() => h("div"));
    const sections = TABS.map(({ name, words }, at) =>
      h("section", { id: `see-${name}` }, h("p", { class: "lead" }, words), this.picks[at], this.answers[at].element),
    );
    this.tabs = new Tabs(
      "What to see",
      TABS.map(({ title }, at) => ({ title, section: sections[at] })),
      (at) => {
        session.keep({ see: TABS[at].name });
        this.show();
      },
    );
    this.which = choice("Inside", NETWORKS, (value) => {
      this.network = value;
      session.keep({ inside: value });
      this.forget();
      this.show();
    });
    /** @type {HTMLSelectElement} */ (this.which.querySelector("select")).value = this.network;
    const signs = h(
      "p",
      { class: "note" },
      "In the pictures Ġ stands for a space before a token, and Ċ for the end of a line.",
    );
    this.element = h("div", { class: "see" }, this.which, this.tabs.element, ...sections, signs);
    for (const what of /** @type {const} */ (["done", "changes"])) session.on(what, () => this.show());
    session.on("text", () => this.forget());
  }

  /** Another text: no place in it has been chosen yet. */
  forget() {
    this.chosen.clear();
    for (const name of ["step", ...TABS.map(aboutOf)]) delete this.session.place[name];
  }

  /** Called when one comes here. */
  open() {
    const at = TABS.findIndex(({ name }) => name === this.session.place.see);
    this.tabs.open(Math.max(0, at));
  }

  /** Ask what is open, if it can be seen. */
  show() {
    const { session, tabs } = this;
    this.which.hidden = session.changes.count === 0;
    if (tabs.at < 0 || this.element.closest("[hidden]") || !this.element.isConnected) return;
    const [asked, answers] = [TABS[tabs.at], this.answers[tabs.at]];
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
  choice(asked, path) {
    const { name, pick } = asked;
    const { [aboutOf(asked)]: kept } = this.session.place;
    const chosen = this.chosen.get(name) ?? (kept in path ? Number(kept) : path.length - 1);
    if (!pick || this.chosen.has(name)) return chosen;
    const choose = (/** @type {number} */ token) => {
      this.chosen.set(name, token);
      this.session.keep({ [aboutOf(asked)]: String(token) });
      this.show();
    };
    this.chosen.set(name, chosen);
    const pieces = path.map(({ piece }) => piece);
    this.picks[this.tabs.at].replaceChildren(picker(pick, pieces, chosen, choose));
    return chosen;
  }
}

/** What the address calls the token that a question is about. @param {import("./questions.js").Asked} asked */
function aboutOf({ name }) {
  return `about_${name}`;
}

/** @param {number | undefined} value */
function asText(value) {
  return value === undefined ? null : String(value);
}
