// @ts-check
// Which module draws which kind of view.

import { h } from "./elements.js";
import { attention } from "./attention.js";
import { lens } from "./lens.js";
import { text } from "./text.js";
import { bars } from "./bars.js";
import { scatter } from "./scatter.js";
import { heatmap } from "./heatmap.js";

/** @type {Record<string, (view: import("./packed.js").View, section: HTMLElement) => Promise<void>>} */
const KINDS = { attention, lens, text, bars, scatter, heatmap };

/** Draw a view, or say why not. @param {import("./packed.js").View} view @param {HTMLElement} section */
export async function draw(view, section) {
  try {
    await KINDS[view.kind](view, section);
    section.dataset.ready = "true";
  } catch (error) {
    section.append(h("p", { role: "alert" }, `This part of the page cannot be shown: ${error}`));
    throw error;
  }
}
