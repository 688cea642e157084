// @ts-check
// A part of the page as a picture: its boxes, its words and its canvases, where the browser has put them.

import { cut } from "./views/elements.js";

/** How many straight pieces stand for a curve. */
const STEPS = 200;

/** What is laid out in an element now. @param {HTMLElement} element @returns {import("./views/picture.js").Picture} */
export function elementPicture(element) {
  const { left, top, width, height } = element.getBoundingClientRect();
  return {
    width,
    height,
    paint: (pen) => {
      pen.save();
      pen.translate(-left, -top);
      paint(pen, element);
      pen.restore();
    },
  };
}

/** @param {import("./views/pen.js").Pen} pen @param {Element} element */
function paint(pen, element) {
  const style = getComputedStyle(element);
  const bounds = element.getBoundingClientRect();
  if (element instanceof SVGGraphicsElement) paintShape(pen, element, style);
  else if (style.visibility === "hidden" || !bounds.width || !bounds.height) return;
  else paintBox(pen, style, bounds);
  if (element instanceof HTMLCanvasElement) {
    pen.imageSmoothingEnabled = false;
    pen.drawImage(element, bounds.x, bounds.y, bounds.width, bounds.height);
  }
  for (const child of element.childNodes) {
    if (child instanceof Text) paintText(pen, child, style, bounds);
    else if (child instanceof Element) paint(pen, child);
  }
}

/** @param {import("./views/pen.js").Pen} pen @param {CSSStyleDeclaration} style @param {DOMRect} bounds */
function paintBox(pen, style, { x, y, width, height }) {
  const line = style.borderTopStyle === "none" ? 0 : parseFloat(style.borderTopWidth);
  const filled = !/^rgba\(.*, 0\)$|\/ 0\)$/.test(style.backgroundColor);
  if (!line && !filled) return;
  pen.beginPath();
  pen.roundRect(x + line / 2, y + line / 2, width - line, height - line, parseFloat(style.borderTopLeftRadius) || 0);
  if (filled) {
    pen.fillStyle = style.backgroundColor;
    pen.fill();
  }
  if (line) {
    pen.strokeStyle = style.borderTopColor;
    pen.lineWidth = line;
    pen.stroke();
  }
}

/** A part of a drawing in the page. @param {import("./views/pen.js").Pen} pen @param {SVGGraphicsElement} shape @param {CSSStyleDeclaration} style */
function paintShape(pen, shape, style) {
  const scale = shape.getScreenCTM();
  if (!(shape instanceof SVGGeometryElement) || !scale) return;
  pen.beginPath();
  if (shape instanceof SVGCircleElement) {
    const { x, y } = new DOMPoint(shape.cx.baseVal.value, shape.cy.baseVal.value).matrixTransform(scale);
    pen.arc(x, y, shape.r.baseVal.value * scale.a, 0, 2 * Math.PI);
  } else {
    for (const [at, point] of cornersOf(shape).entries()) {
      const { x, y } = point.matrixTransform(scale);
      if (at) pen.lineTo(x, y);
      else pen.moveTo(x, y);
    }
  }
  if (style.fill !== "none") {
    pen.fillStyle = style.fill;
    pen.fill();
  }
  if (style.stroke !== "none") {
    pen.strokeStyle = style.stroke;
    pen.lineWidth = parseFloat(style.strokeWidth) * scale.a;
    pen.setLineDash((style.strokeDasharray.match(/[\d.]+/g) ?? []).map((length) => Number(length) * scale.a));
    pen.stroke();
    pen.setLineDash([]);
  }
}

/** What a line goes through, straight from one to the next. @param {SVGGeometryElement} shape @returns {DOMPoint[]} */
function cornersOf(shape) {
  if (shape instanceof SVGPolylineElement) return [...shape.points].map(({ x, y }) => new DOMPoint(x, y));
  const length = shape.getTotalLength();
  return shape instanceof SVGLineElement
    ? [0, length].map((along) => shape.getPointAtLength(along))
    : Array.from({ length: STEPS + 1 }, (_, step) => shape.getPointAtLength((length * step) / STEPS));
}

/** @param {import("./views/pen.js").Pen} pen @param {Text} node @param {CSSStyleDeclaration} style @param {DOMRect} room */
function paintText(pen, node, style, room) {
  const drawing = node.parentElement instanceof SVGGraphicsElement ? node.parentElement.getScreenCTM() : null;
  pen.font = `${style.fontWeight} ${parseFloat(style.fontSize) * (drawing?.a ?? 1)}px ${style.fontFamily}`;
  pen.fillStyle = drawing ? style.fill : style.color;
  const { fontBoundingBoxAscent: above, fontBoundingBoxDescent: below } = pen.measureText("x");
  for (const { text, bounds } of linesOf(node)) {
    const baseline = bounds.top + (bounds.height * above) / (above + below);
    const shown = style.textOverflow === "ellipsis" ? cut(pen, text, room.right - bounds.left + 1) : text;
    pen.fillText(shown, bounds.left, baseline);
  }
}

/** A text as the lines it is broken into. @param {Text} node */
function linesOf(node) {
  const range = document.createRange();
  /** @type {{text: string, bounds: DOMRect}[]} */
  const lines = [];
  for (let at = 0; at < node.data.length; at++) {
    range.setStart(node, at);
    range.setEnd(node, at + 1);
    const [bounds] = range.getClientRects();
    if (!bounds?.width) continue;
    const last = lines.at(-1);
    if (last && Math.abs(last.bounds.top - bounds.top) < 2) last.text += node.data[at];
    else lines.push({ text: node.data[at], bounds });
  }
  return lines;
}
