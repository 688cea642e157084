// @ts-check
// Write: a prompt, the text that comes, and what else might have come.

import { eachFrame, h, isTyping } from "./views/elements.js";
import { onThemeChange } from "./views/colour.js";
import { csv, save } from "./views/download.js";
import { Legend } from "./views/legend.js";
import { pictureActions } from "./views/picture.js";
import { TokenText } from "./views/tokens.js";
import { takeAway } from "./views/toolbar.js";
import { tokensPicture } from "./views/written.js";
import { Alternatives } from "./alternatives.js";
import { BranchList } from "./branch_list.js";
import { count, drawSliders } from "./sliders.js";
import { looksOfSurprise, paintSurprise, surpriseLegend } from "./surprise.js";
import { chosenFile, openTree, saveTree } from "./tree_file.js";

const WELCOME =
  "Press Write and watch the network choose one token after the other. Then point at a token to see what else it might have said. New to this? Take the tour, above.";

/** Where the alternatives stand below the text, not beside it. */
const NARROW = "(max-width: 860px)";

/** As many as the server writes at a time. */
const MOST_TOKENS = 4096;

const STEPS = /** @type {Record<string, number>} */ ({
  ArrowLeft: -1,
  ArrowRight: 1,
  ArrowUp: -10,
  ArrowDown: 10,
  Home: -Infinity,
  End: Infinity,
});

export class Write {
  /** @param {import("./session.js").Session} session @param {import("./writer.js").Writer} writer */
  constructor(session, writer) {
    this.session = session;
    this.writer = writer;
    /** @type {number | null} */
    this.chosen = null;
    this.pinned = false;
    /** @type {import("./branches.js").Token[]} */
    this.told = [];
    this.alternatives = new Alternatives(session, (place, alternative) => {
      this.release();
      writer.take(place, alternative);
    });
    this.branches = new BranchList(session, (branch) => {
      this.release();
      writer.look(branch);
    });
    this.legend = new Legend();
    this.paper = h("div", { class: "paper" });
    this.status = h("p", { class: "note", role: "status" });
    this.fault = h("p", { role: "alert", class: "fault" });
    this.element = this.assemble();
    session.on("text", () => this.update());
    session.on("done", () => this.settle());
    onThemeChange(() => this.colour());
    this.update();
    this.branches.fill();
    if (session.place.at in this.told) this.pin(Number(session.place.at), true);
  }

  assemble() {
    const { session, writer } = this;
    this.prompt = h("textarea", { id: "prompt", rows: 2, spellcheck: "false" });
    this.prompt.value = session.prompt;
    this.prompt.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.begin();
    });
    const press = (/** @type {string} */ text, /** @type {() => void} */ onclick) =>
      h("button", { type: "button", onclick }, text);
    this.start = press("Write", () => this.begin());
    this.start.className = "main";
    this.more = press("Continue", () => writer.goOn());
    this.halt = press("Stop", () => {
      writer.running?.abort();
    });
    const { settings } = session;
    const numbers = [
      count(
        "Tokens",
        "How many tokens are written at a time",
        { min: 1, max: MOST_TOKENS, value: settings.max_tokens },
        (value) => session.set({ max_tokens: value }),
      ),
      count(
        "Seed",
        "The same seed, prompt and settings give the same text",
        { min: 0, max: 2 ** 32, value: settings.seed },
        (value) => session.set({ seed: value }),
      ),
    ];
    const away = takeAway({
      CSV: ["Save the tokens and what else was expected as CSV", () => save("written", "csv", csv(this.rows()))],
      ...pictureActions(
        () => `Written: ${session.prompt.slice(0, 60)}`,
        "the coloured text",
        () => this.pictures(),
      ),
      "Save tree": ["Save tree: all branches as a file, to be opened here again", () => saveTree(session)],
      "Open tree": ["Open tree: all branches of a file that was saved here", () => this.openSaved()],
    });
    return h(
      "div",
      { class: "write" },
      h("label", { for: "prompt", class: "label" }, "Prompt: the network writes on from here"),
      this.prompt,
      h("div", { class: "toolbar" }, this.start, this.more, this.halt, ...numbers, away, this.status),
      this.fault,
      h(
        "div",
        { class: "frame" },
        h("div", { class: "picture" }, this.paper, this.legend.canvas, this.branches.element),
        h("div", { class: "words" }, drawSliders(session), this.alternatives.element),
      ),
    );
  }

  /** Called when one comes here. */
  open() {}

  begin() {
    this.release();
    return this.writer.begin(this.prompt?.value ?? "");
  }

  /** All branches of a file, in place of what is there. */
  async openSaved() {
    const file = await chosenFile();
    this.release();
    await this.writer.run(() => openTree(this.session, file));
    if (this.prompt) this.prompt.value = this.session.prompt;
  }

  release() {
    [this.chosen, this.pinned] = [null, false];
    delete this.session.place.at;
    this.words?.mark("query", null);
  }

  /** Show what is there now: while it grows only what is new. */
  update() {
    const { session, writer } = this;
    const path = session.tree?.path ?? [];
    const grown = this.words && path.length >= this.told.length && this.told.every((token, at) => token === path[at]);
    const pieces = path.map(({ piece }) => piece);
    if (!path.length) {
      this.words = undefined;
      this.paper.replaceChildren(h("p", { class: "note" }, WELCOME));
    } else if (grown) this.words?.grow(pieces);
    else this.renew(pieces);
    this.told = path;
    this.words?.spans.forEach((span, at) => span.classList.toggle("given", at < (session.tree?.promptLength ?? 0)));
    this.colour();
    if (writer.busy) {
      delete this.element.dataset.settled;
      this.follow();
    }
    if (this.chosen === null && !writer.busy) this.alternatives.show(null);
    if (this.start) this.start.textContent = session.tree ? "Write anew" : "Write";
    if (this.more) this.more.disabled = writer.busy || !session.tree;
    if (this.halt) this.halt.disabled = !writer.busy;
    this.fault.textContent = writer.fault;
    this.status.textContent = writer.busy ? (path.length ? "Writing…" : "Reading the prompt…") : "";
  }

  /** What is done only when the text stands. */
  settle() {
    this.update();
    this.branches.fill();
    this.element.dataset.settled = "true";
    if (this.chosen !== null) this.choose(Math.min(this.chosen, this.told.length - 1));
  }

  /** @param {string[]} pieces */
  renew(pieces) {
    const focused = this.words?.element === document.activeElement;
    this.words = new TokenText(pieces, {
      label: "The text, coloured by surprise. Arrow keys move from token to token, Enter keeps one.",
      onHover: eachFrame((token) => !this.pinned && token !== null && this.choose(token)),
      onChoose: (token) => {
        if (token === null) return;
        this.pin(token, !(this.pinned && token === this.chosen));
        if (matchMedia(NARROW).matches) this.alternatives.element.scrollIntoView({ block: "nearest" });
      },
    });
    this.words.element.classList.add("reading");
    this.words.element.addEventListener("keydown", (event) => this.key(event));
    this.paper.replaceChildren(this.words.element);
    if (focused) this.words.element.focus();
  }

  colour() {
    this.words?.painted.fill(null);
    if (this.words) paintSurprise(this.told, this.words);
    surpriseLegend(this.legend);
    this.legend.canvas.hidden = !this.told.length;
  }

  /** Keep the end in sight. */
  follow() {
    const box = this.words?.element;
    if (box && box.scrollHeight - box.scrollTop - box.clientHeight < 80) box.scrollTop = box.scrollHeight;
  }

  /** @param {number} token */
  choose(token) {
    this.chosen = token;
    this.words?.mark("query", token);
    this.alternatives.show(token);
  }

  /** Keep a token, in the address too, or let go of it. @param {number} token @param {boolean} pinned */
  pin(token, pinned) {
    this.pinned = pinned;
    this.session.keep({ at: pinned ? String(token) : null });
    this.choose(token);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.told.length - 1;
    if (event.key === "Escape") {
      this.release();
      this.session.keep({ at: null });
      this.alternatives.show(null);
    } else if (event.key === "Enter" && this.chosen !== null) this.pin(this.chosen, !this.pinned);
    else if (event.key in STEPS) {
      this.choose(Math.min(Math.max((this.chosen ?? last + 1) + STEPS[event.key], 0), last));
      this.words?.reveal(this.chosen ?? 0);
    } else return;
    event.preventDefault();
  }

  /** The text, what was given of it bold, for a file. */
  pictures() {
    const look = looksOfSurprise(this.told);
    const given = this.session.tree?.promptLength ?? 0;
    const pieces = this.told.map(({ piece }) => piece);
    return [tokensPicture(pieces, (token) => ({ ...look(token), bold: token < given })), this.legend.picture()];
  }

  *rows() {
    yield ["position", "token", "piece", "logprob", "rank", "alternative", "alternative logprob"];
    for (const [at, { token, piece, logprob, top }] of this.told.entries()) {
      if (!top.length) yield [at, token, piece, logprob ?? "", "", "", ""];
      for (const [rank, [, other, value]] of top.entries())
        yield [at, token, piece, logprob ?? "", rank + 1, other, value];
    }
  }
}
