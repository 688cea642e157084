// @ts-check
// Which cells of a grid can be seen, and their colours as pixels.

import { h } from "./elements.js";
import { BLANK } from "./colour.js";

/** @typedef {{first: number, last: number}} Span cells from `first` to before `last` */

/** The cells that can be seen. @param {number} scroll @param {number} room @param {number} size @param {number} count @returns {Span} */
export function span(scroll, room, size, count) {
  const first = Math.min(Math.floor(scroll / size), count - 1);
  return { first, last: Math.max(first + 1, Math.min(count, Math.ceil((scroll + room) / size))) };
}

/** Where each pixel of a row of cells begins, and where the last ends. @param {Span} cells @param {number} size */
function edges({ first, last }, size) {
  const count = last - first;
  const pixels = Math.min(count, Math.max(1, Math.round(count * size * devicePixelRatio)));
  return Int32Array.from({ length: pixels + 1 }, (_, pixel) => first + Math.floor((pixel * count) / pixels));
}

/** A size in whole screen pixels, where it is at least one: then all cells are drawn alike. @param {number} size */
export function snapped(size) {
  const pixels = size * devicePixelRatio;
  return pixels >= 1 ? Math.floor(pixels) / devicePixelRatio : size;
}

const scratch = h("canvas");

/**
 * The visible cells as a picture with one pixel a cell, or one pixel for several where they are smaller than the
 * screen's: then the strongest wins, so that single bright cells do not vanish.
 *
 * @param {Uint8Array} index the colours of all cells, row after row
 * @param {number} stride cells in a row
 * @param {{cells: Span, size: number}} across
 * @param {{cells: Span, size: number}} down
 * @param {import("./colour.js").ColourMap} colours
 */
export function raster(index, stride, across, down, colours) {
  const columns = edges(across.cells, across.size);
  const rows = edges(down.cells, down.size);
  const [width, height] = [columns.length - 1, rows.length - 1];
  [scratch.width, scratch.height] = [width, height];
  const context = /** @type {CanvasRenderingContext2D} */ (scratch.getContext("2d"));
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      let best = BLANK;
      for (let row = rows[y]; row < rows[y + 1]; row++) {
        for (let column = columns[x]; column < columns[x + 1]; column++) {
          const each = index[row * stride + column];
          if (colours.weight[each] > colours.weight[best]) best = each;
        }
      }
      pixels[at] = colours.pixels[best];
    }
  }
  context.putImageData(image, 0, 0);
  return scratch;
}
