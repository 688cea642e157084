// @ts-check
// Tabs, of which one is open.

import { h } from "./elements.js";

/** @typedef {{title: string, section: HTMLElement}} Tab the section has an id */

export class Tabs {
  /** @param {string} label @param {Tab[]} tabs @param {(at: number) => void} onOpen */
  constructor(label, tabs, onOpen) {
    this.sections = tabs.map(({ section }) => section);
    this.onOpen = onOpen;
    this.buttons = tabs.map(({ title, section }, at) => {
      section.setAttribute("role", "tabpanel");
      section.setAttribute("aria-label", title);
      section.hidden = true;
      const onclick = () => this.open(at);
      return h("button", { type: "button", role: "tab", "aria-controls": section.id, onclick }, title);
    });
    const attributes = { class: "tabs", role: "tablist", "aria-label": label };
    this.element = h("div", attributes, ...this.buttons);
    this.element.addEventListener("keydown", (event) => this.turn(event));
  }

  /** The number of the tab that is open. */
  get at() {
    return this.buttons.findIndex((tab) => tab.tabIndex === 0);
  }

  /** @param {number} at */
  open(at) {
    this.sections.forEach((section, other) => (section.hidden = other !== at));
    this.buttons.forEach((tab, other) => {
      tab.setAttribute("aria-selected", String(other === at));
      tab.tabIndex = other === at ? 0 : -1;
    });
    this.onOpen(at);
  }

  /** @param {KeyboardEvent} event */
  turn(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = (this.at + step + this.buttons.length) % this.buttons.length;
    this.open(at);
    this.buttons[at].focus();
  }
}
