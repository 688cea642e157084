// @ts-check
// The server's answer to a question about a text, as views, each drawn into the page.

import { h } from "./views/elements.js";
import { draw } from "./views/kinds.js";
import { ask, fault } from "./server.js";

/**
 * @typedef {object} Question
 * @property {string} name such as `lens`
 * @property {string} model
 * @property {string | number[]} prompt
 * @property {import("./changes.js").Edit[]} edits
 * @property {number} [target]
 * @property {number} [position]
 * @property {number} [step] of the checkpoint that answers, where it is one
 */

const MOST_KEPT = 12;
/** Answers of late, for whoever goes back and forth. @type {Map<string, Promise<any>>} */
const known = new Map();

/** Of attention only the overview: a head is asked for when somebody looks at it. @param {Question} question @returns {Promise<Record<string, any>[]>} */
export function answer({ name, ...body }) {
  const asked = JSON.stringify([name, body]);
  const sent = name === "attention" ? { ...body, overview: true } : body;
  const before = known.get(asked) ?? ask(`/inside/views/${name}`, sent).then(({ views }) => views);
  known.delete(asked);
  known.set(asked, before);
  before.catch(() => known.delete(asked));
  for (const old of [...known.keys()].slice(0, -MOST_KEPT)) known.delete(old);
  return before;
}

/**
 * A part of a view, as it came or asked for now.
 *
 * @param {Question} question @param {Record<string, string>} blocks @param {string} name @returns {string | Promise<string>}
 */
export function blockOf({ name: _, ...body }, blocks, name) {
  const [, ...place] = /^pattern-(\d+)-(\d+)$/.exec(name) ?? [];
  if (name in blocks || !place.length) return blocks[name] ?? "";
  const asked = ask("/inside/views/attention", { ...body, heads: [place.map(Number)] });
  return asked.then(({ views }) => views[0].blocks[name]);
}

/** A place where answers are shown, one question after the other. */
export class Answers {
  /** @param {import("./views/address.js").Address} address @param {(question: Question) => Promise<Record<string, any>[]>} [asking] who answers, if not the model */
  constructor(address, asking = answer) {
    this.address = address;
    this.asking = asking;
    this.element = h("div", { class: "answers" });
    this.asked = "";
    /** When what is asked is shown. @type {Promise<void>} */
    this.shown = Promise.resolve();
    this.gone = new AbortController();
  }

  /** Ask, unless it is this that is shown, and show the answer. @param {Question} question */
  show(question) {
    const asked = JSON.stringify(question);
    if (asked === this.asked) return this.shown;
    this.asked = asked;
    return (this.shown = this.renew(question));
  }

  /** @param {Question} question */
  async renew(question) {
    this.gone.abort();
    const { signal } = (this.gone = new AbortController());
    delete this.element.dataset.ready;
    this.element.setAttribute("aria-busy", "true");
    const busy = h("p", { class: "busy", role: "status" }, "The network is reading…");
    this.element.prepend(busy);
    try {
      await this.fill(question, signal);
      if (!signal.aborted) this.element.dataset.ready = question.name;
    } catch (error) {
      if (signal.aborted) return;
      this.asked = "";
      this.element.replaceChildren(h("p", { role: "alert", class: "fault" }, fault(error)));
    } finally {
      busy.remove();
      if (!signal.aborted) this.element.removeAttribute("aria-busy");
    }
  }

  /** Put the answer in place of what is there. @param {Question} question @param {AbortSignal} signal */
  async fill(question, signal) {
    const views = await this.asking(question);
    if (signal.aborted) return;
    const titled = views.length > 1;
    const sections = views.map(({ title }) => h("div", {}, titled ? h("h2", {}, title) : null));
    this.element.replaceChildren(...sections);
    await Promise.all(views.map((view, at) => draw(this.view(question, view, signal), sections[at])));
  }

  /** Show words instead. @param {string} words */
  say(words) {
    this.gone.abort();
    this.asked = "";
    delete this.element.dataset.ready;
    this.element.removeAttribute("aria-busy");
    this.element.replaceChildren(h("p", { class: "note" }, words));
  }

  /** @param {Question} question @param {Record<string, any>} view @param {AbortSignal} gone @returns {import("./views/packed.js").View} */
  view(question, { blocks, kind, title, ...facts }, gone) {
    const block = (/** @type {string} */ name) => blockOf(question, blocks, name);
    return { ...facts, kind, title, gone, address: this.address, block };
  }
}
