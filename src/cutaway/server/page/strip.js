// @ts-check
// A vector as a strip of colours: a cell a number, blue below zero, orange above.

import { h } from "./views/elements.js";
import { colourMap, indexAt } from "./views/colour.js";
import { figure } from "./views/numbers.js";

/** What each strip shows. @type {WeakMap<Element, {name: string, vector: Float32Array}>} */
const shown = new WeakMap();

/** The vector that an element shows as a strip, if it does. @param {Element} element */
export function stripped(element) {
  return shown.get(element);
}

/** @param {Float32Array} vector @param {string} name */
export function strip(vector, name) {
  const label = `${name}: ${vector.length} numbers from ${figure(Math.min(...vector), 3)} to ${figure(Math.max(...vector), 3)}`;
  const canvas = h("canvas", { class: "strip", role: "img", "aria-label": label, title: label });
  [canvas.width, canvas.height] = [vector.length, 1];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(vector.length, 1);
  const pixels = new Uint32Array(image.data.buffer);
  const colours = colourMap("diverging");
  // The colours end where all but a few of the numbers lie: a single giant would make the others pale.
  const sizes = Float32Array.from(vector, Math.abs).sort();
  const most = sizes[Math.floor(0.98 * (sizes.length - 1))] || 1;
  vector.forEach((value, at) => (pixels[at] = colours.pixels[indexAt((value / most + 1) / 2)]));
  context.putImageData(image, 0, 0);
  shown.set(canvas, { name, vector });
  return canvas;
}
