// @ts-check
// The row of controls above a view, and the frame that all views share.

import { h } from "./elements.js";

/** @param {string} text @param {string} title @param {() => void} onclick */
export function button(text, title, onclick) {
  // Whoever speaks to a page says what they read on a button, so its name has to begin with that.
  const named = !/\p{L}/u.test(text) || title.toLowerCase().includes(text.toLowerCase());
  return h("button", { type: "button", title, "aria-label": named ? title : `${text}: ${title}`, onclick }, text);
}

/** Buttons that zoom a grid or a scatter. @param {{zoomBy: (factor: number) => void, zoom: number}} target */
export function zoomButtons(target) {
  return h(
    "span",
    { class: "buttons", role: "group", "aria-label": "Zoom" },
    button("−", "Zoom out (−)", () => target.zoomBy(1 / 1.5)),
    button("+", "Zoom in (+)", () => target.zoomBy(1.5)),
    button("Fit", "Show all (0)", () => target.zoomBy(1 / target.zoom)),
  );
}

/** @param {Record<string, [string, () => void]>} actions what each button says, explains and does */
export function takeAway(actions) {
  const buttons = Object.entries(actions).map(([text, [title, action]]) => button(text, title, action));
  return h("span", { class: "buttons", role: "group", "aria-label": "Take away" }, ...buttons);
}

/**
 * Controls above, picture at the left, what is said about it at the right, or below on a narrow screen.
 *
 * @param {(Node | null)[]} controls @param {Node[]} picture @param {Node[]} words
 */
export function frame(controls, picture, words) {
  return h(
    "div",
    { class: "frame" },
    h("div", { class: "toolbar", role: "toolbar", "aria-label": "Controls" }, ...controls),
    h("div", { class: "picture" }, ...picture),
    h("div", { class: "words" }, ...words),
  );
}

/** The sentence that says what is under the pointer; a screen reader reads it when it changes. @param {string} hint */
export function readout(hint) {
  return h("p", { class: "readout", role: "status", "aria-live": "polite" }, hint);
}
