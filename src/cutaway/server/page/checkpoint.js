// @ts-check
// The newest checkpoint of a run, looked into: a text that it reads, what it expects next, where its heads look.

import { choice, h } from "./views/elements.js";
import { percent } from "./views/numbers.js";
import { shown } from "./alternatives.js";
import { Answers } from "./answers.js";
import { QUESTIONS } from "./questions.js";
import { say } from "./run_list.js";
import { ask } from "./server.js";

const TEXT = "Once upon a time there was a little fox who";
const EXPECTED = 10;
const WORDS = Object.fromEntries(QUESTIONS.map(({ name, words }) => [name, words]));

export class Checkpoint {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    const { place } = session;
    this.field = h("textarea", { rows: 2, spellcheck: "false", id: "read-by-run" });
    this.field.value = place.read ?? TEXT;
    this.field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.look();
    });
    const look = h("button", { type: "button", class: "main", onclick: () => this.look() }, "Look");
    const titles = Object.fromEntries(QUESTIONS.map(({ name, title }) => [name, title]));
    const which = choice("See", titles, (name) => {
      session.keep({ about: name });
      this.look();
    });
    this.select = /** @type {HTMLSelectElement} */ (which.querySelector("select"));
    this.select.value = place.about in titles ? place.about : "attention";
    this.following = h("input", { type: "checkbox", checked: true, onchange: () => this.again() });
    const follow = h("label", { class: "choice" }, this.following, "again with every newer checkpoint");
    this.said = h("p", { class: "note", role: "status" });
    this.words = h("p", { class: "lead" });
    this.expected = h("ol", { class: "draws" });
    this.heading = h("h3", {}, "Expected next");
    this.next = h("section", { "aria-label": "Expected next", class: "expected" }, this.heading, this.expected);
    this.next.hidden = true;
    const address = {
      keep: (/** @type {Record<string, number>} */ { layer, head }) =>
        session.keep({ run_layer: layer?.toString() ?? null, run_head: head?.toString() ?? null }),
      kept: () => {
        const { run_layer: layer, run_head: head } = session.place;
        return new URLSearchParams(layer && head ? { layer, head } : {});
      },
    };
    this.answers = new Answers(address, (question) => this.answer(question));
    this.element = h(
      "section",
      { "aria-label": "The newest checkpoint", class: "checkpoint" },
      h("div", { class: "toolbar" }, h("h2", {}, "The newest checkpoint"), this.said),
      h("label", { for: "read-by-run", class: "label" }, "A text for it to read"),
      this.field,
      h("div", { class: "toolbar" }, look, which, follow),
      this.words,
      this.next,
      this.answers.element,
    );
  }

  /** @param {import("./run.js").Run} run */
  show(run) {
    const other = run !== this.run;
    this.run = run;
    const { checkpoint } = run.card ?? {};
    const step = checkpoint?.toLocaleString("en");
    say(this.said, checkpoint == null ? "There is none yet." : `Saved at step ${step}.`);
    // A link that leads to what was looked at asks at once; otherwise nobody computes anything unasked.
    if (other && this.session.place.read) this.look();
    else if (this.asked && checkpoint !== this.asked.step && this.following.checked) this.again();
  }

  /** Look at the text by the newest checkpoint. */
  look() {
    this.session.keep({ read: this.field.value });
    this.asked = { step: /** @type {number | null | undefined} */ (undefined), text: this.field.value };
    return this.again();
  }

  /** The same text once more, if there is a checkpoint that has not read it. */
  async again() {
    const { run, asked, answers } = this;
    const step = run?.card?.checkpoint;
    if (!run || !asked) return;
    asked.step = step;
    if (step == null) return answers.say("There is no checkpoint yet: the run saves one every few minutes.");
    const held = answers.element.contains(document.activeElement);
    this.words.textContent = WORDS[this.select.value];
    const question = { name: this.select.value, model: run.name, prompt: asked.text, edits: [], step };
    await Promise.all([answers.show(question), this.expect(run, asked.text)]);
    // What had the focus is gone; what stands in its place is the like of it.
    const next = held ? answers.element.querySelector(".frame:not([hidden]) [tabindex='0']") : null;
    if (next instanceof HTMLElement) next.focus({ preventScroll: true });
  }

  /** @param {import("./answers.js").Question} question @returns {Promise<Record<string, any>[]>} */
  async answer({ name, prompt }) {
    const { views } = await ask(/** @type {import("./run.js").Run} */ (this.run).path(`views/${name}`), { prompt });
    return views;
  }

  /** What may come next. @param {import("./run.js").Run} run @param {string} prompt */
  async expect(run, prompt) {
    try {
      const { next, step } = await ask(run.path("read"), { prompt, top: EXPECTED });
      if (run !== this.run) return;
      this.next.hidden = false;
      this.expected.replaceChildren(
        ...next.map((/** @type {import("./branches.js").Alternative} */ each) => row(each)),
      );
      say(this.heading, `Expected next, at step ${step.toLocaleString("en")}`);
    } catch {
      this.next.hidden = true; // the answer to the question says why
    }
  }
}

/** @param {import("./branches.js").Alternative} alternative */
function row([, piece, logprob]) {
  const bar = h("i", { style: { width: `${100 * Math.exp(logprob)}%` } });
  return h(
    "li",
    { class: "draw" },
    h("span", {}, shown(piece)),
    h("s", { "aria-hidden": "true" }, bar),
    h("b", {}, percent(Math.exp(logprob))),
  );
}
