// @ts-check
// Pictures as files: whatever a view can draw, as PNG or as SVG, under its title and on the page's paper.

import { h } from "./elements.js";
import { pageColour } from "./colour.js";
import { save } from "./download.js";
import { fromBase64 } from "./packed.js";
import { SvgPen } from "./pen.js";

/**
 * What can be drawn, and how large it is.
 *
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {(pen: import("./pen.js").Pen) => void} paint from 0, 0 to width, height
 */

const MARGIN = 16;
const TITLE = { height: 26, font: "600 15px system-ui, sans-serif" };

/**
 * The buttons that save a picture: the two kinds show the same, but an SVG may show more of it.
 *
 * @param {() => string} title @param {string} what is saved, in words @param {() => Picture[]} pictures
 * @param {{what: string, pictures: () => Picture[]}} [whole] what an SVG shows
 * @returns {Record<string, [string, () => void]>}
 */
export function pictureActions(title, what, pictures, whole = { what, pictures }) {
  return {
    PNG: [`Save ${what} as PNG`, () => png(title(), pictures())],
    SVG: [`Save ${whole.what} as SVG`, () => svg(title(), whole.pictures())],
  };
}

/** @param {string} title @param {Picture[]} pictures */
function png(title, pictures) {
  const ratio = window.devicePixelRatio || 1;
  const { width, height, paint } = sheet(title, pictures);
  const canvas = h("canvas", { width: Math.ceil(width * ratio), height: Math.ceil(height * ratio) });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(ratio, ratio);
  paint(context);
  // At once, not by toBlob: a browser may refuse a file that comes later than the click that asked for it.
  const [, encoded] = canvas.toDataURL("image/png").split(",");
  save(title, "png", new Blob([fromBase64(encoded)], { type: "image/png" }));
}

/** @param {string} title @param {Picture[]} pictures */
function svg(title, pictures) {
  const { width, height, paint } = sheet(title, pictures);
  const pen = new SvgPen(width, height, title);
  paint(pen);
  save(title, "svg", pen.blob());
}

/** A title with pictures below, each under the other. @param {string} title @param {Picture[]} pictures @returns {Picture} */
function sheet(title, pictures) {
  const below = column(pictures);
  const context = /** @type {CanvasRenderingContext2D} */ (h("canvas").getContext("2d"));
  context.font = TITLE.font;
  const width = Math.ceil(Math.max(context.measureText(title).width, below.width)) + 2 * MARGIN;
  const height = Math.ceil(below.height) + TITLE.height + 2 * MARGIN;
  return {
    width,
    height,
    paint: (pen) => {
      pen.fillStyle = pageColour("--paper");
      pen.fillRect(0, 0, width, height);
      pen.fillStyle = pageColour("--ink");
      pen.font = TITLE.font;
      pen.fillText(title, MARGIN, MARGIN + 12);
      paintAt(pen, below, MARGIN, MARGIN + TITLE.height);
    },
  };
}

/** Pictures under each other. @param {Picture[]} pictures @returns {Picture} */
export function column(pictures) {
  let height = -MARGIN;
  const tops = pictures.map((picture) => {
    const top = height + MARGIN;
    height = top + picture.height;
    return top;
  });
  return {
    width: Math.max(...pictures.map(({ width }) => width)),
    height,
    paint: (pen) => pictures.forEach((picture, at) => paintAt(pen, picture, 0, tops[at])),
  };
}

/** Pictures side by side. @param {Picture[]} pictures @returns {Picture} */
export function row(pictures) {
  let width = -MARGIN;
  const lefts = pictures.map((picture) => {
    const left = width + MARGIN;
    width = left + picture.width;
    return left;
  });
  return {
    width,
    height: Math.max(...pictures.map(({ height }) => height)),
    paint: (pen) => pictures.forEach((picture, at) => paintAt(pen, picture, lefts[at], 0)),
  };
}

/** @param {import("./pen.js").Pen} pen @param {Picture} picture @param {number} x @param {number} y */
function paintAt(pen, { paint }, x, y) {
  pen.save();
  pen.translate(x, y);
  paint(pen);
  pen.restore();
}
