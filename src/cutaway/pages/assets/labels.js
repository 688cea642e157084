// @ts-check
// The names along the edges of a grid, as many as there is room for.

import { cut } from "./elements.js";
import { pageColour } from "./colour.js";
import { roundStep } from "./numbers.js";

const FONT = "12px system-ui, sans-serif";

/** @typedef {import("./grid.js").Cell} Cell */

export class Labels {
  /** @param {import("./grid.js").Grid} grid */
  constructor(grid) {
    this.grid = grid;
    this.longest = { row: 0, column: 0 };
  }

  /**
   * Find how wide the names are; the margin that they need at the left.
   *
   * @param {CanvasRenderingContext2D} context @param {number} most
   */
  measure(context, most) {
    const { rows, columns, rowAxis, columnAxis } = this.grid.options;
    context.font = FONT;
    const widest = (/** @type {string[]} */ names) =>
      names.reduce((most, name) => Math.max(most, context.measureText(name).width), 0);
    this.longest = { row: Math.min(most, widest(rows)), column: Math.min(most, widest(columns)) };
    return Math.ceil(Math.max(this.longest.row, widest([`${columnAxis} →`, `${rowAxis} ↓`])) + 14);
  }

  /** The margin that they need at the top. */
  height() {
    const kind = this.columnKind();
    return kind === "upright" ? Math.max(40, this.longest.column + 12) : 40;
  }

  /** How the columns are named: side by side where they fit, upright where they do not, or only some of them. */
  columnKind() {
    const longest = this.longest.column;
    if (this.grid.cellWidth >= Math.min(longest, 54) + 8) return "level";
    return this.grid.cellWidth >= 13 && longest > this.grid.cellWidth - 6 ? "upright" : "some";
  }

  /**
   * The names along both edges, but for those where the chosen cell's own will stand.
   *
   * @param {import("./pen.js").Pen} context @param {Cell | null} cell
   */
  draw(context, cell) {
    const { options, gutter, visible } = this.grid;
    if (!visible) return;
    const { across, down } = visible;
    context.font = FONT;
    context.fillStyle = pageColour("--muted");
    context.textAlign = "right";
    context.fillText(`${options.columnAxis} →`, gutter.left - 8, gutter.top - 22);
    context.fillText(`${options.rowAxis} ↓`, gutter.left - 8, gutter.top - 6);
    this.drawRows(context, down, cell);
    this.drawColumns(context, across, cell);
    context.textAlign = "left";
  }

  /** @param {import("./pen.js").Pen} context @param {import("./cells.js").Span} down @param {Cell | null} cell */
  drawRows(context, down, cell) {
    const { options, gutter, cellHeight } = this.grid;
    const taken = cell ? this.place(cell).y : -100;
    const all = cellHeight >= 13;
    const step = all ? 1 : roundStep(16 / cellHeight);
    for (let row = Math.ceil(down.first / step) * step; row < down.last; row += step) {
      const y = this.grid.box(row, 0).y + cellHeight / 2 + 4;
      if (y < gutter.top + 8 || y > this.grid.port.height || Math.abs(y - taken) < 16) continue;
      const name = all || !options.counted ? options.rows[row] : String(row);
      context.fillText(cut(context, name, gutter.left - 12), gutter.left - 8, y);
    }
  }

  /** @param {import("./pen.js").Pen} context @param {import("./cells.js").Span} across @param {Cell | null} cell */
  drawColumns(context, across, cell) {
    const { options, gutter, cellWidth } = this.grid;
    const tag = cell ? context.measureText(cut(context, options.columns[cell.column], 160)).width / 2 + 8 : 0;
    const taken = cell ? this.place(cell).x : -1000;
    const kind = this.columnKind();
    const longest = kind === "some" && options.counted ? 30 : Math.min(this.longest.column, 60);
    const step = kind === "some" ? roundStep((longest + 10) / cellWidth) : 1;
    for (let column = Math.ceil(across.first / step) * step; column < across.last; column += step) {
      const x = this.grid.box(0, column).x + cellWidth / 2;
      if (x < gutter.left) continue;
      const name = kind === "some" && options.counted ? String(column) : options.columns[column];
      if (kind === "upright") {
        if (Math.abs(x - taken) < tag + 6) continue;
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
        const inside = Math.min(Math.max(x, gutter.left + half), this.grid.port.width - half);
        if (Math.abs(inside - taken) < tag + half) continue;
        context.fillText(shown, inside, gutter.top - 6);
      }
    }
  }

  /** The names of the chosen cell. @param {CanvasRenderingContext2D} context @param {Cell} cell */
  drawTags(context, cell) {
    const { options, gutter } = this.grid;
    const { x, y } = this.place(cell);
    context.font = FONT;
    this.drawTag(context, options.rows[cell.row], gutter.left - 8, y, "right");
    this.drawTag(context, options.columns[cell.column], x, gutter.top - 6, "center");
  }

  /** Where the names of the chosen cell stand: beside and above it, inside the picture. @param {Cell} cell */
  place(cell) {
    const { x, y } = this.grid.box(cell.row, cell.column);
    const { element, gutter } = this.grid;
    const inside = (/** @type {number} */ place, /** @type {number} */ low, /** @type {number} */ high) =>
      Math.min(Math.max(place, low), high);
    return {
      x: inside(x + this.grid.cellWidth / 2, gutter.left, element.clientWidth),
      y: inside(y + this.grid.cellHeight / 2 + 4, gutter.top + 12, element.clientHeight - 4),
    };
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {string} name @param {number} x @param {number} y
   * @param {"right" | "center"} align
   */
  drawTag(context, name, x, y, align) {
    const shown = cut(context, name, align === "right" ? this.grid.gutter.left - 14 : 160);
    const width = context.measureText(shown).width;
    const wanted = align === "right" ? x - width : x - width / 2;
    const left = Math.min(Math.max(wanted, 4), this.grid.element.clientWidth - width - 4);
    context.fillStyle = pageColour("--cursor");
    context.fillRect(left - 4, y - 12, width + 8, 16);
    context.fillStyle = pageColour("--paper");
    context.fillText(shown, left, y);
  }
}
