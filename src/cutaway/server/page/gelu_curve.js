// @ts-check
// The GELU as a curve, and where on it one unit stands.

import { figure } from "./views/numbers.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, MARGIN] = [420, 190, 26];
/** What is shown of it at least, to both sides of zero. */
const REACH = 4;
const POINTS = 160;

/** The tanh form, which GPT-2 was trained with. @param {number} x */
export function gelu(x) {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
}

/** @param {number} before what the unit's sum is @param {number} after what the network made of it */
export function geluCurve(before, after) {
  const reach = Math.max(REACH, 1.1 * Math.abs(before));
  const top = Math.max(reach, 1.1 * after);
  const bottom = Math.min(-0.3 * reach, 1.1 * after);
  const x = (/** @type {number} */ value) => MARGIN + ((value + reach) / (2 * reach)) * (WIDTH - 2 * MARGIN);
  const y = (/** @type {number} */ value) => MARGIN / 2 + ((top - value) / (top - bottom)) * (HEIGHT - MARGIN);
  const places = Array.from({ length: POINTS + 1 }, (_, at) => -reach + (2 * reach * at) / POINTS);
  const curve = places.map((place) => `${x(place).toFixed(1)},${y(gelu(place)).toFixed(1)}`).join(" ");
  const label = `The GELU: it makes ${figure(after)} of ${figure(before)}`;
  const words = `${figure(before, 3)} → ${figure(after, 3)}`;
  // On the side where the curve is not.
  const [near, anchor] = before > 0 ? [-10, "end"] : [10, "start"];
  return s(
    "svg",
    { class: "curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    s("line", { class: "axis", x1: x(-reach), x2: x(reach), y1: y(0), y2: y(0) }),
    s("line", { class: "axis", x1: x(0), x2: x(0), y1: y(top), y2: y(bottom) }),
    ...[-reach, reach].map((end) =>
      s("text", { class: "axis", x: x(end), y: y(0) + 16, "text-anchor": end < 0 ? "start" : "end" }, figure(end, 2)),
    ),
    s("polyline", { class: "line", points: curve }),
    s("line", { class: "drop", x1: x(before), x2: x(before), y1: y(0), y2: y(after) }),
    s("line", { class: "drop", x1: x(before), x2: x(0), y1: y(after), y2: y(after) }),
    s("circle", { class: "here", cx: x(before), cy: y(after), r: 5 }),
    s("text", { x: x(before) + near, y: y(after) - 12, "text-anchor": anchor }, words),
  );
}

/** A part of a drawing. @param {string} tag @param {Record<string, string | number>} attributes @param {...(Node | string)} children */
function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return /** @type {HTMLElement & SVGElement} */ (/** @type {unknown} */ (element));
}
