// @ts-check
// What moves through the steps: a slider, buttons, keys, and a clock that goes on by itself.

import { choice, eachFrame, h } from "./views/elements.js";
import { button } from "./views/toolbar.js";

const SPEEDS = { 1: "1 token a second", 2: "2 a second", 5: "5 a second", 15: "15 a second", 60: "60 a second" };
export const PLAYBACK_KEYS = [
  ["Space", "step by step: play and pause"],
  ["← → Home End", "step by step: back, on, first and last"],
];
/** Who asked their system for less motion begins slowly. */
const CALM = "(prefers-reduced-motion: reduce)";

export class Playback {
  /** @param {(step: number) => void} onStep @param {() => void} onRest when it has come to rest somewhere */
  constructor(onStep, onRest) {
    this.onStep = onStep;
    this.onRest = onRest;
    this.at = 0;
    /** Where a film begins, and where it ends. */
    this.first = 0;
    this.last = 0;
    this.playing = false;
    /** Where the clock began, and when. */
    this.since = { step: 0, time: 0 };
    this.slider = h("input", { type: "range", min: 0, step: 1, class: "step", "aria-label": "Step" });
    const slide = eachFrame((/** @type {number} */ step) => this.go(step));
    this.slider.addEventListener("input", () => slide(Number(this.slider.value)));
    this.speed = matchMedia(CALM).matches ? 1 : 5;
    const speeds = choice("Speed", SPEEDS, (value) => {
      this.speed = Number(value);
      this.wind();
    });
    /** @type {HTMLSelectElement} */ (speeds.querySelector("select")).value = String(this.speed);
    this.start = button("Play", "Play (Space)", () => this.toggle());
    this.start.className = "main";
    const back = button("←", "Previous step (←)", () => this.go(this.at - 1));
    const on = button("→", "Next step (→)", () => this.go(this.at + 1));
    this.count = h("span", { class: "note count" });
    this.element = h(
      "div",
      { class: "playback", role: "group", "aria-label": "Steps" },
      h("span", { class: "buttons" }, back, this.start, on),
      this.slider,
      this.count,
      speeds,
    );
  }

  /** So many steps, and one of them. @param {number} count @param {number} step @param {number} first where a film begins */
  begin(count, step, first) {
    this.pause();
    [this.first, this.last] = [first, count - 1];
    this.slider.max = String(this.last);
    this.to(step);
  }

  /** By hand: whoever moves it has it stop. @param {number} step */
  go(step) {
    this.pause();
    this.to(step);
    this.onRest();
  }

  /** @param {number} step */
  to(step) {
    this.at = Math.min(Math.max(step, 0), this.last);
    this.slider.value = String(this.at);
    this.count.textContent = `${this.at + 1} of ${this.last + 1}`;
    this.onStep(this.at);
  }

  toggle() {
    if (this.playing) return this.pause();
    this.playing = true;
    this.start.textContent = "Pause";
    this.start.setAttribute("aria-label", "Pause (Space)");
    if (this.at === this.last) this.to(this.first);
    this.wind();
    requestAnimationFrame((now) => this.tick(now));
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.start.textContent = "Play";
    this.start.setAttribute("aria-label", "Play (Space)");
    this.onRest();
  }

  /** The clock begins here and now. */
  wind() {
    this.since = { step: this.at, time: performance.now() };
  }

  /** @param {number} now */
  tick(now) {
    if (!this.playing) return;
    const { step, time } = this.since;
    const due = Math.min(this.last, step + Math.floor(((now - time) / 1000) * this.speed));
    if (due > this.at) this.to(due);
    // Nobody looks when the view is hidden.
    if (this.at === this.last || this.element.closest("[hidden]") || !this.element.isConnected) this.pause();
    else requestAnimationFrame((later) => this.tick(later));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    /** @type {Record<string, () => void>} */
    const keys = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.go(this.at - 1),
      ArrowRight: () => this.go(this.at + 1),
      Home: () => this.go(0),
      End: () => this.go(this.last),
    };
    const { target } = event;
    // The slider has arrows of its own, and a button is pressed by the space bar.
    const own = target === this.slider ? event.key !== " " : target instanceof HTMLButtonElement && event.key === " ";
    if (own || !keys[event.key]) return;
    keys[event.key]();
    event.preventDefault();
  }
}
