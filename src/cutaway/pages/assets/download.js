// @ts-check
// What can be taken away: CSV, PNG, SVG, made in the page.

import { h } from "./elements.js";
import { pageColour } from "./colour.js";
import { fromBase64 } from "./packed.js";

/** @param {string} title @param {string} ending @param {Blob} blob */
export function save(title, ending, blob) {
  const name =
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 60) || "cutaway";
  const link = h("a", { href: URL.createObjectURL(blob), download: `${name}.${ending}` });
  // In the page until the browser has taken the file: some drop that of a link that stands nowhere.
  link.hidden = true;
  document.body.append(link);
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
    link.remove();
  }, 10_000);
}

/**
 * Rows as CSV (RFC 4180), in parts, because a million numbers make a long string.
 *
 * @param {Iterable<(string | number)[]>} rows
 */
export function csv(rows) {
  const parts = [];
  for (const row of rows) parts.push(`${row.map(csvCell).join(",")}\r\n`);
  return new Blob(parts, { type: "text/csv;charset=utf-8" });
}

/** @param {string | number} value */
function csvCell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A picture of canvases under each other, with a title.
 *
 * @param {string} title
 * @param {HTMLCanvasElement[]} canvases
 */
export function png(title, canvases) {
  const ratio = window.devicePixelRatio || 1;
  const margin = 16 * ratio;
  const titleHeight = 26 * ratio;
  const font = `600 ${15 * ratio}px system-ui, sans-serif`;
  const picture = h("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (picture.getContext("2d"));
  context.font = font;
  const widest = Math.max(context.measureText(title).width, ...canvases.map((canvas) => canvas.width));
  picture.width = widest + 2 * margin;
  picture.height = titleHeight + canvases.reduce((sum, canvas) => sum + canvas.height + margin, 0) + margin;
  context.fillStyle = pageColour("--paper");
  context.fillRect(0, 0, picture.width, picture.height);
  context.fillStyle = pageColour("--ink");
  context.font = font;
  context.fillText(title, margin, margin + 12 * ratio);
  let top = margin + titleHeight;
  for (const canvas of canvases) {
    context.drawImage(canvas, margin, top);
    top += canvas.height + margin;
  }
  // At once, not by toBlob: a browser may refuse a file that comes later than the click that asked for it.
  const [, encoded] = picture.toDataURL("image/png").split(",");
  save(title, "png", new Blob([fromBase64(encoded)], { type: "image/png" }));
}

/** Text for SVG. @param {string} text */
export function escaped(text) {
  // Characters that XML cannot hold at all are shown as ?.
  const clean = text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "?");
  return clean.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
