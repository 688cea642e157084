// @ts-check
// Points on a plane: drawn fast, found again under the pointer, zoomed, and named where there is room.

import { cut, eachFrame, h, sized } from "./elements.js";
import { roundNumbers, tick } from "./numbers.js";
import { pageColour } from "./colour.js";

const REACH = 14;
const MOST_NAMED = 40;
/** How opaque points are where they crowd. */
const CROWDED = 0.8;
const MARGIN = { left: 52, right: 14, top: 12, bottom: 42 };

export class Plot {
  /** @param {string[]} names @param {Float32Array} points @param {[string, string]} axes @param {(point: number) => void} onPoint */
  constructor(names, points, axes, onPoint) {
    this.names = names;
    this.points = points;
    this.axes = axes;
    this.onPoint = onPoint;
    this.base = h("canvas");
    this.overlay = h("canvas");
    const label = `${names.length.toLocaleString("en")} points. Arrow keys go to the nearest point in that direction.`;
    this.element = h(
      "div",
      { class: "plot", tabindex: 0, role: "application", "aria-roledescription": "scatter plot", "aria-label": label },
      this.base,
      this.overlay,
    );
    /** @type {number[]} */
    this.found = [];
    this.chosen = -1;
    this.pinned = false;
    this.zoom = 1;
    this.shift = { x: 0, y: 0 };
    /** @type {Uint8Array} */
    this.index = new Uint8Array(names.length);
    // Where each point is on the canvas, x and y in turn: to draw and to hover must not ask for each again.
    this.places = new Float32Array(points.length);
    /** @type {Uint32Array} */
    this.pixels = new Uint32Array(256);
    this.dots = h("canvas");
    this.limits = [0, 1].map((axis) => limits(points, axis));
    this.redraw = eachFrame(() => this.draw());
    this.hover = eachFrame((/** @type {number} */ x, /** @type {number} */ y) => this.pointAt(x, y));
    this.listen();
  }

  listen() {
    const { element } = this;
    /** @type {{x: number, y: number, moved: boolean} | null} */
    let drag = null;
    new ResizeObserver(() => this.redraw()).observe(element);
    element.addEventListener("pointerdown", (event) => {
      drag = { x: event.offsetX, y: event.offsetY, moved: false };
    });
    element.addEventListener("pointermove", (event) => {
      if (!drag || !event.buttons) return this.hover(event.offsetX, event.offsetY);
      const [x, y] = [event.offsetX - drag.x, event.offsetY - drag.y];
      if (!drag.moved && Math.hypot(x, y) < 4) return;
      this.shift.x += x;
      this.shift.y += y;
      drag = { x: event.offsetX, y: event.offsetY, moved: true };
      this.redraw();
    });
    element.addEventListener("click", () => {
      if (!drag?.moved) this.pinned = !this.pinned;
      drag = null;
    });
    element.addEventListener("dblclick", (event) => this.zoomBy(2, event));
    element.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        this.zoomBy(Math.exp(-event.deltaY / 200), event);
      },
      { passive: false },
    );
    element.addEventListener("keydown", (event) => this.key(event));
  }

  /** Which of some colours each point has. @param {Uint8Array} index @param {Uint32Array} pixels */
  colour(index, pixels) {
    [this.index, this.pixels] = [index, pixels];
  }

  get room() {
    const { clientWidth: width, clientHeight: height } = this.element;
    return { width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom };
  }

  /** Find where the points are on the canvas. */
  project() {
    const { points, places, zoom, shift } = this;
    const { width, height } = this.room;
    const [[x0, x1], [y0, y1]] = this.limits;
    const [across, down] = [(width * zoom) / (x1 - x0), (height * zoom) / (y1 - y0)];
    const [left, bottom] = [MARGIN.left + shift.x, MARGIN.top + shift.y + height * zoom];
    for (let at = 0; at < points.length; at += 2) {
      places[at] = left + (points[at] - x0) * across;
      places[at + 1] = bottom - (points[at + 1] - y0) * down;
    }
  }

  /** @param {number} point */
  place(point) {
    return { x: this.places[2 * point], y: this.places[2 * point + 1] };
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width) return;
    this.project();
    const context = sized(this.base, width, height);
    this.paint(context, () => context.drawImage(this.raster(), 0, 0, width, height));
    this.drawCursor();
  }

  /** For a file. @returns {import("./picture.js").Picture} */
  picture() {
    const { clientWidth: width, clientHeight: height } = this.element;
    return { width, height, paint: (pen) => this.paint(pen, () => this.drawPoints(pen)) };
  }

  /** @param {import("./pen.js").Pen} pen @param {() => void} points what draws them */
  paint(pen, points) {
    const { clientWidth: width, clientHeight: height } = this.element;
    this.drawAxes(pen, width, height);
    pen.save();
    pen.beginPath();
    pen.rect(MARGIN.left, MARGIN.top, this.room.width, this.room.height);
    pen.clip();
    points();
    this.drawFound(pen);
    pen.restore();
  }

  /** The points that can be seen, each as a shape. @param {import("./pen.js").Pen} pen */
  drawPoints(pen) {
    const { places, index, pixels, size } = this;
    const { width, height } = this.room;
    pen.globalAlpha = this.crowded ? CROWDED : 1;
    for (let point = 0; point < index.length; point++) {
      const [x, y] = [places[2 * point], places[2 * point + 1]];
      const outside = x < MARGIN.left || y < MARGIN.top || x > MARGIN.left + width || y > MARGIN.top + height;
      if (outside) continue;
      pen.beginPath();
      pen.arc(x, y, size / 2, 0, 2 * Math.PI);
      const pixel = pixels[index[point]];
      pen.fillStyle = `rgb(${pixel & 255}, ${(pixel >> 8) & 255}, ${(pixel >> 16) & 255})`;
      pen.fill();
    }
    pen.globalAlpha = 1;
  }

  /** Where points crowd they are small, and let a little of the paper through. */
  get crowded() {
    return this.names.length > 5000;
  }

  /** How large a point is. */
  get size() {
    return this.crowded ? Math.min(1.6 * this.zoom ** 0.5, 4) : 3;
  }

  /** The points alone: fifty thousand set as pixels take a fraction of the time that as many shapes take. */
  raster() {
    const { dots, places, index, pixels } = this;
    [dots.width, dots.height] = [this.base.width, this.base.height];
    const context = /** @type {CanvasRenderingContext2D} */ (dots.getContext("2d"));
    const image = context.createImageData(dots.width, dots.height);
    const data = new Uint32Array(image.data.buffer);
    const size = Math.max(1, Math.floor(this.size * devicePixelRatio));
    const opacity = this.crowded ? ((CROWDED * 255) << 24) | 0xffffff : 0xffffffff;
    for (let point = 0; point < index.length; point++) {
      const left = Math.round(places[2 * point] * devicePixelRatio - size / 2);
      const top = Math.round(places[2 * point + 1] * devicePixelRatio - size / 2);
      if (left < 0 || top < 0 || left + size > dots.width || top + size > dots.height) continue;
      const pixel = pixels[index[point]] & opacity;
      for (let y = top; y < top + size; y++) {
        for (let x = left; x < left + size; x++) data[y * dots.width + x] = pixel;
      }
    }
    context.putImageData(image, 0, 0);
    return dots;
  }

  /** @param {import("./pen.js").Pen} context @param {number} width @param {number} height */
  drawAxes(context, width, height) {
    const { width: w, height: hh } = this.room;
    const [[x0, x1], [y0, y1]] = this.limits;
    const at = (/** @type {number} */ pixel, /** @type {number} */ shift, /** @type {number} */ room) =>
      (pixel - shift) / (room * this.zoom);
    const xs = [0, w].map((pixel) => x0 + (x1 - x0) * at(pixel, this.shift.x, w));
    const ys = [hh, 0].map((pixel) => y0 + (y1 - y0) * (1 - at(pixel, this.shift.y, hh)));
    context.font = "12px system-ui, sans-serif";
    context.strokeStyle = pageColour("--line");
    context.fillStyle = pageColour("--muted");
    context.strokeRect(MARGIN.left + 0.5, MARGIN.top + 0.5, w, hh);
    context.textAlign = "center";
    for (const value of roundNumbers(xs[0], xs[1], Math.max(2, Math.floor(w / 90)))) {
      const x = MARGIN.left + ((value - xs[0]) / (xs[1] - xs[0])) * w;
      context.fillRect(x, MARGIN.top + hh, 1, 4);
      context.fillText(tick(value), x, MARGIN.top + hh + 17);
    }
    context.fillText(cut(context, this.axes[0], w), MARGIN.left + w / 2, height - 6);
    context.textAlign = "right";
    for (const value of roundNumbers(ys[0], ys[1], Math.max(2, Math.floor(hh / 60)))) {
      const y = MARGIN.top + (1 - (value - ys[0]) / (ys[1] - ys[0])) * hh;
      context.fillRect(MARGIN.left - 4, y, 4, 1);
      context.fillText(tick(value), MARGIN.left - 7, y + 4);
    }
    context.textAlign = "left";
    context.fillText(cut(context, `↑ ${this.axes[1]}`, w - 12), MARGIN.left + 6, MARGIN.top + 15);
  }

  /** Rings around what was searched for, and names where they do not meet. @param {import("./pen.js").Pen} context */
  drawFound(context) {
    /** @type {{x: number, y: number, width: number}[]} */
    const taken = [];
    context.lineWidth = 2;
    context.strokeStyle = pageColour("--cursor");
    for (const point of [...this.found].reverse()) {
      const { x, y } = this.place(point);
      context.beginPath();
      context.arc(x, y, 4.5, 0, 2 * Math.PI);
      context.stroke();
    }
    for (const point of this.found) {
      if (taken.length >= MOST_NAMED) break;
      const { x, y } = this.place(point);
      const width = context.measureText(this.names[point]).width;
      if (
        taken.some((other) => Math.abs(other.y - y) < 15 && x < other.x + other.width + 12 && other.x < x + width + 12)
      )
        continue;
      taken.push({ x, y, width });
      nameTag(context, this.names[point], x + 8, y, this.element.clientWidth);
    }
  }

  drawCursor() {
    const { clientWidth: width, clientHeight: height } = this.element;
    const context = sized(this.overlay, width, height);
    if (this.chosen < 0) return;
    const { x, y } = this.place(this.chosen);
    context.beginPath();
    context.arc(x, y, 7, 0, 2 * Math.PI);
    context.lineWidth = 2.5;
    context.strokeStyle = pageColour("--cursor");
    context.stroke();
    nameTag(context, this.names[this.chosen], x + 11, y, width);
  }

  /** @param {number} point */
  choose(point) {
    this.chosen = point;
    this.onPoint(point);
    this.drawCursor();
  }

  /** @param {number} x @param {number} y */
  pointAt(x, y) {
    if (this.pinned) return;
    const { places } = this;
    let [best, nearest] = [-1, REACH ** 2];
    for (let at = 0; at < places.length; at += 2) {
      const distance = (places[at] - x) ** 2 + (places[at + 1] - y) ** 2;
      if (distance < nearest) [best, nearest] = [at / 2, distance];
    }
    if (best >= 0 && best !== this.chosen) this.choose(best);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const directions = /** @type {Record<string, [number, number]>} */ ({
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
    });
    const direction = directions[event.key];
    if (direction) this.step(direction);
    else if (event.key === "+" || event.key === "=") this.zoomBy(1.5);
    else if (event.key === "-") this.zoomBy(1 / 1.5);
    else if (event.key === "0") this.zoomBy(1 / this.zoom);
    else if (event.key === "Escape" && this.pinned) this.pinned = false;
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** To the nearest point within a quarter turn around a direction. @param {[number, number]} direction */
  step([dx, dy]) {
    const from = this.place(Math.max(this.chosen, 0));
    let [best, nearest] = [Math.max(this.chosen, 0), Infinity];
    for (let point = 0; point < this.names.length; point++) {
      const { x, y } = this.place(point);
      const [along, aside] = [
        (x - from.x) * dx + (y - from.y) * dy,
        Math.abs((x - from.x) * dy) + Math.abs((y - from.y) * dx),
      ];
      if (along > 0.5 && aside <= along && along + aside < nearest) [best, nearest] = [point, along + aside];
    }
    this.choose(best);
  }

  /** @param {number} factor @param {MouseEvent} [event] */
  zoomBy(factor, event) {
    const zoom = Math.min(Math.max(this.zoom * factor, 1), 400);
    const ratio = zoom / this.zoom;
    const middle =
      this.chosen >= 0
        ? this.place(this.chosen)
        : { x: MARGIN.left + this.room.width / 2, y: MARGIN.top + this.room.height / 2 };
    const [x, y] = event
      ? [event.offsetX - MARGIN.left, event.offsetY - MARGIN.top]
      : [middle.x - MARGIN.left, middle.y - MARGIN.top];
    this.shift = zoom === 1 ? { x: 0, y: 0 } : { x: x - (x - this.shift.x) * ratio, y: y - (y - this.shift.y) * ratio };
    this.zoom = zoom;
    this.redraw();
  }
}

/** The least and the greatest of a coordinate, with a little air. @param {Float32Array} points @param {number} axis */
function limits(points, axis) {
  let [low, high] = [Infinity, -Infinity];
  for (let at = axis; at < points.length; at += 2) {
    low = Math.min(low, points[at]);
    high = Math.max(high, points[at]);
  }
  const air = (high - low) * 0.04 || 1;
  return [low - air, high + air];
}

/** @param {import("./pen.js").Pen} context @param {string} name @param {number} x @param {number} y @param {number} width */
function nameTag(context, name, x, y, width) {
  context.font = "12px ui-monospace, Menlo, Consolas, monospace";
  const shown = cut(context, name, 180);
  const size = context.measureText(shown).width;
  const left = x + size + 8 > width ? x - size - 26 : x;
  context.fillStyle = pageColour("--paper");
  context.globalAlpha = 0.85;
  context.fillRect(left - 3, y - 9, size + 6, 17);
  context.globalAlpha = 1;
  context.fillStyle = pageColour("--ink");
  context.fillText(shown, left, y + 4);
}
