// @ts-check
// The same prompt and seed twice, by the network as it is and with the changes, side by side.

import { eachFrame, h } from "./views/elements.js";
import { pageColour } from "./views/colour.js";
import { csv, save } from "./views/download.js";
import { column, pictureActions, row } from "./views/picture.js";
import { takeAway } from "./views/toolbar.js";
import { TokenText } from "./views/tokens.js";
import { linesPicture, tokensPicture } from "./views/written.js";
import { inWords } from "./changes.js";
import { differences } from "./differences.js";
import { fault, follow } from "./server.js";

/** @typedef {import("./branches.js").Token} Token */

const TITLES = ["Unchanged", "With your changes"];
/** How wide a text is in a picture. */
const WIDTH = 440;

/** One of the two texts. */
class Column {
  /** @param {string} title */
  constructor(title) {
    this.title = title;
    this.paper = h("div", { class: "paper" });
    this.element = h("section", { "aria-label": title }, h("h2", {}, title), this.paper);
    /** @type {Token[]} */
    this.tokens = [];
    this.given = 0;
    /** @type {boolean[]} */
    this.differs = [];
  }

  /** Begin with the prompt. @param {Token[]} prompt */
  begin(prompt) {
    this.tokens = [...prompt];
    this.given = prompt.length;
    const none = () => {};
    this.words = new TokenText(this.pieces, { label: `${this.title}: the text.`, onHover: none, onChoose: none });
    this.words.spans.forEach((span) => span.classList.add("given"));
    this.paper.replaceChildren(this.words.element);
  }

  get pieces() {
    return this.tokens.map(({ piece }) => piece);
  }

  /** @param {Token} token */
  add(token) {
    this.tokens.push(token);
    this.words?.grow(this.pieces);
  }

  /** For a file: what was given bold, what differs on a colour. */
  picture() {
    /** @param {number} at @returns {import("./views/written.js").Look} */
    const look = (at) => ({
      bold: at < this.given,
      background: this.differs[at] ? pageColour("--differs") : undefined,
    });
    return column([
      linesPicture([this.title], { bold: true, width: WIDTH }),
      tokensPicture(this.pieces, look, WIDTH),
    ]);
  }

  /** @param {boolean[]} differs */
  mark(differs) {
    this.differs = differs;
    this.words?.spans.forEach((span, at) => span.classList.toggle("differs", differs[at]));
  }
}

export class Beside {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    this.columns = TITLES.map((title) => new Column(title));
    this.said = h("p", { role: "status", class: "total" });
    this.fault = h("p", { role: "alert", class: "fault" });
    const away = takeAway({
      CSV: ["Save both texts as CSV", () => save("changed", "csv", csv(this.rows()))],
      ...pictureActions(
        () => "Changed",
        "both texts",
        () => this.pictures(),
      ),
    });
    this.element = h(
      "div",
      { class: "beside" },
      h("div", { class: "toolbar" }, this.said, away),
      this.fault,
      h("div", { class: "pair" }, ...this.columns.map(({ element }) => element)),
    );
    this.compareSoon = eachFrame(() => this.compare());
    this.asked = "";
    this.running = new AbortController();
  }

  /** Have both written, unless they are there; the element then says with how many changes. @param {Token[]} prompt */
  async run(prompt) {
    const { session } = this;
    const body = session.asked(prompt.map(({ token }) => token));
    const edits = session.changes.asked();
    const asked = JSON.stringify([body, edits]);
    if (asked === this.asked) return;
    this.asked = asked;
    this.running.abort();
    const { signal } = (this.running = new AbortController());
    session.changedText = null;
    this.fault.textContent = "";
    this.said.textContent = "Writing…";
    delete this.element.dataset.ready;
    for (const column of this.columns) column.begin(prompt);
    try {
      await Promise.all(this.columns.map((column, at) => this.write(column, at ? { ...body, edits } : body, signal)));
      if (signal.aborted) return;
      this.compare();
      session.changedText = this.columns[1].tokens;
      this.element.dataset.ready = String(edits.length);
    } catch (error) {
      if (signal.aborted) return;
      this.asked = "";
      this.running.abort();
      this.said.textContent = "";
      this.fault.textContent = fault(error);
    }
  }

  /** @param {Column} column @param {object} body @param {AbortSignal} signal */
  async write(column, body, signal) {
    for await (const token of follow("/inside/continue", body, signal)) {
      if (signal.aborted) return;
      column.add(token);
      this.compareSoon();
    }
  }

  compare() {
    const [one, other] = this.columns.map(({ tokens }) => tokens.map(({ token }) => token));
    const differs = differences(one, other);
    this.columns.forEach((column, at) => column.mark(differs[at]));
    const given = this.columns[0].given;
    const shared = Math.min(one.length, other.length);
    const same = one.findIndex((token, at) => at >= shared || token !== other[at]);
    const count = differs[1].filter(Boolean).length;
    const begun = (same < 0 ? shared : same) - given;
    const differ = `${count} of ${other.length - given} tokens differ`;
    if (count === 0 && one.length === other.length) this.said.textContent = "Both write the same.";
    else if (begun === 0) this.said.textContent = `They part at once: ${differ}.`;
    else this.said.textContent = `They part after ${begun} written token${begun === 1 ? "" : "s"}: ${differ}.`;
  }

  /** What was changed, what came of it, and both texts. */
  pictures() {
    const changes = this.session.changes.asked().map(inWords);
    const words = [...(changes.length ? changes : ["Nothing is changed."]), this.said.textContent ?? ""];
    return [linesPicture(words, { width: 2 * WIDTH }), row(this.columns.map((each) => each.picture()))];
  }

  *rows() {
    yield ["position", ...TITLES.flatMap((title) => [`${title}: token`, `${title}: piece`, `${title}: logprob`])];
    const most = Math.max(...this.columns.map(({ tokens }) => tokens.length));
    for (let at = 0; at < most; at++) {
      yield [
        at,
        ...this.columns.flatMap(({ tokens }) => [
          tokens[at]?.token ?? "",
          tokens[at]?.piece ?? "",
          tokens[at]?.logprob ?? "",
        ]),
      ];
    }
  }
}
