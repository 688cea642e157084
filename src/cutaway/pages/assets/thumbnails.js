// @ts-check
// All heads at a glance: layers down, heads across, each head's attention as a small picture.

import { cut, eachFrame, h, sized } from "./elements.js";
import { colourMap, indexAt, pageColour } from "./colour.js";

const FONT = "12px system-ui, sans-serif";
const LARGEST = 200;

/**
 * @typedef {object} Head
 * @property {number} layer
 * @property {number} head
 * @property {number} brightest the weight that has the thumbnail's brightest colour
 * @property {number} to_first
 * @property {number} to_previous
 * @property {number} to_itself
 * @property {number} entropy_bits
 */

export class Thumbnails {
  /**
   * @param {Head[]} heads
   * @param {Uint8Array} levels of all thumbnails, one after the other
   * @param {{onHover: (head: Head | null) => void, onChoose: (head: Head) => void}} options
   */
  constructor(heads, levels, options) {
    this.heads = heads;
    this.options = options;
    this.size = Math.round(Math.sqrt(levels.length / heads.length));
    this.layers = [...new Set(heads.map(({ layer }) => layer))];
    this.columns = [...new Set(heads.map(({ head }) => head))].sort((a, b) => a - b);
    this.levels = levels;
    this.colours = colourMap("viridis");
    this.left = 16;
    this.top = 18;
    this.cell = 1;
    this.gap = 2;
    this.sharedScale = false;
    /** @type {Head | null} */
    this.chosen = null;
    this.base = h("canvas");
    this.overlay = h("canvas");
    const label = `All heads: ${this.layers.length} layers and ${this.columns.length} heads. Arrow keys move, Enter opens.`;
    this.element = h(
      "div",
      {
        class: "thumbnails",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "grid of heads",
        "aria-label": label,
      },
      this.base,
      this.overlay,
    );
    new ResizeObserver(() => this.draw()).observe(this.element);
    const hover = eachFrame((/** @type {Head | null} */ head) => head && this.choose(head));
    this.element.addEventListener("pointermove", (event) => hover(this.hit(event)));
    this.element.addEventListener("click", (event) => {
      const head = this.hit(event);
      if (head) options.onChoose(head);
    });
    this.element.addEventListener("keydown", (event) => this.key(event));
  }

  /** @param {number} layer @param {number} head */
  find(layer, head) {
    return this.heads.find((each) => each.layer === layer && each.head === head) ?? null;
  }

  /** The head so many layers and heads away, round the corner at the ends. @param {Head} from @param {number} layers @param {number} heads */
  neighbour(from, layers, heads) {
    const L = this.layers.length;
    const H = this.columns.length;
    let row = this.layers.indexOf(from.layer);
    let column = this.columns.indexOf(from.head);
    for (let tried = 0; tried < L * H; tried++) {
      column += heads;
      row = (row + layers + Math.floor(column / H) + L) % L;
      column = (column + H) % H;
      const found = this.find(this.layers[row], this.columns[column]);
      if (found) return found;
    }
    return from;
  }

  draw() {
    const width = this.element.clientWidth;
    if (!width) return;
    const gap = width / this.columns.length > 40 ? 4 : 2;
    this.left = Math.max(16, 10 + 7 * String(this.layers.at(-1)).length);
    const high = Math.max(64, (innerHeight - 240) / this.layers.length);
    this.cell = Math.min(LARGEST, high, (width - this.left) / this.columns.length);
    const height = this.top + this.layers.length * this.cell;
    this.element.style.height = `${height}px`;
    this.gap = gap;
    this.paint(sized(this.base, width, height));
    this.drawCursor();
  }

  /** For a file. @returns {import("./picture.js").Picture} */
  picture() {
    const { clientWidth: width, clientHeight: height } = this.element;
    return { width, height, paint: (pen) => this.paint(pen) };
  }

  /** @param {import("./pen.js").Pen} pen */
  paint(pen) {
    const scratch = h("canvas", { width: this.size, height: this.size });
    this.heads.forEach((head, number) => {
      this.fill(scratch, number);
      const { x, y } = this.place(head);
      // Shrinking averages, enlarging keeps the cells as they are.
      pen.imageSmoothingEnabled = this.cell * devicePixelRatio < this.size;
      pen.imageSmoothingQuality = "high";
      const edge = this.cell - this.gap;
      pen.fillStyle = pageColour("--panel");
      pen.fillRect(x, y, edge, edge);
      pen.drawImage(scratch, x, y, edge, edge);
    });
    this.drawLabels(pen);
  }

  /** @param {HTMLCanvasElement} canvas @param {number} number */
  fill(canvas, number) {
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const image = context.createImageData(this.size, this.size);
    const pixels = new Uint32Array(image.data.buffer);
    const { colours } = this;
    // The square root of a weight relative to the brightest; on a shared scale relative to 1.
    const factor = this.sharedScale ? Math.sqrt(this.heads[number].brightest) / 255 : 1 / 255;
    for (let row = 0, start = number * this.size ** 2; row < this.size; row++, start += this.size) {
      for (let column = 0; column <= row; column++) {
        pixels[row * this.size + column] = colours.pixels[indexAt(this.levels[start + column] * factor)];
      }
    }
    context.putImageData(image, 0, 0);
  }

  /** @param {import("./pen.js").Pen} context */
  drawLabels(context) {
    const { left, top, cell } = this;
    context.font = FONT;
    context.fillStyle = pageColour("--muted");
    context.textAlign = "center";
    this.columns.forEach((head, at) =>
      context.fillText(cut(context, String(head), cell), left + (at + 0.5) * cell - 2, 12),
    );
    context.textAlign = "right";
    this.layers.forEach((layer, at) => {
      if (cell >= 12 || at % 2 === 0) context.fillText(String(layer), left - 6, top + (at + 0.5) * cell + 2);
    });
    context.textAlign = "left";
  }

  drawCursor() {
    const { cell } = this;
    const context = sized(this.overlay, this.element.clientWidth, this.element.clientHeight);
    if (!this.chosen) return;
    const { x, y } = this.place(this.chosen);
    const { gap } = this;
    context.lineWidth = 2;
    context.strokeStyle = pageColour("--cursor");
    context.strokeRect(x - 1, y - 1, cell - gap + 2, cell - gap + 2);
  }

  /** @param {Head} head */
  place({ layer, head }) {
    return {
      x: this.left + this.columns.indexOf(head) * this.cell,
      y: this.top + this.layers.indexOf(layer) * this.cell,
    };
  }

  /** @param {MouseEvent} event */
  hit(event) {
    const bounds = this.element.getBoundingClientRect();
    const row = Math.floor((event.clientY - bounds.top - this.top) / this.cell);
    const column = Math.floor((event.clientX - bounds.left - this.left) / this.cell);
    return this.find(this.layers[row], this.columns[column]);
  }

  /** @param {Head} head */
  choose(head) {
    if (this.chosen === head) return;
    this.chosen = head;
    this.drawCursor();
    this.options.onHover(head);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const from = this.chosen ?? this.heads[0];
    /** @type {Record<string, [number, number]>} */
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key === "Enter" || event.key === " ") this.options.onChoose(from);
    else if (moves[event.key]) this.choose(this.chosen ? this.neighbour(from, ...moves[event.key]) : from);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
