// @ts-check
// Lines and words, the same in a page, in an SVG file and in pixels.

import { escaped } from "./views/pen.js";
import { h, sized } from "./views/elements.js";
import { pageColour } from "./views/colour.js";

const SVG = "http://www.w3.org/2000/svg";
const FONT = "system-ui, sans-serif";

/** @typedef {{points: [number, number][], colour: string, width: number, dash?: number[], faint?: boolean}} Line */
/** @typedef {{x: number, y: number, text: string, colour: string, size: number, bold?: boolean, anchor?: "middle" | "end"}} Words */
/** @typedef {Line | Words} Shape */

/** A shape in another place. @param {Shape} shape @param {number} right @param {number} down @returns {Shape} */
export function moved(shape, right, down) {
  if ("text" in shape) return { ...shape, x: shape.x + right, y: shape.y + down };
  return { ...shape, points: shape.points.map(([x, y]) => [x + right, y + down]) };
}

/** Shapes as a picture in the page. @param {Shape[]} shapes @param {number} width @param {number} height */
export function drawn(shapes, width, height) {
  const picture = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: `0 0 ${width} ${height}`, width, height, "font-family": FONT, "aria-hidden": "true" };
  set(picture, attributes);
  for (const shape of shapes) {
    const element = document.createElementNS(SVG, "text" in shape ? "text" : "polyline");
    set(element, attributesOf(shape));
    if ("text" in shape) element.textContent = shape.text;
    picture.append(element);
  }
  return picture;
}

/** Shapes as a file. @param {Shape[]} shapes @param {number} width @param {number} height */
export function svg(shapes, width, height) {
  const parts = [
    `<svg xmlns="${SVG}" viewBox="0 0 ${width} ${height}" font-family="sans-serif">`,
    `<rect width="100%" height="100%" fill="${pageColour("--paper")}"/>`,
  ];
  for (const shape of shapes) {
    const attributes = Object.entries(attributesOf(shape)).map(
      ([name, value]) => `${name}="${escaped(String(value))}"`,
    );
    const inside = "text" in shape ? [`<text ${attributes.join(" ")}>`, escaped(shape.text), "</text>"] : null;
    parts.push(...(inside ?? [`<polyline ${attributes.join(" ")}/>`]));
  }
  return new Blob([...parts, "</svg>"], { type: "image/svg+xml" });
}

/** Shapes as pixels. @param {Shape[]} shapes @param {number} width @param {number} height */
export function painted(shapes, width, height) {
  const canvas = h("canvas");
  const context = sized(canvas, width, height);
  context.lineJoin = "round";
  for (const shape of shapes) {
    context.globalAlpha = "faint" in shape && shape.faint ? 0.3 : 1;
    if ("text" in shape) {
      context.font = `${shape.bold ? "600 " : ""}${shape.size}px ${FONT}`;
      context.fillStyle = shape.colour;
      context.textAlign = shape.anchor === "middle" ? "center" : (shape.anchor ?? "start");
      context.fillText(shape.text, shape.x, shape.y);
    } else {
      context.strokeStyle = shape.colour;
      context.lineWidth = shape.width;
      context.setLineDash(shape.dash ?? []);
      context.beginPath();
      for (const [x, y] of shape.points) context.lineTo(x, y);
      context.stroke();
    }
  }
  return canvas;
}

/** @param {Shape} shape @returns {Record<string, string | number>} */
function attributesOf(shape) {
  if ("text" in shape) {
    const { x, y, colour, size, bold, anchor = "start" } = shape;
    return { x, y, fill: colour, "font-size": size, "font-weight": bold ? 600 : 400, "text-anchor": anchor };
  }
  const points = shape.points.map(([x, y]) => `${+x.toFixed(2)},${+y.toFixed(2)}`).join(" ");
  const { colour, width, dash = [], faint } = shape;
  const attributes = { points, fill: "none", stroke: colour, "stroke-width": width, "stroke-linejoin": "round" };
  return {
    ...attributes,
    ...(dash.length ? { "stroke-dasharray": dash.join(" ") } : {}),
    ...(faint ? { opacity: 0.3 } : {}),
  };
}

/** @param {Element} element @param {Record<string, string | number>} attributes */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}
