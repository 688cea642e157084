// @ts-check
// A text of which one token is chosen, by pointer or by arrow keys.

import { h } from "./views/elements.js";
import { TokenText } from "./views/tokens.js";

/**
 * @param {string} label @param {string[]} pieces @param {number} chosen @param {(token: number) => void} onChoose
 */
export function picker(label, pieces, chosen, onChoose) {
  let at = chosen;
  /** @param {number | null} token */
  const choose = (token) => {
    if (token === null || token === at) return;
    at = token;
    words.mark("query", at);
    onChoose(at);
  };
  const words = new TokenText(pieces, { label: `${label} Arrow keys choose.`, onHover: () => {}, onChoose: choose });
  words.mark("query", at);
  words.element.classList.add("picker");
  words.element.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(Math.min(Math.max(at + step, 0), pieces.length - 1));
    words.reveal(at);
  });
  return h("div", {}, h("p", { class: "note" }, label), words.element);
}
