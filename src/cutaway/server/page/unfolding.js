// @ts-check
// Attention row by row, up to the step that one is at: all heads small, and one head larger.
//
// Every picture is painted once and whole; a step only moves where it is covered, so that a thousand of them in a row
// cost next to nothing.

import { eachFrame, h, sized } from "./views/elements.js";
import { raster } from "./views/cells.js";
import { BLANK, colourMap, indexAt, pageColour } from "./views/colour.js";
import { Thumbnails } from "./views/thumbnails.js";

/** @typedef {import("./views/thumbnails.js").Head} Head */

/** All heads, each covered below the newest row. */
export class SmallHeads {
  /**
   * @param {import("./generation.js").Generation} generation
   * @param {{onHover: (head: Head) => void, onLeave: () => void, onChoose: (head: Head) => void}} options
   */
  constructor({ heads, thumbnails, length }, { onHover, onLeave, onChoose }) {
    this.small = new Thumbnails(heads, thumbnails, { onHover: (head) => head && onHover(head), onChoose });
    this.length = length;
    this.step = 0;
    this.cover = h("canvas");
    this.size = { width: 0, height: 0 };
    this.element = this.small.element;
    this.small.overlay.before(this.cover);
    // After that of the thumbnails, so that they know their places by then.
    new ResizeObserver(() => this.measure()).observe(this.element);
    // By the frame, as moves are: or a move would be heard of after the pointer has left.
    this.element.addEventListener("pointerleave", eachFrame(onLeave));
  }

  measure() {
    const { clientWidth: width, clientHeight: height } = this.element;
    this.size = { width, height };
    this.draw();
  }

  /** The colours have changed. */
  repaint() {
    this.small.draw();
    this.draw();
  }

  /** @param {number} step */
  show(step) {
    const before = this.edge();
    this.step = step;
    if (this.edge() !== before) this.draw();
  }

  /** Where the rows end that have been read, in pixels from the top of each picture. */
  edge() {
    return Math.round(((this.step + 1) / this.length) * this.pictured());
  }

  /** How large each picture is. */
  pictured() {
    return this.small.cell - (this.size.width / this.small.columns.length > 40 ? 4 : 2);
  }

  draw() {
    if (this.size.width) this.paint(sized(this.cover, this.size.width, this.size.height));
  }

  /** What covers the pictures. @param {import("./views/pen.js").Pen} pen */
  paint(pen) {
    const [edge, whole] = [this.edge(), this.pictured()];
    const [paper, line] = [pageColour("--panel"), pageColour("--cursor")];
    for (const head of this.small.heads) {
      const { x, y } = this.small.place(head);
      pen.fillStyle = paper;
      // A hair more on each side, for the pictures lie between the pixels.
      pen.fillRect(x - 0.5, y + edge, whole + 1, whole - edge + 0.5);
      pen.fillStyle = line;
      pen.fillRect(x, y + edge - 1, whole, 1);
    }
  }

  /** For a file. @returns {import("./views/picture.js").Picture} */
  picture() {
    const heads = this.small.picture();
    const paint = (/** @type {import("./views/pen.js").Pen} */ pen) => {
      heads.paint(pen);
      this.paint(pen);
    };
    return { ...heads, paint };
  }
}

/** One head, cut off below the newest row. */
export class LargeHead {
  /**
   * @param {number} length
   * @param {{onHover: (query: number, key: number) => void, onLeave: () => void, onChoose: (query: number) => void}} options
   */
  constructor(length, { onHover, onLeave, onChoose }) {
    this.length = length;
    this.step = 0;
    this.canvas = h("canvas", { role: "img" });
    this.line = h("i");
    this.element = h("div", { class: "large-head" }, this.canvas, this.line);
    /** @type {{pattern: import("./generation.js").Pattern, head: Head} | null} */
    this.shown = null;
    new ResizeObserver(() => this.draw()).observe(this.element);
    const hover = eachFrame((/** @type {{query: number, key: number}} */ { query, key }) => onHover(query, key));
    this.element.addEventListener("pointermove", (event) => {
      const { query, key } = this.hit(event);
      if (key <= query && query <= this.step) hover({ query, key });
    });
    this.element.addEventListener("pointerleave", eachFrame(onLeave));
    this.element.addEventListener("click", (event) => onChoose(this.hit(event).query));
  }

  /** @param {MouseEvent} event */
  hit(event) {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    const place = (/** @type {number} */ share) =>
      Math.min(this.length - 1, Math.max(0, Math.floor(share * this.length)));
    return { query: place((event.clientY - top) / height), key: place((event.clientX - left) / width) };
  }

  /** @param {import("./generation.js").Pattern} pattern @param {Head} head */
  paint(pattern, head) {
    this.shown = { pattern, head };
    this.canvas.setAttribute("aria-label", `Attention of layer ${head.layer}, head ${head.head}, row by row`);
    this.draw();
  }

  draw() {
    const width = this.element.clientWidth;
    if (width) this.paintRows(sized(this.canvas, width, width), width, this.length);
  }

  /** As far as it has been written, for a file. @returns {import("./views/picture.js").Picture} */
  picture() {
    const { clientWidth: width } = this.element;
    return { width, height: width, paint: (pen) => this.paintRows(pen, width, this.step + 1) };
  }

  /** @param {import("./views/pen.js").Pen} pen @param {number} width @param {number} rows how many of them, from the top */
  paintRows(pen, width, rows) {
    if (!this.shown) return;
    const { length } = this;
    const { pattern, head } = this.shown;
    const brightest = pattern.top * Math.sqrt(head.brightest) || 1;
    const index = new Uint8Array(length * length).fill(BLANK);
    for (let query = 0, at = 0; query < length; query++) {
      for (let key = 0; key <= query; key++, at++)
        index[query * length + key] = indexAt(pattern.levels[at] / brightest);
    }
    const size = width / length;
    const [across, down] = [length, rows].map((last) => ({ cells: { first: 0, last }, size }));
    const pixels = raster(index, length, across, down, colourMap("viridis"));
    pen.imageSmoothingEnabled = false;
    pen.drawImage(pixels, 0, 0, width, rows * size);
  }

  /** @param {number} step */
  show(step) {
    this.step = step;
    const read = (100 * (step + 1)) / this.length;
    this.canvas.style.clipPath = `inset(0 0 ${(100 - read).toFixed(2)}% 0)`;
    this.line.style.top = `${read.toFixed(2)}%`;
  }
}
