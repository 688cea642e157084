// @ts-check
// The page: its tabs, its theme, its help.

import { h, isTyping } from "./elements.js";
import { viewNumbered } from "./packed.js";
import { button } from "./toolbar.js";
import { help, VIEW_KEYS } from "./help.js";
import { themeButton } from "./theme.js";
import { ATTENTION_KEYS } from "./attention.js";
import { draw } from "./kinds.js";
import { Tabs } from "./tabs.js";

const NOTE = "This file is all there is: it loads nothing and sends nothing. Made by Cutaway.";

async function start() {
  const page = /** @type {HTMLElement} */ (document.getElementById("page"));
  /** @type {import("./packed.js").View[]} */
  const views = [];
  for (let view = viewNumbered(0); view; view = viewNumbered(views.length)) views.push(view);
  const sections = views.map((view, at) => h("section", { id: `tab-${at}`, "aria-label": view.title }));
  const keys = views.some(({ kind }) => kind === "attention") ? [...VIEW_KEYS, ...ATTENTION_KEYS] : VIEW_KEYS;
  const header = /** @type {HTMLElement} */ (document.querySelector("header"));
  header.append(
    h(
      "span",
      { class: "buttons" },
      themeButton(),
      button("?", "Help (?)", () => help(keys, NOTE)),
    ),
  );
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !isTyping(event)) help(keys, NOTE);
  });
  page.replaceChildren(...sections);
  if (views.length === 1) return draw(views[0], sections[0]);

  const drawn = new Set();
  const open = (/** @type {number} */ at) => {
    if (drawn.has(at)) return;
    drawn.add(at);
    draw(views[at], sections[at]);
  };
  const tabs = new Tabs(
    "Views",
    views.map(({ title }, at) => ({ title, section: sections[at] })),
    open,
  );
  page.prepend(tabs.element);
  const wanted = Number(new URLSearchParams(location.hash.slice(1)).get("view") ?? 0);
  tabs.open(sections[wanted] ? wanted : 0);
}

await start();
