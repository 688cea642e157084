// @ts-check
// Patches and pushes: what is put in from the reading of another text.

import { h } from "./views/elements.js";
import { slider } from "./sliders.js";
import { inWords } from "./changes.js";

const POINTS = {
  resid_pre: "the stream into the layer",
  z: "what the layer's heads gathered",
  mlp_out: "what its MLP says",
};

export class Pushes {
  /** @param {import("./session.js").Session} session @param {AbortSignal} gone */
  constructor(session, gone) {
    this.session = session;
    this.list = h("ul", { class: "changes" });
    this.at = h("div", { class: "chips", role: "group", "aria-label": "At these tokens" });
    /** @type {Set<number>} */
    this.positions = new Set();
    this.element = h("div", {}, this.steering(), this.patching(), h("h3", {}, "Changes"), this.list);
    session.on("changes", () => this.fill(), gone);
    this.fill();
  }

  steering() {
    const [toward, away] = [field("Toward"), field("Away from")];
    const layer = this.layer();
    const strength = slider(
      "Strength",
      "How many times the difference is added",
      { min: 0, max: 10, step: 0.25, value: 1 },
      (value) => `× ${value}`,
      () => {},
    );
    const add = () =>
      this.add({
        kind: "steer",
        name: `h.${layer.value}.resid_pre`,
        factor: Number(strength.input.value),
        text: toward.input.value,
        ...(away.input.value ? { away: away.input.value } : {}),
      });
    return form(
      "Push toward a text",
      "Adds, before a layer, the difference between reading one text and reading another, wherever the network is.",
      add,
      toward.element,
      away.element,
      labelled("Layer", layer),
      strength.element,
    );
  }

  patching() {
    const text = field("From the reading of");
    const layer = this.layer();
    const point = h("select", {}, ...Object.entries(POINTS).map(([value, words]) => h("option", { value }, words)));
    const add = () => {
      const positions = [...this.positions].sort((a, b) => a - b);
      this.add({
        kind: "patch",
        name: `h.${layer.value}.${point.value}`,
        text: text.input.value,
        ...(positions.length ? { positions } : {}),
      });
    };
    return form(
      "Patch from another prompt",
      "Puts in, token by token, what the network had there when it read another text. Without a choice of tokens: everywhere.",
      add,
      text.element,
      labelled("What", point),
      labelled("Layer", layer),
      h("p", { class: "label" }, "At these tokens of the prompt"),
      this.at,
    );
  }

  layer() {
    const { n_layer } = this.session.shape.config;
    const select = h("select", {}, ...Array.from({ length: n_layer }, (_, layer) => h("option", {}, String(layer))));
    select.value = String(Math.floor(n_layer / 2));
    return select;
  }

  /** The tokens of the prompt, to be chosen among. @param {string[]} texts */
  offer(texts) {
    this.positions.clear();
    const chips = texts.map((text, at) => {
      const onclick = () => {
        if (!this.positions.delete(at)) this.positions.add(at);
        chip.setAttribute("aria-pressed", String(this.positions.has(at)));
      };
      const chip = h("button", { type: "button", "aria-pressed": "false", title: `position ${at}`, onclick }, text);
      return chip;
    });
    this.at.replaceChildren(...chips);
  }

  /** @param {import("./changes.js").Edit} edit */
  add(edit) {
    this.session.changes.others.push(edit);
    this.session.tell("changes");
  }

  fill() {
    const { changes } = this.session;
    const scales = changes.asked().slice(0, changes.asked().length - changes.others.length);
    const items = [
      ...scales.map((edit) => h("li", {}, inWords(edit))),
      ...changes.others.map((edit, at) =>
        h(
          "li",
          {},
          inWords(edit),
          " ",
          h(
            "button",
            { type: "button", "aria-label": `Remove: ${inWords(edit)}`, onclick: () => this.remove(at) },
            "Remove",
          ),
        ),
      ),
    ];
    this.list.replaceChildren(
      ...(items.length ? items : [h("li", { class: "note" }, "None: the network is as it was trained.")]),
    );
  }

  /** @param {number} at */
  remove(at) {
    this.session.changes.others.splice(at, 1);
    this.session.tell("changes");
  }
}

/** @param {string} title @param {string} words @param {() => void} onAdd @param {...HTMLElement} fields */
function form(title, words, onAdd, ...fields) {
  const inside = h("form", {}, h("p", { class: "note" }, words), ...fields, h("button", {}, "Add"));
  inside.addEventListener("submit", (event) => {
    event.preventDefault();
    onAdd();
  });
  return h("details", {}, h("summary", {}, title), inside);
}

/** @param {string} label */
function field(label) {
  const input = h("input", {
    type: "text",
    autocomplete: "off",
    ...(label === "Away from" ? { placeholder: "may be empty" } : { required: true }),
  });
  return { input, element: labelled(label, input) };
}

/** @param {string} label @param {HTMLElement} input */
function labelled(label, input) {
  return h("label", { class: "choice" }, h("span", {}, label), input);
}
