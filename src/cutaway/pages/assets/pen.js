// @ts-check
// What draws on a canvas, writing SVG instead: shapes as shapes, text as text, nothing that has to be fetched.
//
// It understands what the views ask of a canvas's context, by the same names, so that one way of drawing gives the
// screen, the PNG and the SVG.

import { h } from "./elements.js";

/** Somewhere to draw: a canvas, or an SVG. @typedef {CanvasRenderingContext2D | SvgPen} Pen */

const FONT = /^(?:(\d+|bold|normal) )?([\d.]+)px (.+)$/;
const ANCHORS = /** @type {Record<string, string>} */ ({ center: "middle", right: "end" });
/** Of a line's height, how far a text in its middle lies above its baseline. */
const MIDDLE = 0.35;

const probe = h("canvas", { width: 1, height: 1 });

export class SvgPen {
  /** @param {number} width @param {number} height @param {string} title */
  constructor(width, height, title) {
    this.fillStyle = this.strokeStyle = "#000";
    this.lineWidth = this.globalAlpha = 1;
    /** @type {number[]} */
    this.dashes = [];
    this.font = "12px sans-serif";
    /** @type {CanvasTextAlign} */
    this.textAlign = "left";
    /** @type {CanvasTextBaseline} */
    this.textBaseline = "alphabetic";
    // Cells have sharp edges here in any case.
    this.imageSmoothingEnabled = false;
    this.imageSmoothingQuality = "low";
    this.path = "";
    /** Groups to be closed when what was saved comes back. */
    this.open = 0;
    this.clips = 0;
    /** @type {Record<string, any>[]} */
    this.saved = [];
    this.parts = [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" `,
      `viewBox="0 0 ${round(width)} ${round(height)}"><title>${escaped(title)}</title>`,
    ];
  }

  /** The file. */
  blob() {
    return new Blob([...this.parts, "</svg>\n"], { type: "image/svg+xml" });
  }

  save() {
    const { fillStyle, strokeStyle, lineWidth, dashes, globalAlpha, font, textAlign, textBaseline, open } = this;
    this.saved.push({ fillStyle, strokeStyle, lineWidth, dashes, globalAlpha, font, textAlign, textBaseline, open });
    this.open = 0;
  }

  restore() {
    this.parts.push("</g>".repeat(this.open));
    Object.assign(this, this.saved.pop());
  }

  /** Everything until the next `restore` is drawn inside this. @param {string} attributes */
  group(attributes) {
    this.parts.push(`<g ${attributes}>`);
    this.open++;
  }

  /** @param {number} x @param {number} y */
  translate(x, y) {
    this.group(`transform="translate(${round(x)} ${round(y)})"`);
  }

  /** @param {number} angle */
  rotate(angle) {
    this.group(`transform="rotate(${round((angle * 180) / Math.PI)})"`);
  }

  clip() {
    const id = `clip-${++this.clips}`;
    this.parts.push(`<clipPath id="${id}"><path d="${this.path}"/></clipPath>`);
    this.group(`clip-path="url(#${id})"`);
  }

  beginPath() {
    this.path = "";
  }

  /** @param {number} x @param {number} y */
  moveTo(x, y) {
    this.path += `M${round(x)} ${round(y)}`;
  }

  /** @param {number} x @param {number} y */
  lineTo(x, y) {
    this.path += `${this.path ? "L" : "M"}${round(x)} ${round(y)}`;
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  rect(x, y, width, height) {
    this.path += `M${round(x)} ${round(y)}h${round(width)}v${round(height)}h${round(-width)}z`;
  }

  /** A whole circle, which is all that is drawn. @param {number} x @param {number} y @param {number} radius @param {number} from @param {number} to */
  arc(x, y, radius, from, to) {
    const [r, across] = [round(radius), round(2 * radius)];
    this.path += `M${round(x - radius)} ${round(y)}a${r} ${r} 0 1 0 ${across} 0a${r} ${r} 0 1 0 ${-across} 0z`;
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height @param {number} radius */
  roundRect(x, y, width, height, radius) {
    const r = Math.min(radius, width / 2, height / 2);
    const corner = (/** @type {number} */ dx, /** @type {number} */ dy) => `a${round(r)} ${round(r)} 0 0 1 ${round(dx)} ${round(dy)}`;
    const [across, down] = [round(width - 2 * r), round(height - 2 * r)];
    this.path += `M${round(x + r)} ${round(y)}h${across}${corner(r, r)}v${down}${corner(-r, r)}h${-across}${corner(-r, -r)}v${-down}${corner(r, -r)}z`;
  }

  /** @param {number[]} dashes lengths of line and gap in turn; none is a whole line */
  setLineDash(dashes) {
    this.dashes = dashes;
  }

  fill() {
    this.parts.push(`<path d="${this.path}"${this.ink("fill", this.fillStyle)}/>`);
  }

  stroke() {
    const ink = this.ink("stroke", this.strokeStyle);
    const dashes = this.dashes.length ? ` stroke-dasharray="${this.dashes.join(" ")}"` : "";
    this.parts.push(`<path d="${this.path}" fill="none"${ink} stroke-width="${round(this.lineWidth)}"${dashes}/>`);
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  fillRect(x, y, width, height) {
    const size = `width="${round(width)}" height="${round(height)}"`;
    this.parts.push(`<rect x="${round(x)}" y="${round(y)}" ${size}${this.ink("fill", this.fillStyle)}/>`);
  }

  /** @param {number} x @param {number} y @param {number} width @param {number} height */
  strokeRect(x, y, width, height) {
    this.beginPath();
    this.rect(x, y, width, height);
    this.stroke();
  }

  /** @param {string} text */
  measureText(text) {
    const context = /** @type {CanvasRenderingContext2D} */ (probe.getContext("2d"));
    context.font = this.font;
    return context.measureText(text);
  }

  /**
   * A text as wide as it is here, so that it fits its place wherever the file is opened, and whatever fonts are there.
   *
   * @param {string} text @param {number} x @param {number} y @param {number} [most]
   */
  fillText(text, x, y, most = Infinity) {
    if (!text) return;
    const width = Math.min(this.measureText(text).width, most);
    const [, weight, size, family] = FONT.exec(this.font) ?? ["", "", "12", "sans-serif"];
    const anchor = ANCHORS[this.textAlign];
    const baseline = this.textBaseline === "middle" ? y + MIDDLE * Number(size) : y;
    this.parts.push(
      `<text x="${round(x)}" y="${round(baseline)}" font-size="${size}" font-family="${escaped(family)}"`,
      weight ? ` font-weight="${weight}"` : "",
      anchor ? ` text-anchor="${anchor}"` : "",
      /^\s|\s$|\s\s/.test(text) ? ' xml:space="preserve"' : "",
      width > 0 ? ` textLength="${round(width)}" lengthAdjust="spacingAndGlyphs"` : "",
      `${this.ink("fill", this.fillStyle)}>${escaped(text)}</text>`,
    );
  }

  /**
   * A canvas whose pixels are cells, as shapes: those of a colour together, neighbours in a row as one.
   *
   * @param {HTMLCanvasElement} canvas @param {number} x @param {number} y @param {number} width @param {number} height
   */
  drawImage(canvas, x, y, width, height) {
    const scale = `scale(${width / canvas.width} ${height / canvas.height})`;
    this.parts.push(`<g transform="translate(${round(x)} ${round(y)}) ${scale}" shape-rendering="crispEdges">`);
    for (const [pixel, path] of runs(canvas)) this.parts.push(`<path d="${path}"${painted("fill", bytes(pixel))}/>`);
    this.parts.push("</g>");
  }

  /** @param {"fill" | "stroke"} what @param {any} colour */
  ink(what, colour) {
    const [r, g, b, alpha] = channels(String(colour));
    return painted(what, [r, g, b, alpha * this.globalAlpha]);
  }
}

/** Where each colour of a canvas is, as a path in pixels. @param {HTMLCanvasElement} canvas @returns {Map<number, string>} */
function runs(canvas) {
  const { width, height } = canvas;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  /** @type {Map<number, string[]>} */
  const found = new Map();
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; ) {
      const [from, pixel] = [column, pixels[row * width + column]];
      while (column < width && pixels[row * width + column] === pixel) column++;
      if (pixel >>> 24 === 0) continue;
      if (!found.has(pixel)) found.set(pixel, []);
      found.get(pixel)?.push(`M${from} ${row}h${column - from}v1h${from - column}z`);
    }
  }
  return new Map([...found].map(([pixel, cells]) => [pixel, cells.join("")]));
}

/** A canvas pixel as red, green, blue and opacity. @param {number} pixel */
function bytes(pixel) {
  return [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255, (pixel >>> 24) / 255];
}

/** A colour as older readers of SVG understand it too. @param {"fill" | "stroke"} what @param {number[]} colour */
function painted(what, [r, g, b, alpha]) {
  return ` ${what}="rgb(${r},${g},${b})"${alpha < 1 ? ` ${what}-opacity="${round(alpha)}"` : ""}`;
}

/** @type {Map<string, number[]>} */
const known = new Map();

/** Red, green, blue and opacity of any colour that CSS can say. @param {string} colour */
function channels(colour) {
  const found = known.get(colour);
  if (found) return found;
  const context = /** @type {CanvasRenderingContext2D} */ (probe.getContext("2d", { willReadFrequently: true }));
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [r, g, b, alpha] = context.getImageData(0, 0, 1, 1).data;
  known.set(colour, [r, g, b, alpha / 255]);
  return [r, g, b, alpha / 255];
}

/** To a hundredth of a pixel. @param {number} value */
function round(value) {
  return Math.round(value * 100) / 100;
}

/** Text for SVG. @param {string} text */
export function escaped(text) {
  // Characters that XML cannot hold at all are shown as ?.
  const clean = text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, "?");
  return clean.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
