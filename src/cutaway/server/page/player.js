// @ts-check
// A text step by step: what its newest token looks at, in the text and in every head, and what was expected next.

import { eachFrame, h, isTyping } from "./views/elements.js";
import { onThemeChange } from "./views/colour.js";
import { SHADES, shadesOf } from "./views/head.js";
import { percent } from "./views/numbers.js";
import { TokenText } from "./views/tokens.js";
import { frame, readout } from "./views/toolbar.js";
import { shown } from "./alternatives.js";
import { Answers } from "./answers.js";
import { Generation } from "./generation.js";
import { Playback } from "./playback.js";
import { fault } from "./server.js";
import { StepBars } from "./step_bars.js";
import { takeStepAway } from "./step_file.js";
import { LargeHead, SmallHeads } from "./unfolding.js";

/** @typedef {import("./views/thumbnails.js").Head} Head */

/** How long a step stands before the address remembers it: a browser refuses to do that at every frame. */
const REST_MS = 300;
/** Up to this many steps a second bars glide from one to the next. */
const GLIDING = 5;

export class Player extends Answers {
  /** @param {import("./session.js").Session} session @param {import("./views/address.js").Address} address */
  constructor(session, address) {
    super(address);
    this.session = session;
    /** @type {Generation | undefined} */
    this.generation = undefined;
    /** The head that is seen, and that which was clicked. @type {Head | undefined} */
    this.head = undefined;
    /** @type {Head | undefined} */
    this.kept = undefined;
    /** @type {import("./generation.js").Pattern | undefined} */
    this.pattern = undefined;
    /** When what was asked for last is there. @type {Promise<void> | undefined} */
    this.looking = undefined;
    this.element.classList.add("player");
    this.playback = new Playback(
      (step) => this.step(step),
      () => this.rest(),
    );
    this.said = readout("");
    const point = eachFrame((/** @type {number | null} */ token) => this.point(token));
    const again = eachFrame((/** @type {number | null} */ id) => this.again(id));
    this.bars = new StepBars(point, again);
    this.onPoint = point;
    this.text = h("div");
    this.heads = h("div");
    this.large = h("div");
    this.which = h("h2");
    const hint = h("p", { class: "note" }, "All heads: point at one to see it, click to keep it.");
    const seen = [this.said, this.text, this.bars.element, this.large];
    this.screen = frame([this.which, this.playback.element, takeStepAway(this)], seen, [hint, this.heads]);
    document.addEventListener("keydown", (event) => this.key(event));
    onThemeChange(() => this.repaint());
  }

  /** @override @param {import("./answers.js").Question} question @param {AbortSignal} signal */
  async fill(question, signal) {
    const generation = await Generation.of(question, this.known(question));
    const { layer, head } = Object.fromEntries(this.address.kept());
    const kept = generation.heads.find((each) => each.layer === Number(layer) && each.head === Number(head));
    const first = layer && head && kept ? kept : generation.liveliest;
    const pattern = await generation.pattern(first);
    if (signal.aborted) return;
    this.generation = generation;
    this.lay(generation);
    this.element.replaceChildren(this.screen);
    this.kept = first;
    this.see(first, pattern);
    const prompt = Math.min(this.session.tree?.promptLength ?? 1, generation.length) - 1;
    const wanted = this.session.place.step;
    this.playback.begin(generation.length, wanted === undefined ? prompt : Number(wanted) || 0, prompt);
  }

  /** What was expected after each token, if it is the text that was written here by the network as it is. @param {import("./answers.js").Question} question */
  known({ prompt, edits }) {
    const { tree } = this.session;
    if (!tree || edits.length || !tree.current.next.length || tree.current.unread) return null;
    return String(tree.ids) === String(prompt) ? { tokens: tree.path, next: tree.current.next } : null;
  }

  /** What belongs to one text. @param {Generation} generation */
  lay(generation) {
    const { tokens, length } = generation;
    const pieces = tokens.map(({ piece }) => piece);
    this.words = new TokenText(pieces, {
      label: "The text, coloured by what its newest token looks at. Arrow keys go from step to step.",
      onHover: this.onPoint,
      onChoose: (token) => token !== null && this.playback.go(token),
    });
    this.words.spans.forEach((span) => span.classList.add("later"));
    this.reached = -1;
    this.small = new SmallHeads(generation, {
      onHover: (head) => this.look(head),
      onLeave: () => this.kept && this.small?.small.choose(this.kept),
      onChoose: (head) => this.keep(head),
    });
    this.picture = new LargeHead(length, {
      onHover: (query, key) => this.cell(query, key),
      onLeave: () => this.point(null),
      onChoose: (query) => this.playback.go(query),
    });
    for (const [place, element] of /** @type {[HTMLElement, HTMLElement][]} */ ([
      [this.text, this.words.element],
      [this.heads, this.small.element],
      [this.large, this.picture.element],
    ]))
      place.replaceChildren(element);
  }

  /** Show a head as long as one points at it; whoever passes over many has only the last one asked for. @param {Head} head */
  async look(head) {
    this.head = head;
    await this.looking;
    if (head === this.head) await (this.looking = this.fetch(head));
  }

  /** @param {Head} head */
  async fetch(head) {
    try {
      const pattern = await this.generation?.pattern(head);
      if (pattern && head === this.head) this.see(head, pattern);
    } catch (error) {
      if (head === this.head) this.said.textContent = fault(error);
    }
  }

  /** @param {Head} head */
  keep(head) {
    this.kept = head;
    this.address.keep({ layer: head.layer, head: head.head });
    this.look(head);
  }

  /** @param {Head} head @param {import("./generation.js").Pattern} pattern */
  see(head, pattern) {
    [this.head, this.pattern] = [head, pattern];
    this.which.textContent = `Layer ${head.layer}, head ${head.head}`;
    this.small?.small.choose(head);
    this.picture?.paint(pattern, head);
    this.step(this.playback.at);
  }

  repaint() {
    this.small?.repaint();
    this.picture?.draw();
    if (this.pattern) this.step(this.playback.at);
  }

  /** @param {number} step */
  step(step) {
    const { words, pattern, generation } = this;
    if (!words || !pattern || !generation || step >= generation.length) return;
    const playing = this.playback.playing;
    this.element.classList.toggle("gliding", playing && this.playback.speed <= GLIDING);
    this.said.setAttribute("aria-live", playing ? "off" : "polite");
    const row = pattern.row(step);
    this.reach(step);
    this.colour(row);
    words.mark("query", step);
    words.mark("target", null);
    words.reveal(step);
    this.small?.show(step);
    this.picture?.show(step);
    this.bars.show(generation, step, row);
    const { piece } = generation.tokens[step];
    this.playback.slider.setAttribute("aria-valuetext", `${step + 1}: ${shown(piece)}`);
    this.speak();
  }

  /** Up to here it has been written. @param {number} step */
  reach(step) {
    const reached = this.reached ?? -1;
    for (let at = Math.min(reached, step) + 1; at <= Math.max(reached, step); at++)
      this.words?.spans[at].classList.toggle("later", at > step);
    this.reached = step;
  }

  /** @param {Float32Array} row */
  colour(row) {
    const most = row.reduce((all, weight) => Math.max(all, weight), 1e-9);
    const shades = shadesOf("--at");
    this.words?.paint((token) => shades[Math.round((SHADES * (row[token] ?? 0)) / most)] ?? "");
  }

  /** What the newest token looks at, and what came next. */
  speak() {
    const { generation, playback } = this;
    if (!generation) return;
    const { at } = playback;
    const [token, next] = [generation.tokens[at], generation.tokens[at + 1]];
    const came = next ? `came “${shown(next.piece)}”` : "the text ends";
    const chance = next?.logprob != null ? `, expected with ${percent(Math.exp(next.logprob))}` : "";
    this.said.textContent = `After “${shown(token.piece)}” (${at}) ${came}${chance}.`;
  }

  /** A token under the pointer, wherever it is shown. @param {number | null} token */
  point(token) {
    const { at } = this.playback;
    this.words?.mark("query", at);
    const seen = token !== null && token <= at ? token : null;
    this.words?.mark("target", seen);
    this.bars.mark(seen);
    if (seen === null) return this.speak();
    this.cell(at, seen);
  }

  /** One token that looks at another. @param {number} query @param {number} key */
  cell(query, key) {
    const { generation, pattern } = this;
    if (!generation || !pattern) return;
    const [from, to] = [query, key].map((at) => `“${shown(generation.tokens[at].piece)}” (${at})`);
    this.words?.mark("query", query);
    this.words?.mark("target", key);
    this.said.replaceChildren(`${from} looks at ${to}: `, h("b", {}, percent(pattern.weight(query, key))));
  }

  /** Where else in the text this token stands. @param {number | null} id */
  again(id) {
    this.generation?.tokens.forEach(({ token }, at) => this.words?.spans[at].classList.toggle("again", token === id));
  }

  /** The address remembers where one has come to rest. */
  rest() {
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      if (this.screen.isConnected) this.session.keep({ step: String(this.playback.at) });
    }, REST_MS);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { target } = event;
    const hidden = !this.screen.isConnected || this.screen.closest("[hidden]");
    const elsewhere = target instanceof Element && target.closest(".tabs, .thumbnails, body > header");
    if (hidden || elsewhere || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (target === this.playback.slider || !isTyping(event)) this.playback.key(event);
  }
}
