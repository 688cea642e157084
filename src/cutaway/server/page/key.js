// @ts-check
// The key that some servers want: asked for once, and kept until the tab is closed.

import { h } from "./views/elements.js";

const NAME = "cutaway-key";

export function key() {
  return sessionStorage.getItem(NAME) ?? "";
}

/** @type {Promise<void> | null} */
let asking = null;

/** Ask for it; whoever else needs it meanwhile waits for the same answer. */
export function askKey() {
  asking ??= new Promise((resolve) => {
    const field = h("input", { type: "password", autocomplete: "off", required: true, "aria-label": "Key" });
    const wrong = key() ? "The server does not know that key." : "This server wants a key.";
    const form = h("form", { method: "dialog" }, h("p", {}, wrong), field, " ", h("button", {}, "Go on"));
    const dialog = h("dialog", { "aria-label": "Key" }, h("h2", {}, "Key"), form);
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(NAME, field.value.trim());
      dialog.remove();
      asking = null;
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}
