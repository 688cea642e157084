// @ts-check
// The page: its tabs, its theme, its help.

import { h, isTyping } from "./elements.js";
import { viewNumbered } from "./packed.js";
import { isDark, themeChanged } from "./colour.js";
import { button } from "./toolbar.js";
import { attention, ATTENTION_KEYS } from "./attention.js";
import { lens } from "./lens.js";
import { text } from "./text.js";
import { bars } from "./bars.js";
import { scatter } from "./scatter.js";
import { heatmap } from "./heatmap.js";

/** @type {Record<string, (view: import("./packed.js").View, section: HTMLElement) => Promise<void>>} */
const KINDS = { attention, lens, text, bars, scatter, heatmap };

const KEYS = [
  ["↑ ↓ ← →", "move (Shift: ten at once)"],
  ["+ − 0", "zoom in, zoom out, show all; Ctrl and wheel do too"],
  ["Enter or click", "pin what is chosen"],
  ["Esc", "let go"],
  ["?", "this help"],
];

async function start() {
  const page = /** @type {HTMLElement} */ (document.getElementById("page"));
  /** @type {import("./packed.js").View[]} */
  const views = [];
  for (let view = viewNumbered(0); view; view = viewNumbered(views.length)) views.push(view);
  const sections = views.map((view) =>
    h("section", {
      id: `tab-${view.number}`,
      "aria-label": view.title,
      hidden: true,
      ...(views.length > 1 ? { role: "tabpanel" } : {}),
    }),
  );
  const tabs = views.map((view, at) =>
    h("button", { type: "button", role: "tab", "aria-controls": `tab-${at}`, onclick: () => open(at) }, view.title),
  );
  const list = h("div", { class: "tabs", role: "tablist", onkeydown: turn }, ...tabs);
  const started = new Set();

  /** Show a tab; it is drawn when it is first seen. @param {number} at */
  async function open(at) {
    sections.forEach((section, other) => (section.hidden = other !== at));
    tabs.forEach((tab, other) => {
      tab.setAttribute("aria-selected", String(other === at));
      tab.tabIndex = other === at ? 0 : -1;
    });
    if (started.has(at)) return;
    started.add(at);
    try {
      await KINDS[views[at].kind](views[at], sections[at]);
      sections[at].dataset.ready = "true";
    } catch (error) {
      sections[at].append(h("p", { role: "alert" }, `This part of the page cannot be shown: ${error}`));
      throw error;
    }
  }

  /** @param {KeyboardEvent} event */
  function turn(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = (tabs.findIndex((tab) => tab.tabIndex === 0) + step + tabs.length) % tabs.length;
    open(at);
    tabs[at].focus();
  }

  const header = /** @type {HTMLElement} */ (document.querySelector("header"));
  header.append(
    h(
      "span",
      { class: "buttons" },
      button("◐", "Light or dark", () => {
        document.documentElement.dataset.theme = isDark() ? "light" : "dark";
        themeChanged();
      }),
      button("?", "Help (?)", () => help(views)),
    ),
  );
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", themeChanged);
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !isTyping(event)) help(views);
  });
  page.replaceChildren(...(views.length > 1 ? [list] : []), ...sections);
  const wanted = Number(new URLSearchParams(location.hash.slice(1)).get("view") ?? 0);
  await open(sections[wanted] ? wanted : 0);
}

/** @param {import("./packed.js").View[]} views */
function help(views) {
  const keys = views.some(({ kind }) => kind === "attention") ? [...KEYS, ...ATTENTION_KEYS] : KEYS;
  const merged = new Map(keys.map(([key, does]) => [key, does]));
  const lines = [...merged].flatMap(([key, does]) => [h("dt", {}, h("kbd", {}, key)), h("dd", {}, does)]);
  const dialog = h(
    "dialog",
    { "aria-label": "Help", onclose: () => dialog.remove() },
    h(
      "header",
      {},
      h("h2", {}, "Keys"),
      button("Close", "Close", () => dialog.close()),
    ),
    h("dl", { class: "facts" }, ...lines),
    h("p", { class: "note" }, "This file is all there is: it loads nothing and sends nothing. Made by Cutaway."),
  );
  document.body.append(dialog);
  dialog.showModal();
}

await start();
