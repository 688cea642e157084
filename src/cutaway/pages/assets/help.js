// @ts-check
// The keys, in a dialog.

import { h } from "./elements.js";
import { button } from "./toolbar.js";

export const VIEW_KEYS = [
  ["↑ ↓ ← →", "move (Shift: ten at once)"],
  ["+ − 0", "zoom in, zoom out, show all; Ctrl and wheel do too"],
  ["Enter or click", "pin what is chosen"],
  ["Esc", "let go"],
  ["?", "this help"],
];

/** @param {string[][]} keys each with what it does; the last one counts where two have the same @param {string} note */
export function help(keys, note) {
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
    h("p", { class: "note" }, note),
  );
  document.body.append(dialog);
  dialog.showModal();
}
