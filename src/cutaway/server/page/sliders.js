// @ts-check
// How the next token is drawn, on sliders.

import { h } from "./views/elements.js";

/**
 * @param {string} label @param {string} hint
 * @param {{min: number, max: number, step: number, value: number}} range
 * @param {(value: number) => string} said what is shown beside it
 * @param {(value: number) => void} onInput
 */
export function slider(label, hint, range, said, onInput) {
  const input = h("input", { type: "range", ...range, oninput: () => update() });
  const output = h("output", {}, said(range.value));
  const element = h("label", { class: "slider", title: hint }, h("span", {}, label), input, output);
  function update() {
    output.textContent = said(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
    onInput(Number(input.value));
  }
  input.setAttribute("aria-valuetext", said(range.value));
  /** @param {number} value */
  function set(value) {
    input.value = String(value);
    output.textContent = said(value);
    input.setAttribute("aria-valuetext", output.textContent);
  }
  return { element, input, set };
}

/** A whole number. @param {string} label @param {string} hint @param {{min: number, max: number, value: number}} range @param {(value: number) => void} onChange */
export function count(label, hint, range, onChange) {
  const input = h("input", { type: "number", ...range, step: 1, required: true });
  input.addEventListener("change", () => {
    if (input.reportValidity()) onChange(Number(input.value));
  });
  return h("label", { class: "choice", title: hint }, h("span", {}, label), input);
}

/** @param {import("./session.js").Session} session */
export function drawSliders(session) {
  const { settings } = session;
  const temperature = slider(
    "Temperature",
    "Below 1 the likely becomes likelier, above 1 everything becomes more alike; 0 always takes the likeliest",
    { min: 0, max: 2, step: 0.05, value: settings.temperature },
    (value) => (value === 0 ? "0, the likeliest" : value.toFixed(2)),
    (value) => session.set({ temperature: value }),
  );
  const topK = slider(
    "Top-k",
    "Only so many of the likeliest tokens may be drawn",
    { min: 0, max: 50, step: 1, value: Math.min(50, settings.top_k) },
    (value) => (value === 0 ? "all" : String(value)),
    (value) => session.set({ top_k: value }),
  );
  const topP = slider(
    "Top-p",
    "Only the likeliest tokens that together have this probability may be drawn",
    { min: 0.05, max: 1, step: 0.01, value: settings.top_p },
    (value) => (value === 1 ? "all" : `${Math.round(100 * value)}%`),
    (value) => session.set({ top_p: value }),
  );
  session.on("settings", () => {
    temperature.set(settings.temperature);
    topK.set(settings.top_k);
    topP.set(settings.top_p);
  });
  return h(
    "div",
    { class: "sliders", role: "group", "aria-label": "How the next token is drawn" },
    temperature.element,
    topK.element,
    topP.element,
  );
}
