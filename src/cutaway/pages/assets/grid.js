// @ts-check
// A heat map of any size: scrolls like a page, zooms, knows which cell is under the pointer, and works by keyboard.
//
// Two canvases as large as the visible part lie over a stage as large as the whole. The lower one is drawn when the
// view moves; the upper one, with the cross-hair, whenever the pointer does.

import { cut, eachFrame, h, sized } from "./elements.js";
import { BLANK, pageColour } from "./colour.js";
import { roundStep } from "./numbers.js";

const FONT = "12px system-ui, sans-serif";
const CELL_FONT = "12px ui-monospace, Menlo, Consolas, monospace";
const LARGEST_CELL = 160;

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
    this.scratch = h("canvas");
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
    this.longest = { row: 0, column: 0 };
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
    context.font = FONT;
    const most = width < 500 ? 78 : 130;
    const longest = (/** @type {string[]} */ names) =>
      Math.min(
        most,
        names.reduce((most, name) => Math.max(most, context.measureText(name).width), 0),
      );
    const axes = Math.max(
      context.measureText(`${options.columnAxis} →`).width,
      context.measureText(`${options.rowAxis} ↓`).width,
    );
    this.longest = { row: longest(options.rows), column: longest(options.columns) };
    this.gutter.left = Math.ceil(Math.max(this.longest.row, axes) + 14);
    const room = { width: width - this.gutter.left - 2, height: Math.min(innerHeight * 0.8, 900) - 48 };
    const [[leastW, mostW], [leastH, mostH]] = [options.cellWidth ?? [0, 48], options.cellHeight ?? [0, 32]];
    const clamp = (/** @type {number} */ size, /** @type {number} */ least, /** @type {number} */ most) =>
      Math.max(least, Math.min(most, size));
    this.fit.width = snapped(clamp(room.width / options.columns.length, leastW, mostW));
    this.fit.height = snapped(clamp(room.height / options.rows.length, leastH, mostH));
    if (options.square) this.fit.width = this.fit.height = Math.min(this.fit.width, this.fit.height);
    this.resize();
    // The element is as high as its content wants, once; zooming in then scrolls.
    const height = this.gutter.top + options.rows.length * this.fit.height + 2;
    element.style.height = `${Math.ceil(Math.min(height, innerHeight * 0.8, 900)) + this.scrollbar()}px`;
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
    this.gutter.top = this.headHeight();
    this.stage.style.width = `${this.gutter.left + columns.length * this.cellWidth}px`;
    this.stage.style.height = `${this.gutter.top + rows.length * this.cellHeight}px`;
  }

  headHeight() {
    const kind = this.columnLabels();
    return kind === "upright" ? Math.max(40, this.longest.column + 12) : 40;
  }

  /** How the columns are named: side by side where they fit, upright where they do not, or only some of them. */
  columnLabels() {
    const longest = this.longest.column;
    if (this.cellWidth >= Math.min(longest, 54) + 8) return "level";
    return this.cellWidth >= 13 && longest > this.cellWidth - 6 ? "upright" : "some";
  }

  draw() {
    const { element, colours, options, gutter, cellWidth, cellHeight } = this;
    const [width, height] = [element.clientWidth, element.clientHeight];
    if (!colours || !width) return;
    const context = sized(this.base, width, height);
    const across = span(element.scrollLeft, width - gutter.left, cellWidth, options.columns.length);
    const down = span(element.scrollTop, height - gutter.top, cellHeight, options.rows.length);
    const x = gutter.left + across.first * cellWidth - element.scrollLeft;
    const y = gutter.top + down.first * cellHeight - element.scrollTop;
    context.save();
    context.beginPath();
    context.rect(gutter.left, gutter.top, width, height);
    context.clip();
    context.imageSmoothingEnabled = false;
    const picture = this.raster(across, down, colours);
    context.drawImage(picture, x, y, (across.last - across.first) * cellWidth, (down.last - down.first) * cellHeight);
    if (cellWidth >= 12 && cellHeight >= 12) this.drawGaps(context, across, down, x, y);
    if (options.text && cellWidth >= 30 && cellHeight >= 14) this.drawTexts(context, across, down, colours);
    context.restore();
    this.drawLabels(context, across, down);
    this.drawCursor();
  }

  /**
   * The visible cells as a picture with one pixel a cell, or one pixel for several where they are smaller than the
   * screen's: then the strongest wins, so that single bright cells do not vanish.
   *
   * @param {Span} across @param {Span} down @param {import("./colour.js").ColourMap} colours
   */
  raster(across, down, colours) {
    const columns = edges(across, this.cellWidth);
    const rows = edges(down, this.cellHeight);
    const [width, height] = [columns.length - 1, rows.length - 1];
    [this.scratch.width, this.scratch.height] = [width, height];
    const context = /** @type {CanvasRenderingContext2D} */ (this.scratch.getContext("2d"));
    const image = context.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const stride = this.options.columns.length;
    const { index } = this;
    for (let y = 0, at = 0; y < height; y++) {
      for (let x = 0; x < width; x++, at++) {
        let best = BLANK;
        for (let row = rows[y]; row < Math.max(rows[y + 1], rows[y] + 1); row++) {
          for (let column = columns[x]; column < Math.max(columns[x + 1], columns[x] + 1); column++) {
            const each = index[row * stride + column];
            if (colours.weight[each] > colours.weight[best]) best = each;
          }
        }
        pixels[at] = colours.pixels[best];
      }
    }
    context.putImageData(image, 0, 0);
    return this.scratch;
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {Span} across @param {Span} down
   * @param {number} x @param {number} y
   */
  drawGaps(context, across, down, x, y) {
    context.fillStyle = pageColour("--paper");
    const [width, height] = [(across.last - across.first) * this.cellWidth, (down.last - down.first) * this.cellHeight];
    for (let i = 1; i <= across.last - across.first; i++) context.fillRect(x + i * this.cellWidth - 1, y, 1, height);
    for (let i = 1; i <= down.last - down.first; i++) context.fillRect(x, y + i * this.cellHeight - 1, width, 1);
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {Span} across @param {Span} down
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

  /** @param {CanvasRenderingContext2D} context @param {Span} across @param {Span} down */
  drawLabels(context, across, down) {
    const { options, gutter } = this;
    context.font = FONT;
    context.fillStyle = pageColour("--muted");
    context.textAlign = "right";
    context.fillText(`${options.columnAxis} →`, gutter.left - 8, gutter.top - 22);
    context.fillText(`${options.rowAxis} ↓`, gutter.left - 8, gutter.top - 6);
    this.drawRowLabels(context, down);
    this.drawColumnLabels(context, across);
    context.textAlign = "left";
  }

  /** @param {CanvasRenderingContext2D} context @param {Span} down */
  drawRowLabels(context, down) {
    const { options, gutter, cellHeight } = this;
    const all = cellHeight >= 13;
    const step = all ? 1 : roundStep(16 / cellHeight);
    for (let row = Math.ceil(down.first / step) * step; row < down.last; row += step) {
      const y = this.box(row, 0).y + Math.min(cellHeight / 2, 14) + 4;
      if (y < gutter.top + 8 || y > this.element.clientHeight) continue;
      const name = all || !options.counted ? options.rows[row] : String(row);
      context.fillText(cut(context, name, gutter.left - 12), gutter.left - 8, y);
    }
  }

  /** @param {CanvasRenderingContext2D} context @param {Span} across */
  drawColumnLabels(context, across) {
    const { options, gutter, cellWidth } = this;
    const kind = this.columnLabels();
    const longest = kind === "some" && options.counted ? 30 : Math.min(this.longest.column, 60);
    const step = kind === "some" ? roundStep((longest + 10) / cellWidth) : 1;
    for (let column = Math.ceil(across.first / step) * step; column < across.last; column += step) {
      const x = this.box(0, column).x + cellWidth / 2;
      if (x < gutter.left) continue;
      const name = kind === "some" && options.counted ? String(column) : options.columns[column];
      if (kind === "upright") {
        context.save();
        context.translate(x + 4, gutter.top - 6);
        context.rotate(-Math.PI / 2);
        context.textAlign = "left";
        context.fillText(cut(context, name, gutter.top - 10), 0, 0);
        context.restore();
      } else {
        context.textAlign = "center";
        const shown = kind === "some" ? cut(context, name, 60) : cut(context, name, cellWidth - 4);
        // The first and the last may lean inwards, so that nothing is cut off.
        const half = context.measureText(shown).width / 2;
        const inside = Math.min(Math.max(x, gutter.left + half), this.element.clientWidth - half);
        context.fillText(shown, inside, gutter.top - 6);
      }
    }
  }

  drawCursor() {
    const { element, gutter, cell, cellWidth, cellHeight, options } = this;
    const [width, height] = [element.clientWidth, element.clientHeight];
    const context = sized(this.overlay, width, height);
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
    context.font = FONT;
    this.drawTag(context, options.rows[cell.row], gutter.left - 4, y + cellHeight / 2 + 4, "right");
    this.drawTag(context, options.columns[cell.column], x + cellWidth / 2, gutter.top - 6, "center");
  }

  /**
   * A name on a patch of the page's own colour, over whatever labels lie beneath.
   *
   * @param {CanvasRenderingContext2D} context @param {string} name @param {number} x @param {number} y
   * @param {"right" | "center"} align
   */
  drawTag(context, name, x, y, align) {
    const shown = cut(context, name, align === "right" ? this.gutter.left - 14 : 160);
    const width = context.measureText(shown).width;
    const wanted = align === "right" ? x - width - 4 : x - width / 2;
    const left = Math.min(Math.max(wanted, 4), this.element.clientWidth - width - 4);
    const baseline = Math.min(Math.max(y, 12), this.element.clientHeight - 4);
    context.fillStyle = pageColour("--cursor");
    context.fillRect(left - 4, baseline - 12, width + 8, 16);
    context.fillStyle = pageColour("--paper");
    context.fillText(shown, left, baseline);
  }

  /** Where a cell is in the visible part. @param {number} row @param {number} column */
  box(row, column) {
    return {
      x: this.gutter.left + column * this.cellWidth - this.element.scrollLeft,
      y: this.gutter.top + row * this.cellHeight - this.element.scrollTop,
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

/** @typedef {{first: number, last: number}} Span cells from `first` to before `last` */

/** The cells that can be seen. @param {number} scroll @param {number} room @param {number} size @param {number} count @returns {Span} */
function span(scroll, room, size, count) {
  const first = Math.min(Math.floor(scroll / size), count - 1);
  return { first, last: Math.max(first + 1, Math.min(count, Math.ceil((scroll + room) / size))) };
}

/** Where each pixel of a row of cells begins, and where the last ends. @param {Span} cells @param {number} size */
function edges({ first, last }, size) {
  const count = last - first;
  const pixels = Math.min(count, Math.max(1, Math.round(count * size * devicePixelRatio)));
  return Int32Array.from({ length: pixels + 1 }, (_, pixel) => first + Math.floor((pixel * count) / pixels));
}

/** A size in whole screen pixels, where it is at least one: then all cells are drawn alike. @param {number} size */
function snapped(size) {
  const pixels = size * devicePixelRatio;
  return pixels >= 1 ? Math.floor(pixels) / devicePixelRatio : size;
}
