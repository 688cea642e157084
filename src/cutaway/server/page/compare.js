// @ts-check
// Compare: two prompts, or two models, side by side.

import { choice, h } from "./views/elements.js";
import { Answers } from "./answers.js";
import { QUESTIONS } from "./questions.js";

const PROMPTS = { a: "The king sat on his throne", b: "The queen sat on her throne" };

/** One side: a prompt, a model, and what is seen of them. */
class Side {
  /** @param {import("./session.js").Session} session @param {"a" | "b"} name @param {() => void} onChange */
  constructor(session, name, onChange) {
    this.session = session;
    this.name = name;
    const { place, models } = session;
    this.field = h("textarea", { rows: 2, spellcheck: "false", "aria-label": `Prompt ${name.toUpperCase()}` });
    this.field.value = place[name] ?? PROMPTS[name];
    this.field.addEventListener("change", onChange);
    this.model = place[`model_${name}`] ?? session.shape.model;
    const which = choice("Model", Object.fromEntries(models.map(({ model }) => [model, model])), (model) => {
      this.model = model;
      onChange();
    });
    which.hidden = models.length < 2;
    const select = /** @type {HTMLSelectElement} */ (which.querySelector("select"));
    select.value = this.model;
    const address = {
      keep: (/** @type {Record<string, number>} */ { layer, head }) =>
        session.keep({ [`layer_${name}`]: layer?.toString() ?? null, [`head_${name}`]: head?.toString() ?? null }),
      kept: () => {
        const { [`layer_${name}`]: layer, [`head_${name}`]: head } = session.place;
        return new URLSearchParams(layer && head ? { layer, head } : {});
      },
    };
    this.answers = new Answers(address);
    this.element = h(
      "section",
      { "aria-label": `Side ${name.toUpperCase()}`, class: "side" },
      this.field,
      which,
      this.answers.element,
    );
  }

  /** @param {string} question */
  show(question) {
    const { session, name } = this;
    session.keep({ [name]: this.field.value, [`model_${name}`]: session.models.length > 1 ? this.model : null });
    const model = session.models.find(({ model }) => model === this.model)?.model ?? session.shape.model;
    return this.answers.show({ name: question, model, prompt: this.field.value, edits: [] });
  }
}

export class Compare {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    const titles = Object.fromEntries(QUESTIONS.map(({ name, title }) => [name, title]));
    const asked = choice("See", titles, (name) => {
      session.keep({ ask: name });
      this.show();
    });
    const select = /** @type {HTMLSelectElement} */ (asked.querySelector("select"));
    if (session.place.ask in titles) select.value = session.place.ask;
    this.select = select;
    this.sides = /** @type {const} */ (["a", "b"]).map((name) => new Side(session, name, () => this.show()));
    const go = h("button", { type: "button", class: "main", onclick: () => this.show() }, "Compare");
    const words =
      session.models.length > 1
        ? "Two prompts, or one prompt and two models, side by side."
        : "Two prompts, side by side.";
    this.element = h(
      "div",
      { class: "compare" },
      h("p", { class: "lead" }, `${words} Change a word, and see what else changes.`),
      h("div", { class: "toolbar" }, asked, go),
      h("div", { class: "pair" }, ...this.sides.map(({ element }) => element)),
    );
  }

  /** Called when one comes here. */
  open() {
    this.show();
  }

  async show() {
    await Promise.all(this.sides.map((side) => side.show(this.select.value)));
  }
}
