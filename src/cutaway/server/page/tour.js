// @ts-check
// A guided tour: a small dialog that speaks of the live page, and drives it.

import { h } from "./views/elements.js";
import { button } from "./views/toolbar.js";
import { fault } from "./server.js";
import { STEPS } from "./steps.js";

export class Tour {
  /** @param {import("./steps.js").Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.at = 0;
    this.count = h("span", { class: "note" });
    this.title = h("h2", { id: "tour-title", tabindex: -1 });
    this.words = h("p", { "aria-live": "polite" });
    this.back = button("Back", "Back", () => this.go(this.at - 1));
    this.next = button("Next", "Next", () => (this.at === STEPS.length - 1 ? this.close() : this.go(this.at + 1)));
    this.next.className = "main";
    this.dialog = h(
      "dialog",
      { class: "tour", "aria-labelledby": "tour-title" },
      h(
        "div",
        { class: "top" },
        this.title,
        button("✕", "End the tour (Esc)", () => this.close()),
      ),
      this.words,
      h("div", { class: "steps" }, this.count, h("span", { class: "buttons" }, this.back, this.next)),
    );
    this.dialog.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  start() {
    if (!this.dialog.isConnected) document.body.append(this.dialog);
    this.before = document.activeElement;
    this.dialog.show();
    return this.go(0);
  }

  close() {
    this.mark(null);
    this.dialog.close();
    if (this.before instanceof HTMLElement) this.before.focus();
  }

  /** @param {number} at */
  async go(at) {
    this.at = at;
    const { title, words, about, act } = STEPS[at];
    this.title.textContent = title;
    this.count.textContent = `${at + 1} of ${STEPS.length}`;
    this.words.textContent = "One moment…";
    this.mark(null);
    this.dialog.setAttribute("aria-busy", "true");
    this.back.disabled = this.next.disabled = true;
    try {
      await act(this.stage);
      this.words.textContent = this.stage.writer.fault || words;
    } catch (error) {
      this.words.textContent = fault(error);
    }
    this.dialog.removeAttribute("aria-busy");
    this.back.disabled = at === 0;
    this.next.disabled = false;
    this.next.textContent = at === STEPS.length - 1 ? "Done" : "Next";
    if (this.dialog.open) {
      this.mark(about);
      this.next.focus({ preventScroll: true });
    }
  }

  /** Put a frame around what is spoken of. @param {string | null} about */
  mark(about) {
    document.querySelector(".spoken")?.classList.remove("spoken");
    const element = about ? document.querySelector(about) : null;
    element?.classList.add("spoken");
    // The dialog stands where it does not hide what it speaks of.
    const { left, width } = element?.getBoundingClientRect() ?? { left: 0, width: 0 };
    this.dialog.classList.toggle("left", left + width / 2 > 0.6 * innerWidth);
    element?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }
}
