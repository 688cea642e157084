// @ts-check
// The curves of several runs, laid over each other: a chart for each quantity that their logs hold.

import { choice, h } from "./views/elements.js";
import { onThemeChange, pageColour } from "./views/colour.js";
import { csv, save } from "./views/download.js";
import { figure } from "./views/numbers.js";
import { pictureActions } from "./views/picture.js";
import { showTable } from "./views/table.js";
import { readout, takeAway } from "./views/toolbar.js";
import { Chart, DASHES, dashes, runColour, sample } from "./chart.js";
import { paint } from "./shapes.js";
import { placeOf, seriesOf } from "./series.js";

/** @type {import("./chart.js").Quantity[]} */
const QUANTITIES = [
  { key: "loss", title: "Training loss", unit: "nats per token", noisy: true },
  { key: "bits_per_byte", title: "Held-out text", unit: "bits per byte" },
  { key: "lr_scale", title: "Learning rate", unit: "share of its peak", fromZero: true },
  { key: "tokens_per_s", title: "Speed", unit: "tokens per second", fromZero: true, noisy: true },
  { key: "memory_bytes", title: "Memory", unit: "GB", factor: 1e-9, fromZero: true },
  { key: "grad_norm", title: "Gradient norm", unit: "before clipping", noisy: true },
];
const ALONG = { step: "steps", minutes: "minutes of training" };
const SMOOTH = { 1: "as logged", 5: "5 lines", 20: "20 lines", 100: "100 lines" };
const PARTS = { 1: "the whole run", 0.5: "its last half", 0.1: "its last tenth" };
const COLUMNS = ["run", "step", "seconds", "quantity", "text", "value"];
const SAVED = { width: 560, height: 240, heading: 26, names: 22 };

export class Charts {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    /** @type {import("./run.js").Run[]} */
    this.runs = [];
    this.said = readout("Point at a curve, or move along it with the arrow keys.");
    this.charts = QUANTITIES.map((quantity) => new Chart(quantity, (place) => this.look(place, quantity.key)));
    this.key = h("p", { class: "key" });
    const grid = h("div", { class: "charts" }, ...this.charts.map(({ element }) => element));
    const away = takeAway({
      CSV: ["Save the numbers of the logs as CSV", () => save("runs", "csv", csv([COLUMNS, ...this.rows()]))],
      ...pictureActions(
        () => "Training",
        "the curves",
        () => [this.sheet()],
      ),
      Numbers: ["Show the numbers of the logs as a table", () => showTable("The logs", COLUMNS, [...this.rows()])],
    });
    const choices = [
      this.setting("along", "Along", ALONG, "step"),
      this.setting("smooth", "Smooth", SMOOTH, "1"),
      this.setting("part", "Show", PARTS, "1"),
    ];
    this.element = h(
      "div",
      { class: "all-charts" },
      h("div", { class: "toolbar" }, ...choices, away),
      this.key,
      grid,
      this.said,
    );
    onThemeChange(() => this.charts.forEach((chart) => chart.redraw()));
  }

  /** A choice that stays in the address. @param {string} name @param {string} label @param {Record<string, string>} options @param {string} usual */
  setting(name, label, options, usual) {
    const element = choice(label, options, (value) => {
      this.session.keep({ [name]: value === usual ? null : value });
      this.look(null, "");
      this.show(this.runs);
    });
    const { place } = this.session;
    const select = /** @type {HTMLSelectElement} */ (element.querySelector("select"));
    select.value = place[name] in options ? place[name] : usual;
    return element;
  }

  /** @returns {import("./series.js").Along} */
  get along() {
    return this.session.place.along === "minutes" ? "minutes" : "step";
  }

  /** Draw the curves of these runs, those that are not shown left out. @param {import("./run.js").Run[]} runs */
  show(runs) {
    this.runs = runs;
    const { place } = this.session;
    const shown = runs.filter((run) => run.shown && run.lines.length);
    const ends = shown.map(({ lines }) => placeOf(lines[lines.length - 1], this.along));
    const to = Math.max(0, ...ends);
    const part = place.part in PARTS ? Number(place.part) : 1;
    const smooth = place.smooth in SMOOTH ? Number(place.smooth) : 1;
    const sight = { from: to * (1 - part), to, smooth };
    const texts = textsOf(shown);
    for (const chart of this.charts) chart.show(this.curves(chart.quantity, shown, texts), sight);
    this.key.replaceChildren(
      ...(texts.length > 1 ? texts.map((text, at) => h("span", {}, h("i", { class: "mark" }, dashes(at)), text)) : []),
    );
    this.element.hidden = !shown.length;
  }

  /** @param {import("./chart.js").Quantity} quantity @param {import("./run.js").Run[]} runs @param {string[]} texts @returns {import("./chart.js").Curve[]} */
  curves({ key, factor = 1 }, runs, texts) {
    return runs.flatMap((run) =>
      [...seriesOf(run.lines, key, this.along)].map(([text, points]) => ({
        name: text && texts.length > 1 ? `${run.name} · ${text}` : run.name,
        number: run.number,
        end: placeOf(run.lines[run.lines.length - 1], this.along),
        text: Math.max(0, texts.indexOf(text)),
        points: factor === 1 ? points : points.map(([place, value]) => [place, factor * value]),
      })),
    );
  }

  /** Look at the same place in all charts; one of them says what is there. @param {number | null} place @param {string} key */
  look(place, key) {
    for (const chart of this.charts) chart.look(place);
    const chart = this.charts.find(({ quantity }) => quantity.key === key);
    if (place === null || !chart) {
      this.said.textContent = "Point at a curve, or move along it with the arrow keys.";
      return;
    }
    const where =
      this.along === "step" ? `Step ${Math.round(place).toLocaleString("en")}` : `Minute ${figure(place, 3)}`;
    this.said.replaceChildren(h("b", {}, where), `: ${chart.quantity.title.toLowerCase()} ${chart.said()}`);
  }

  /** Every number, a line each. @returns {Generator<(string | number)[]>} */
  *rows() {
    for (const { name, lines, shown } of this.runs) {
      if (!shown) continue;
      for (const line of lines) {
        const { step, elapsed_s, ...values } = line;
        for (const [quantity, value] of Object.entries(values)) {
          const many = value !== null && typeof value === "object" ? Object.entries(value) : [["", value]];
          for (const [text, number] of many) yield [name, step, elapsed_s, quantity, text, number ?? ""];
        }
      }
    }
  }

  /** All charts, with their titles and the names of the runs. @returns {import("./views/picture.js").Picture} */
  sheet() {
    const { width, height, heading, names } = SAVED;
    const charts = this.charts.filter(({ curves }) => curves.length);
    const runs = this.runs.filter(({ shown, lines }) => shown && lines.length);
    const all = textsOf(runs);
    const texts = all.length > 1 ? all : [];
    const top = names * Math.max(runs.length, texts.length);
    const rows = Math.ceil(charts.length / 2);
    return {
      width: 2 * width,
      height: top + rows * (height + heading),
      paint: (pen) => {
        paint(pen, [...runNames(runs), ...textNames(texts)]);
        charts.forEach((chart, at) => {
          pen.save();
          pen.translate((at % 2) * width, top + Math.floor(at / 2) * (height + heading));
          paint(pen, titleOf(chart.quantity));
          pen.translate(0, heading);
          paint(pen, chart.shapes(width, height));
          pen.restore();
        });
      },
    };
  }
}

/** @param {import("./run.js").Run[]} runs @returns {import("./shapes.js").Shape[]} */
function runNames(runs) {
  return runs.flatMap(({ name, number }, at) => {
    const y = SAVED.names * at;
    const line = sample(number, 0).map((shape) => moved(shape, y + 4));
    return [...line, { x: 32, y: y + 14, text: name, colour: runColour(number), size: 13, bold: true }];
  });
}

/** @param {import("./shapes.js").Line} line @param {number} down @returns {import("./shapes.js").Line} */
function moved(line, down) {
  return { ...line, points: line.points.map(([x, y]) => [x, y + down]) };
}

/** @param {string[]} texts @returns {import("./shapes.js").Shape[]} */
function textNames(texts) {
  const colour = pageColour("--muted");
  return texts.flatMap((text, at) => {
    const [x, y] = [SAVED.width, 14 + SAVED.names * at];
    const points = /** @type {[number, number][]} */ ([
      [x, y - 4],
      [x + 32, y - 4],
    ]);
    return [
      { points, colour, width: 2, dash: DASHES[at % DASHES.length] },
      { x: x + 40, y, text, colour, size: 12 },
    ];
  });
}

/** @param {import("./chart.js").Quantity} quantity @returns {import("./shapes.js").Shape[]} */
function titleOf({ title, unit }) {
  return [
    { x: 0, y: 18, text: title, colour: pageColour("--ink"), size: 13, bold: true },
    { x: 120, y: 18, text: unit, colour: pageColour("--muted"), size: 12 },
  ];
}

/** The names of the texts that were held out. @param {import("./run.js").Run[]} runs */
function textsOf(runs) {
  const names = runs.flatMap(({ lines }) => lines.flatMap(({ bits_per_byte }) => Object.keys(bits_per_byte ?? {})));
  return [...new Set(names)];
}
