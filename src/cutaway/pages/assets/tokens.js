// @ts-check
// A text, token by token.

import { h } from "./elements.js";

const LINE = 40;

/**
 * A printable piece such as `Ġclass` as the text it stands for, where it is whole characters; otherwise itself.
 *
 * @param {string} piece
 */
export function textOf(piece) {
  const bytes = [];
  for (const character of piece) {
    const byte = BYTES.get(character);
    if (byte === undefined) return piece;
    bytes.push(byte);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Uint8Array.from(bytes));
  } catch {
    return piece;
  }
}

/**
 * Pieces as the text they are read as. A character whose bytes lie in several tokens stands in the last of them, and ·
 * in the others. Tokens that are text already, as those of a character model, stay as they are.
 *
 * @param {string[]} pieces
 */
export function textsOf(pieces) {
  if (pieces.some((piece) => [...piece].some((character) => !BYTES.has(character)))) return pieces;
  const decoder = new TextDecoder("utf-8");
  return pieces.map((piece) => {
    const bytes = Uint8Array.from(piece, (character) => BYTES.get(character));
    return decoder.decode(bytes, { stream: true }) || "·";
  });
}

// GPT-2 prints the bytes that are printable as themselves, and the others, in order, as the characters from 256 on.
const BYTES = new Map();
for (let byte = 0, others = 256; byte < 256; byte++) {
  const printable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  BYTES.set(String.fromCharCode(printable ? byte : others++), byte);
}

/** What is called on a token under the pointer, or chosen; null when the pointer leaves. */
/** @typedef {(token: number | null) => void} OnToken */

export class TokenText {
  /**
   * @param {string[]} pieces
   * @param {{label: string, onHover: OnToken, onChoose: OnToken}} options
   */
  constructor(pieces, { label, onHover, onChoose }) {
    /** @type {HTMLElement[]} */
    this.spans = [];
    this.element = h("div", { class: "tokens", role: "group", "aria-label": label, tabindex: 0 });
    textsOf(pieces).forEach((text, token) => this.element.append(...this.spanned(text, token)));
    /** @type {(string | null)[]} */
    this.painted = [];
    /** @type {number[]} */
    this.tops = [];
    /** @type {{background: (token: number) => string, ink?: (token: number) => string} | null} */
    this.colours = null;
    this.width = 0;
    new ResizeObserver(() => {
      this.measure();
      this.repaint();
    }).observe(this.element);
    this.element.addEventListener("scroll", () => this.repaint());
    /** @type {Map<string, number>} */
    this.marked = new Map();
    /** @param {Event} event */
    const tokenOf = (event) => {
      const span = /** @type {HTMLElement} */ (event.target).closest("span");
      return span ? Number(span.dataset.token) : null;
    };
    this.element.addEventListener("pointerover", (event) => onHover(tokenOf(event)));
    this.element.addEventListener("pointerleave", () => onHover(null));
    this.element.addEventListener("click", (event) => onChoose(tokenOf(event)));
  }

  /** @param {string} text @param {number} token */
  spanned(text, token) {
    const span = h("span", { "data-token": token });
    this.spans.push(span);
    const lines = text.split("\n");
    span.append(lines[0]);
    /** @type {Node[]} */
    const nodes = [span];
    for (const line of lines.slice(1)) {
      span.append("↵");
      nodes.push(h("br"));
      if (line) nodes.push(h("span", { "data-token": token }, line));
    }
    return nodes;
  }

  /** Add what has come since to the end of the text. @param {string[]} pieces all of them */
  grow(pieces) {
    textsOf(pieces).forEach((text, token) => {
      if (token < this.spans.length) return;
      this.element.append(...this.spanned(text, token));
      this.tops[token] = this.topOf(this.spans[token]);
    });
    this.repaint();
  }

  /**
   * Colour the tokens: now those that can be seen, the others when they are scrolled to; and none that keeps its
   * colour. With a thousand tokens that is what lets the colours follow the pointer.
   *
   * @param {(token: number) => string} background
   * @param {(token: number) => string} [ink]
   */
  paint(background, ink) {
    this.colours = { background, ink };
    this.repaint();
  }

  repaint() {
    if (!this.colours) return;
    const { background, ink } = this.colours;
    const { scrollTop, clientHeight } = this.element;
    for (let token = 0; token < this.spans.length; token++) {
      const top = this.tops[token] ?? 0;
      if (top < scrollTop - LINE || top > scrollTop + clientHeight + LINE) continue;
      const colour = background(token);
      if (this.painted[token] === colour) continue;
      this.painted[token] = colour;
      const { style } = this.spans[token];
      style.backgroundColor = colour;
      if (ink) style.color = ink(token);
    }
  }

  /** Give one token, and no other, this class. @param {string} name @param {number | null} token */
  mark(name, token) {
    const before = this.marked.get(name) ?? -1;
    if (before === token) return;
    this.spans[before]?.classList.remove(name);
    if (token !== null) this.spans[token]?.classList.add(name);
    this.marked.set(name, token ?? -1);
  }

  /** Note where the tokens stand: asking for each whenever the pointer moves would take longer than a frame. */
  measure() {
    this.width = this.element.clientWidth;
    this.tops = this.spans.map((span) => this.topOf(span));
  }

  /** How far below the beginning of the text. @param {HTMLElement} span */
  topOf(span) {
    // Whether the box itself is what offsets are counted from depends on the browser: it is contained, not positioned.
    return span.offsetTop - (span.offsetParent === this.element ? 0 : this.element.offsetTop);
  }

  /** Scroll so far that a token can be seen, but not the page. @param {number} token */
  reveal(token) {
    const span = this.spans[token];
    if (!span) return;
    if (this.width !== this.element.clientWidth) this.measure();
    const top = this.tops[token];
    const box = this.element;
    if (top < box.scrollTop || top + span.offsetHeight > box.scrollTop + box.clientHeight) {
      box.scrollTop = top - box.clientHeight / 2;
    }
  }
}
