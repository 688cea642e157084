// @ts-check
// A heat map of any size: scrolls like a page, zooms, knows which cell is under the pointer, and works by keyboard.
//
// Two canvases as large as the visible part lie over a stage as large as the whole. The lower one is drawn when the
// view moves; the upper one, with the cross-hair, whenever the pointer does.

import { cut, eachFrame, h, sized } from "./elements.js";
import { BLANK, pageColour } from "./colour.js";
import { raster, snapped, span } from "./cells.js";
import { Labels } from "./labels.js";

const CELL_FONT = "12px ui-monospace, Menlo, Consolas, monospace";
const LARGEST_CELL = 160;
/** Cells that are drawn one by one into a file; of more, those that share a pixel are drawn as one. */
const MOST_CELLS = 1 << 20;

/**
 * @typedef {object} GridOptions
 * @property {string} label what it shows, for screen readers
 * @property {string[]} rows
 * @property {string[]} columns
 * @property {string} rowAxis
 * @property {string} columnAxis
 * @property {boolean} [counted] where cells are too small for labels, show numbers instead
 * @property {(row: number, column: number) => string} [text] what a cell says, where there is room
 * @property {[number, number]} [cellWidth] least and most, in pixels, before zooming
 * @property {[number, number]} [cellHeight]
 * @property {boolean} [square]
 * @property {(row: number, column: number) => number} [lastColumn] the last column the keyboard may reach in a row
 * @property {(cell: Cell | null) => void} onCell
 */
/** @typedef {{row: number, column: number, pinned: boolean, byKey: boolean}} Cell */

export class Grid {
  /** @param {GridOptions} options */
  constructor(options) {
    this.options = options;
    this.base = h("canvas");
    this.overlay = h("canvas");
    this.stage = h("div", { class: "stage" }, h("div", { class: "sticky" }, this.base, this.overlay));
    this.element = h(
      "div",
      {
        class: "grid",
        tabindex: 0,
        role: "application",
        "aria-roledescription": "heat map",
        "aria-label": `${options.label}. Arrow keys move, plus and minus zoom, Enter pins.`,
      },
      this.stage,
    );
    /** @type {Uint8Array} */
    this.index = new Uint8Array(options.rows.length * options.columns.length).fill(BLANK);
    /** @type {import("./colour.js").ColourMap | null} */
    this.colours = null;
    /** @type {Cell | null} */
    this.cell = null;
    /** @type {{x: number, y: number, moved: boolean} | null} */
    this.drag = null;
    this.labels = new Labels(this);
    /** @type {{across: import("./cells.js").Span, down: import("./cells.js").Span} | null} */
    this.visible = null;
    /** @type {{width: number, height: number, left: number, top: number} | null} */
    this.all = null;
    this.zoom = 1;
    this.fit = { width: 1, height: 1 };
    this.gutter = { left: 60, top: 40 };
    this.redraw = eachFrame(() => this.draw());
    this.point = eachFrame((/** @type {{row: number, column: number} | null} */ at) => this.pointAt(at));
    this.listen();
  }

  get cellWidth() {
    return this.fit.width * this.zoom;
  }

  get cellHeight() {
    return this.fit.height * this.zoom;
  }

  /**
   * New colours for the same cells.
   *
   * @param {Uint8Array} index
   * @param {import("./colour.js").ColourMap} colours
   */
  show(index, colours) {
    [this.index, this.colours] = [index, colours];
    this.redraw();
  }

  listen() {
    const { element } = this;
    new ResizeObserver(() => this.layout()).observe(element);
    element.addEventListener("scroll", () => this.redraw());
    element.addEventListener("pointermove", (event) => {
      if (this.drag) this.pan(event);
      else this.point(this.hit(event));
    });
    element.addEventListener("pointerleave", () => this.point(null));
    element.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) {
        this.drag = { x: event.clientX, y: event.clientY, moved: false };
      }
    });
    for (const ending of ["pointerup", "pointercancel"]) {
      element.addEventListener(ending, () => setTimeout(() => (this.drag = null)));
    }
    element.addEventListener("click", (event) => {
      if (!this.drag?.moved) this.pin(this.hit(event));
    });
    element.addEventListener("dblclick", (event) => this.zoomBy(2, event));
    element.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    element.addEventListener("keydown", (event) => this.key(event));
  }

  /** Find cell sizes and margins for the room there is. */
  layout() {
    const { options, element } = this;
    const width = element.clientWidth;
    if (!width) return;
    const context = /** @type {CanvasRenderingContext2D} */ (this.base.getContext("2d"));
    this.gutter.left = this.labels.measure(context, width < 500 ? 78 : 130);
    const room = { width: width - this.gutter.left - 2, height: mostHigh() - 48 };
    const [[leastW, mostW], [leastH, mostH]] = [options.cellWidth ?? [0, 48], options.cellHeight ?? [0, 32]];
    const clamp = (/** @type {number} */ size, /** @type {number} */ least, /** @type {number} */ most) =>
      Math.max(least, Math.min(most, size));
    this.fit.width = snapped(clamp(room.width / options.columns.length, leastW, mostW));
    this.fit.height = snapped(clamp(room.height / options.rows.length, leastH, mostH));
    if (options.square) this.fit.width = this.fit.height = Math.min(this.fit.width, this.fit.height);
    this.resize();
    // The element is as high as its content wants, once; zooming in then scrolls.
    const height = this.gutter.top + options.rows.length * this.fit.height + 2;
    element.style.height = `${Math.ceil(Math.min(height, mostHigh())) + this.scrollbar()}px`;
    this.redraw();
  }

  /** Room that a horizontal scroll bar takes. */
  scrollbar() {
    const needed = this.gutter.left + this.options.columns.length * this.fit.width > this.element.clientWidth + 1;
    return needed ? 16 : 2;
  }

  /** Give the stage the size of all cells at the present zoom. */
  resize() {
    const { rows, columns } = this.options;
    this.gutter.top = this.labels.height();
    this.stage.style.width = `${this.gutter.left + columns.length * this.cellWidth}px`;
    this.stage.style.height = `${this.gutter.top + rows.length * this.cellHeight}px`;
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!this.colours || !width) return;
    this.paint(sized(this.base, width, height));
    this.drawCursor();
  }

  /** The part that is looked at: what can be seen, or all when the whole is painted. */
  get port() {
    const { clientWidth: width, clientHeight: height, scrollLeft: left, scrollTop: top } = this.element;
    return this.all ?? { width, height, left, top };
  }

  /** What can be seen, with its labels, for a file. @returns {import("./picture.js").Picture} */
  picture() {
    const { gutter, port } = this;
    const { rows, columns } = this.options;
    const width = Math.min(port.width, gutter.left + columns.length * this.cellWidth - port.left + 2);
    const height = Math.min(port.height, gutter.top + rows.length * this.cellHeight - port.top + 2);
    const all = { ...port, width, height };
    return { width, height, paint: (pen) => this.during({ all }, () => this.paintLabelled(pen)) };
  }

  /**
   * All of it, with its labels, for a file: as it is before zooming, but each cell a pixel at least unless there are a
   * great many.
   *
   * @returns {import("./picture.js").Picture}
   */
  whole() {
    const { rows, columns } = this.options;
    const least = rows.length * columns.length <= MOST_CELLS ? 1 : 0;
    const fit = { width: Math.max(this.fit.width, least), height: Math.max(this.fit.height, least) };
    const { left } = this.gutter;
    const top = this.during({ fit, zoom: 1 }, () => this.labels.height());
    const [width, height] = [left + columns.length * fit.width + 2, top + rows.length * fit.height + 2];
    const all = { width, height, left: 0, top: 0 };
    const paint = (/** @type {import("./pen.js").Pen} */ pen) =>
      this.during({ fit, zoom: 1, all, gutter: { left, top } }, () => this.paintLabelled(pen));
    return { width, height, paint };
  }

  /** Do something as if the grid were different. @template T @param {Record<string, any>} different @param {() => T} work */
  during(different, work) {
    const { fit, zoom, all, gutter, visible } = this;
    Object.assign(this, different);
    try {
      return work();
    } finally {
      Object.assign(this, { fit, zoom, all, gutter, visible });
    }
  }

  /** @param {import("./pen.js").Pen} pen */
  paintLabelled(pen) {
    this.paint(pen);
    this.labels.draw(pen, null);
  }

  /** @param {import("./pen.js").Pen} pen */
  paint(pen) {
    const { colours, options, gutter, cellWidth, cellHeight, port } = this;
    if (!colours) return;
    const across = span(port.left, port.width - gutter.left, cellWidth, options.columns.length);
    const down = span(port.top, port.height - gutter.top, cellHeight, options.rows.length);
    const x = gutter.left + across.first * cellWidth - port.left;
    const y = gutter.top + down.first * cellHeight - port.top;
    pen.save();
    pen.beginPath();
    pen.rect(gutter.left, gutter.top, port.width, port.height);
    pen.clip();
    pen.imageSmoothingEnabled = false;
    const picture = raster(
      this.index,
      options.columns.length,
      { cells: across, size: cellWidth },
      { cells: down, size: cellHeight },
      colours,
    );
    pen.drawImage(picture, x, y, (across.last - across.first) * cellWidth, (down.last - down.first) * cellHeight);
    if (cellWidth >= 12 && cellHeight >= 12) this.drawGaps(pen, across, down, x, y);
    if (options.text && cellWidth >= 30 && cellHeight >= 14) this.drawTexts(pen, across, down, colours);
    pen.restore();
    this.visible = { across, down };
  }

  /**
   * @param {import("./pen.js").Pen} context @param {import("./cells.js").Span} across @param {import("./cells.js").Span} down
   * @param {number} x @param {number} y
   */
  drawGaps(context, across, down, x, y) {
    context.fillStyle = pageColour("--paper");
    const [width, height] = [(across.last - across.first) * this.cellWidth, (down.last - down.first) * this.cellHeight];
    for (let i = 1; i <= across.last - across.first; i++) context.fillRect(x + i * this.cellWidth - 1, y, 1, height);
    for (let i = 1; i <= down.last - down.first; i++) context.fillRect(x, y + i * this.cellHeight - 1, width, 1);
  }

  /**
   * @param {import("./pen.js").Pen} context @param {import("./cells.js").Span} across @param {import("./cells.js").Span} down
   * @param {import("./colour.js").ColourMap} colours
   */
  drawTexts(context, across, down, colours) {
    const text = /** @type {(row: number, column: number) => string} */ (this.options.text);
    context.font = CELL_FONT;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let row = down.first; row < down.last; row++) {
      for (let column = across.first; column < across.last; column++) {
        const index = this.index[row * this.options.columns.length + column];
        context.fillStyle = index === BLANK ? pageColour("--muted") : colours.ink[index];
        const box = this.box(row, column);
        const shown = cut(context, text(row, column), this.cellWidth - 6);
        context.fillText(shown, box.x + this.cellWidth / 2, box.y + this.cellHeight / 2 + 1);
      }
    }
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
  }

  drawCursor() {
    const { element, gutter, cell, cellWidth, cellHeight, options } = this;
    const [width, height] = [element.clientWidth, element.clientHeight];
    const context = sized(this.overlay, width, height);
    this.labels.draw(context, cell);
    if (!cell) return;
    const { x, y } = this.box(cell.row, cell.column);
    context.save();
    context.beginPath();
    context.rect(gutter.left - 1, gutter.top - 1, width, height);
    context.clip();
    context.fillStyle = pageColour("--band");
    context.fillRect(gutter.left, y - 1, options.columns.length * cellWidth, 1);
    context.fillRect(gutter.left, y + Math.max(cellHeight, 1), options.columns.length * cellWidth, 1);
    context.fillRect(x - 1, gutter.top, 1, options.rows.length * cellHeight);
    context.fillRect(x + Math.max(cellWidth, 1), gutter.top, 1, options.rows.length * cellHeight);
    context.lineWidth = cell.pinned ? 3 : 2;
    context.strokeStyle = pageColour("--cursor");
    context.strokeRect(x - 1.5, y - 1.5, Math.max(cellWidth, 2) + 2, Math.max(cellHeight, 2) + 2);
    context.restore();
    this.labels.drawTags(context, cell);
  }

  /** Where a cell is in the visible part. @param {number} row @param {number} column */
  box(row, column) {
    const { left, top } = this.port;
    return {
      x: this.gutter.left + column * this.cellWidth - left,
      y: this.gutter.top + row * this.cellHeight - top,
    };
  }

  /** The cell under a pointer, or null. @param {MouseEvent} event */
  hit(event) {
    const bounds = this.element.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left - this.gutter.left, event.clientY - bounds.top - this.gutter.top];
    const column = Math.floor((x + this.element.scrollLeft) / this.cellWidth);
    const row = Math.floor((y + this.element.scrollTop) / this.cellHeight);
    const { rows, columns } = this.options;
    return x >= 0 && y >= 0 && row < rows.length && column < columns.length ? { row, column } : null;
  }

  /** The pointer is here; unless a cell is pinned, that is the cell spoken of. @param {{row: number, column: number} | null} at */
  pointAt(at) {
    if (!at || this.cell?.pinned) return;
    if (this.cell?.row === at.row && this.cell.column === at.column) return;
    this.setCell({ ...at, pinned: false, byKey: false });
  }

  /** Keep a cell, or let go of it when it is the one that is kept. @param {{row: number, column: number} | null} at */
  pin(at) {
    if (!at) return;
    const same = this.cell?.pinned && this.cell.row === at.row && this.cell.column === at.column;
    this.setCell({ ...at, pinned: !same, byKey: false });
  }

  /** @param {Cell | null} cell */
  setCell(cell) {
    this.cell = cell;
    this.drawCursor();
    this.options.onCell(cell);
  }

  /** @param {number} row @param {number} column */
  moveTo(row, column) {
    const { rows, columns, lastColumn } = this.options;
    const y = Math.min(Math.max(row, 0), rows.length - 1);
    const x = Math.min(Math.max(column, 0), lastColumn ? lastColumn(y, column) : columns.length - 1);
    this.reveal(y, x);
    this.setCell({ row: y, column: x, pinned: this.cell?.pinned ?? false, byKey: true });
  }

  /** Scroll so far that a cell is visible. @param {number} row @param {number} column */
  reveal(row, column) {
    const { element, gutter } = this;
    const { x, y } = this.box(row, column);
    const [right, bottom] = [x + this.cellWidth - element.clientWidth, y + this.cellHeight - element.clientHeight];
    if (x < gutter.left) element.scrollLeft += x - gutter.left;
    else if (right > 0) element.scrollLeft += right;
    if (y < gutter.top) element.scrollTop += y - gutter.top;
    else if (bottom > 0) element.scrollTop += bottom;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { row, column } = this.cell ?? { row: 0, column: 0 };
    const far = event.shiftKey ? 10 : 1;
    const { rows, columns } = this.options;
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowUp: () => this.moveTo(row - far, column),
      ArrowDown: () => this.moveTo(row + far, column),
      ArrowLeft: () => this.moveTo(row, column - far),
      ArrowRight: () => this.moveTo(row, column + far),
      PageUp: () => this.moveTo(row - 25, column),
      PageDown: () => this.moveTo(row + 25, column),
      Home: () => this.moveTo(event.shiftKey ? 0 : row, 0),
      End: () => this.moveTo(event.shiftKey ? rows.length - 1 : row, columns.length - 1),
      "+": () => this.zoomBy(1.5),
      "=": () => this.zoomBy(1.5),
      "-": () => this.zoomBy(1 / 1.5),
      0: () => this.zoomBy(1 / this.zoom),
      Enter: () => this.pin(this.cell ?? { row: 0, column: 0 }),
      " ": () => this.pin(this.cell ?? { row: 0, column: 0 }),
    };
    const unpin = event.key === "Escape" && this.cell?.pinned;
    if (!unpin && !actions[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    if (unpin) this.pin(this.cell);
    else actions[event.key]();
  }

  /** Zoom around a pointer, or else around the cell spoken of. @param {number} factor @param {MouseEvent} [event] */
  zoomBy(factor, event) {
    const { element, gutter } = this;
    const bounds = element.getBoundingClientRect();
    const cell = this.cell && this.box(this.cell.row, this.cell.column);
    const anchor = event
      ? { x: event.clientX - bounds.left, y: event.clientY - bounds.top }
      : (cell ?? { x: element.clientWidth / 2, y: element.clientHeight / 2 });
    const column = (anchor.x - gutter.left + element.scrollLeft) / this.cellWidth;
    const row = (anchor.y - gutter.top + element.scrollTop) / this.cellHeight;
    const most = Math.max(1, LARGEST_CELL / Math.max(this.fit.width, this.fit.height));
    this.zoom = Math.min(Math.max(this.zoom * factor, 1), most);
    this.resize();
    element.scrollLeft = column * this.cellWidth + gutter.left - anchor.x;
    element.scrollTop = row * this.cellHeight + gutter.top - anchor.y;
    this.redraw();
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / 200), event);
  }

  /** @param {PointerEvent} event */
  pan(event) {
    const drag = /** @type {{x: number, y: number, moved: boolean}} */ (this.drag);
    if (!event.buttons) {
      this.drag = null;
      return;
    }
    const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
    if (!drag.moved && Math.hypot(x, y) < 4) return;
    this.element.scrollLeft -= x;
    this.element.scrollTop -= y;
    this.drag = { x: event.clientX, y: event.clientY, moved: true };
  }
}

/** How high a grid may be, so that its legend is seen with it. */
function mostHigh() {
  return Math.min(Math.max(innerHeight - 196, 340), 1100);
}
