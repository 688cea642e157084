// @ts-check
// Text as a picture: tokens one after the other, each on its colour, in lines as long as a page's.

import { h } from "./elements.js";
import { pageColour } from "./colour.js";
import { textsOf } from "./tokens.js";

const LINE = 24;
const SIZE = 15;
const FAMILY = "ui-monospace, Menlo, Consolas, monospace";

/**
 * How a token looks; what is left out is as the page has it.
 *
 * @typedef {object} Look
 * @property {string} [background]
 * @property {string} [ink]
 * @property {boolean} [bold]
 */

/**
 * @param {string[]} pieces @param {(token: number) => Look} lookOf @param {number} [width]
 * @returns {import("./picture.js").Picture}
 */
export function tokensPicture(pieces, lookOf, width = 760) {
  const looks = pieces.map((_, token) => lookOf(token));
  const context = /** @type {CanvasRenderingContext2D} */ (h("canvas").getContext("2d"));
  let [x, y] = [0, 0];
  const placed = textsOf(pieces).map((token, at) => {
    const text = token.replaceAll("\n", "↵");
    context.font = fontOf(looks[at]);
    const size = context.measureText(text).width;
    if (x + size > width) [x, y] = [0, y + LINE];
    const place = { text, size, x, y, look: looks[at] };
    [x, y] = token.includes("\n") ? [0, y + LINE] : [x + size, y];
    return place;
  });
  return {
    width,
    height: y + LINE,
    paint: (pen) => {
      for (const { text, size, x, y, look } of placed) {
        if (look.background) {
          pen.fillStyle = look.background;
          pen.fillRect(x, y, size, LINE - 1);
        }
        pen.font = fontOf(look);
        pen.fillStyle = look.ink ?? pageColour("--ink");
        pen.fillText(text, x, y + 17);
      }
    },
  };
}

/** @param {Look} look */
function fontOf({ bold }) {
  return `${bold ? "700 " : ""}${SIZE}px ${FAMILY}`;
}

/** Lines of words. @param {string[]} lines @param {{bold?: boolean, width?: number}} [options] @returns {import("./picture.js").Picture} */
export function linesPicture(lines, { bold = false, width = 760 } = {}) {
  return {
    width,
    height: 20 * lines.length,
    paint: (pen) => {
      pen.font = `${bold ? "600 " : ""}14px system-ui, sans-serif`;
      pen.fillStyle = pageColour(bold ? "--ink" : "--muted");
      lines.forEach((line, at) => pen.fillText(line, 0, 20 * at + 14, width));
    },
  };
}
