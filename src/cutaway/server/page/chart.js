// @ts-check
// One chart: curves over the steps or the minutes of some runs, and what they are at the place one points at.

import { eachFrame, h } from "./views/elements.js";
import { pageColour } from "./views/colour.js";
import { figure, roundNumbers, tick } from "./views/numbers.js";
import { drawn } from "./shapes.js";
import { inside, nearest, smoothed, thinned } from "./series.js";

const MARGIN = { left: 46, right: 12, top: 10, bottom: 22 };
const HEIGHT = 190;
/** Of the texts that were held out. */
export const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [15, 4], [9, 3, 2, 3, 2, 3]];
const FEW = 40;

/** Colours that most eyes can tell apart; with more runs they come again, and then curves carry signs. */
const RUN_COLOURS = 7;
/** Strokes around a point, right and down in turns: none, a diamond, a cross, a tick, a double tick. */
const SIGNS = [
  [],
  [[0, -4, 4, 0, 0, 4, -4, 0, 0, -4]],
  [
    [-3, -3, 3, 3],
    [-3, 3, 3, -3],
  ],
  [[0, -4, 0, 4]],
  [
    [-1.5, -4, -1.5, 4],
    [1.5, -4, 1.5, 4],
  ],
];
/** Pixels between two signs of a curve. */
const APART = 64;

/**
 * @typedef {object} Curve
 * @property {string} name
 * @property {number} number of its run
 * @property {number} text of its held-out text, which gives it its dashes
 * @property {number} end where its run stands
 * @property {import("./series.js").Point[]} points
 */
/** @typedef {{key: string, title: string, unit: string, factor?: number, fromZero?: boolean, noisy?: boolean}} Quantity */
/** What is drawn: from which place to which, and how smooth. @typedef {{from: number, to: number, smooth: number}} Sight */

export class Chart {
  /** @param {Quantity} quantity @param {(place: number | null) => void} onPoint */
  constructor(quantity, onPoint) {
    this.quantity = quantity;
    this.onPoint = onPoint;
    /** @type {Curve[]} */
    this.curves = [];
    /** @type {Sight} */
    this.sight = { from: 0, to: 1, smooth: 1 };
    /** @type {number | null} */
    this.place = null;
    this.now = h("span", { class: "now" });
    const label = `${quantity.title}, ${quantity.unit}. Arrow keys move along the curves.`;
    this.plot = h("div", {
      class: "curves",
      tabindex: 0,
      role: "application",
      "aria-roledescription": "chart",
      "aria-label": label,
    });
    const heading = h("h2", {}, quantity.title, h("span", { class: "unit" }, ` ${quantity.unit}`));
    this.element = h("section", { class: "chart", "aria-label": quantity.title }, heading, this.now, this.plot);
    this.redraw = eachFrame(() => this.draw());
    new ResizeObserver(() => this.redraw()).observe(this.plot);
    const point = eachFrame((/** @type {number} */ x) => onPoint(this.placeAt(x)));
    this.plot.addEventListener("pointermove", (event) => point(event.clientX - this.plot.getBoundingClientRect().left));
    this.plot.addEventListener("pointerleave", () => this.plot !== document.activeElement && onPoint(null));
    this.plot.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {Curve[]} curves @param {Sight} sight */
  show(curves, sight) {
    this.curves = curves;
    this.sight = sight;
    this.element.hidden = !curves.length;
    this.redraw();
  }

  /** Look at a place, or at none. @param {number | null} place */
  look(place) {
    this.place = place;
    this.redraw();
  }

  draw() {
    const width = this.plot.clientWidth;
    if (!width) return;
    this.plot.replaceChildren(drawn(this.shapes(width, HEIGHT, this.place), width, HEIGHT));
    this.now.replaceChildren(
      ...this.values().flatMap(({ curve, value }) => [swatch(curve.number, curve.text), `${value} `]),
    );
  }

  /** What each curve is at the place that is looked at, or at its end; nothing where its run has not been. */
  values() {
    return this.curves.map((curve) => {
      const there = this.place === null || this.place <= curve.end;
      const point = there ? nearest(curve.points, this.place ?? Infinity) : undefined;
      return { curve, value: point ? figure(point[1], 4) : "–" };
    });
  }

  /** The same in words. */
  said() {
    return this.values()
      .map(({ curve, value }) => `${curve.name} ${value}`)
      .join(", ");
  }

  /** The places that a curve has a value for. */
  places() {
    const all = this.curves.flatMap(({ points }) => points.map(([place]) => place));
    return [...new Set(all)].sort((a, b) => a - b).filter((place) => place >= this.sight.from);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const steps = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") this.onPoint(null);
    else if (event.key in steps) {
      const places = this.places();
      const step = steps[/** @type {keyof typeof steps} */ (event.key)] * (event.shiftKey ? 10 : 1);
      const here = this.place === null ? places.length : places.findIndex((place) => place >= (this.place ?? 0));
      this.onPoint(places[Math.min(Math.max((here < 0 ? places.length : here) + step, 0), places.length - 1)] ?? null);
    } else return;
    event.preventDefault();
  }

  /** The place at a pixel. @param {number} x */
  placeAt(x) {
    const { from, to } = this.sight;
    const share = (x - MARGIN.left) / (this.plot.clientWidth - MARGIN.left - MARGIN.right);
    return from + Math.min(Math.max(share, 0), 1) * (to - from);
  }

  /** The picture. @param {number} width @param {number} height @param {number | null} place @returns {import("./shapes.js").Shape[]} */
  shapes(width, height, place = null) {
    const { from, to, smooth } = this.sight;
    const n = this.quantity.noisy ? smooth : 1;
    const inner = width - MARGIN.left - MARGIN.right;
    const curves = this.curves.map((curve) => {
      const visible = smoothed(curve.points, n).filter(([at]) => at >= from);
      const raw = n > 1 ? curve.points.filter(([at]) => at >= from) : [];
      return { ...curve, visible: thinned(visible, from, to, inner), raw: thinned(raw, from, to, inner) };
    });
    const { low, high } = limits(
      curves.flatMap(({ visible }) => visible.map(([, value]) => value)),
      this.quantity.fromZero,
    );
    const [bottom, top] = [height - MARGIN.bottom, MARGIN.top];
    const x = (/** @type {number} */ at) => MARGIN.left + ((at - from) / (to - from || 1)) * inner;
    const y = (/** @type {number} */ value) => bottom - ((value - low) / (high - low)) * (bottom - top);
    const shapes = axes({ low, high, from, to, x, y, width, bottom, top });
    for (const { number, text, visible, raw } of curves) {
      const line = { colour: runColour(number), dash: DASHES[text % DASHES.length] };
      const along = (/** @type {import("./series.js").Point[]} */ points) =>
        points.map(([at, value]) => /** @type {[number, number]} */ ([x(at), y(value)]));
      for (const part of inside(raw, low, high)) {
        shapes.push({ points: along(part), colour: line.colour, width: 1, faint: true });
      }
      shapes.push({ points: along(visible), ...line, width: 1.6 }, ...signs(along(visible), number));
      // A few measurements far apart are marked, for between them nothing was measured.
      if (visible.length <= FEW) {
        shapes.push(...along(visible).map((at) => dot(at, line.colour)));
      }
    }
    if (place !== null && place >= from && place <= to) {
      const line = /** @type {[number, number][]} */ ([
        [x(place), top],
        [x(place), bottom],
      ]);
      shapes.push({ points: line, colour: pageColour("--cursor"), width: 1 });
    }
    return shapes;
  }
}

/** @param {number} number of a run */
export function runColour(number) {
  return pageColour(`--run-${number % RUN_COLOURS}`);
}

/**
 * What a later run's curve carries here and there.
 *
 * @param {[number, number][]} points @param {number} number of the run @param {string} [colour]
 * @returns {import("./shapes.js").Line[]}
 */
function signs(points, number, colour = runColour(number)) {
  const strokes = SIGNS[Math.floor(number / RUN_COLOURS) % SIGNS.length];
  let next = -Infinity;
  return points.flatMap(([x, y]) => {
    if (!strokes.length || x < next) return [];
    next = x + APART;
    return strokes.map((stroke) => ({ points: around(x, y, stroke), colour, width: 1.6 }));
  });
}

/** A stroke where it belongs. @param {number} x @param {number} y @param {number[]} stroke @returns {[number, number][]} */
function around(x, y, stroke) {
  return Array.from({ length: stroke.length / 2 }, (_, at) => [x + stroke[2 * at], y + stroke[2 * at + 1]]);
}

/** What marks a curve where it is spoken of. @param {number} number @param {number} [text] */
export function swatch(number, text = 0) {
  return h("i", { class: `mark run-${number % RUN_COLOURS}` }, dashes(text, number));
}

/** How the curves of a held-out text are drawn, those of a run if its number is given. @param {number} text @param {number} [number] */
export function dashes(text, number = 0) {
  return drawn(sample(number, text, "currentColor"), 24, 10);
}

/** A short piece of a curve. @param {number} number of the run @param {number} text @param {string} [colour] @returns {import("./shapes.js").Line[]} */
export function sample(number, text, colour = runColour(number)) {
  /** @type {[number, number][]} */
  const points = [
    [0, 5],
    [24, 5],
  ];
  const line = { points, colour, width: 2.5, dash: DASHES[text % DASHES.length] };
  return [line, ...signs([[12, 5]], number, colour)];
}

/** @param {[number, number]} at @param {string} colour @returns {import("./shapes.js").Shape} */
function dot([x, y], colour) {
  return {
    points: [
      [x - 1.8, y],
      [x + 1.8, y],
    ],
    colour,
    width: 3.6,
  };
}

/** The ends of the upright axis, a little beyond the values. @param {number[]} values @param {boolean} [fromZero] */
function limits(values, fromZero = false) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return { low: 0, high: 1 };
  if (fromZero) low = Math.min(0, low);
  const room = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
  return { low: fromZero && low === 0 ? 0 : low - room, high: high + room };
}

/**
 * Lines and numbers at round values.
 *
 * @param {{low: number, high: number, from: number, to: number, x: (at: number) => number, y: (value: number) => number, width: number, bottom: number, top: number}} frame
 * @returns {import("./shapes.js").Shape[]}
 */
function axes({ low, high, from, to, x, y, width, bottom, top }) {
  const [line, ink] = [pageColour("--line"), pageColour("--muted")];
  const across = roundNumbers(low, high, 6).filter((value) => value >= low && value <= high);
  const along = roundNumbers(from, to, width < 420 ? 3 : 5).filter((place) => place >= from && place <= to);
  /** @type {import("./shapes.js").Shape[]} */
  const shapes = [];
  for (const value of across) {
    const points = /** @type {[number, number][]} */ ([
      [MARGIN.left, y(value)],
      [width - MARGIN.right, y(value)],
    ]);
    shapes.push({ points, colour: line, width: 1 });
    shapes.push({ x: MARGIN.left - 6, y: y(value) + 4, text: short(value), colour: ink, size: 11, anchor: "end" });
  }
  for (const place of along) {
    const inside = Math.min(x(place), width - MARGIN.right - 8);
    shapes.push({ x: inside, y: bottom + 16, text: short(place), colour: ink, size: 11, anchor: "middle" });
  }
  return shapes;
}

/** @param {number} value */
function short(value) {
  if (value < 1000) return tick(value);
  return value < 10_000 ? value.toLocaleString("en") : `${+(value / 1000).toPrecision(4)}k`;
}
