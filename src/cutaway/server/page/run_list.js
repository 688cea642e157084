// @ts-check
// The runs: which of them are drawn, and how each is doing.

import { h } from "./views/elements.js";
import { figure } from "./views/numbers.js";
import { swatch } from "./chart.js";

/** A running run that says nothing for so long may have been stopped. */
const SILENT_S = 300;

export class RunList {
  /** @param {() => void} onChange when another choice of them is drawn */
  constructor(onChange) {
    this.onChange = onChange;
    this.element = h("ul", { class: "runs", "aria-label": "Runs" });
    /** @type {{run: import("./run.js").Run, said: HTMLElement, bar: HTMLElement}[]} */
    this.rows = [];
  }

  /** @param {import("./run.js").Run[]} runs */
  show(runs) {
    if (this.rows.length !== runs.length || this.rows.some(({ run }, at) => run !== runs[at])) {
      this.rows = runs.map((run) => ({ run, said: h("span", { class: "standing" }), bar: h("i") }));
      this.element.replaceChildren(...this.rows.map((row) => this.item(row)));
    }
    this.tick();
  }

  /** @param {{run: import("./run.js").Run, said: HTMLElement, bar: HTMLElement}} row */
  item({ run, said, bar }) {
    const box = h("input", { type: "checkbox", checked: run.shown, onchange: () => choose() });
    const choose = () => {
      run.shown = box.checked;
      this.onChange();
    };
    const label = h("label", {}, box, swatch(run.number), h("b", {}, run.name));
    return h("li", {}, label, said, h("s", { "aria-hidden": "true" }, bar));
  }

  /** Say how old everything is by now. */
  tick() {
    for (const { run, said, bar } of this.rows) {
      say(said, standing(run));
      said.classList.toggle("fault", Boolean(run.card?.problem));
      bar.style.width = `${100 * (run.card?.share ?? 0)}%`;
    }
  }
}

/** Have an element say something; what it says already is not said again. @param {HTMLElement} element @param {string} text */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** How a run is doing, in words. @param {import("./run.js").Run} run */
export function standing({ card, age, lines }) {
  if (!card) return "";
  if (card.problem) return sentence(card.problem);
  if (card.step == null || age === null) return "Nothing is logged yet.";
  const steps = card.steps ? ` of ${card.steps.toLocaleString("en")}` : "";
  const step = card.step.toLocaleString("en");
  if (card.finished) return `Finished at step ${step}, ${ago(age)}.${final(lines)}`;
  const { share, elapsed_s } = card;
  const silent = age > SILENT_S;
  const left = share && elapsed_s && !silent ? `, about ${duration((elapsed_s * (1 - share)) / share)} left` : "";
  const done = share ? ` (${Math.floor(100 * share)}%${left})` : "";
  return `Last step ${step}${steps}${done}, ${ago(age)}${silent ? ". Is it still running?" : ""}`;
}

/** What a finished run came to. @param {import("./series.js").LogLine[]} lines */
function final(lines) {
  const found = lines[lines.length - 1]?.final_bits_per_byte ?? {};
  const said = Object.entries(found).map(([name, bits]) => `${name} ${figure(bits, 4)}`);
  return said.length ? ` Bits per byte: ${said.join(", ")}.` : "";
}

/** @param {number} age_s */
export function ago(age_s) {
  return age_s < 1.5 ? "just now" : `${duration(age_s)} ago`;
}

/** @param {number} seconds */
export function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return seconds < 48 * 3600 ? `${figure(seconds / 3600, 2)} h` : `${Math.round(seconds / 86_400)} days`;
}

/** @param {string} text */
function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
