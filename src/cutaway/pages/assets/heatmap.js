// @ts-check
// Any array of two dimensions.

import { h } from "./elements.js";
import { floatsOf } from "./packed.js";
import { exact, figure, roundNumbers, tick } from "./numbers.js";
import { colourMap, indexAt, onThemeChange } from "./colour.js";
import { csv, save } from "./download.js";
import { Legend } from "./legend.js";
import { pictureActions } from "./picture.js";
import { showTable } from "./table.js";
import { Grid } from "./grid.js";
import { frame, readout, takeAway, zoomButtons } from "./toolbar.js";

const MOST_TABLED = 5000;

/** @param {import("./packed.js").View} view @param {HTMLElement} section */
export async function heatmap(view, section) {
  const values = await floatsOf(view, "values");
  const [rows, columns] = [/** @type {string[]} */ (view.rows), /** @type {string[]} */ (view.columns)];
  const { low, high } = limits(values, view.diverging);
  const place = (/** @type {number} */ value) => (high > low ? (value - low) / (high - low) : 0.5);
  const at = (/** @type {number} */ row, /** @type {number} */ column) => values[row * columns.length + column];
  const unit = view.unit ? ` ${view.unit}` : "";
  const said = readout("Hover a cell; click to keep it.");
  const legend = new Legend();
  /** @type {Grid} */
  const grid = new Grid({
    label: `${view.title}: ${view.rowAxis} down, ${view.columnAxis} across`,
    rows,
    columns,
    rowAxis: view.rowAxis,
    columnAxis: view.columnAxis,
    cellWidth: [0, 64],
    cellHeight: [0, 36],
    square: comparable(rows.length, columns.length),
    text: (row, column) => (grid.cellWidth < 44 ? "" : figure(at(row, column), 2).replace("no value", "")),
    onCell: (cell) => cell && speak(cell),
  });

  /** @param {import("./grid.js").Cell} cell */
  function speak({ row, column, pinned }) {
    said.replaceChildren(
      `${view.rowAxis} ${rows[row]}, ${view.columnAxis} ${columns[column]}: `,
      h("b", {}, `${figure(at(row, column))}${unit}`),
      pinned ? " · pinned, Esc lets go" : "",
    );
  }

  function paint() {
    const colours = colourMap(view.diverging ? "diverging" : "viridis");
    grid.show(
      Uint8Array.from(values, (value) => indexAt(place(value))),
      colours,
    );
    legend.draw({
      colours,
      index: (value) => indexAt(place(value)),
      ticks:
        high > low
          ? roundNumbers(low, high, 5).map((value) => ({ at: place(value), text: tick(value) }))
          : [{ at: 0.5, text: tick(low) }],
      title: view.unit ? `${view.quantity} (${view.unit})` : view.quantity,
    });
  }

  function* lines() {
    yield [`${view.rowAxis} \\ ${view.columnAxis}`, ...columns];
    for (let row = 0; row < rows.length; row++)
      yield [rows[row], ...columns.map((_, column) => exact(at(row, column)))];
  }

  function table() {
    const number = (/** @type {number} */ value) => (Number.isNaN(value) ? "" : Number(exact(value)));
    if (values.length <= MOST_TABLED) {
      const cells = rows.map((name, row) => [name, ...columns.map((_, column) => number(at(row, column)))]);
      showTable(view.title, [view.rowAxis, ...columns], cells);
    } else {
      const row = grid.cell?.row ?? 0;
      const cells = columns.map((name, column) => [name, number(at(row, column))]);
      showTable(
        `${view.title}: ${view.rowAxis} ${rows[row]}`,
        [view.columnAxis, view.quantity],
        cells,
        "One row; choose a cell for another. The whole is in the CSV.",
      );
    }
  }

  section.append(
    frame(
      [
        zoomButtons(grid),
        takeAway({
          CSV: ["Save the array as CSV", () => save(view.title, "csv", csv(lines()))],
          ...pictureActions(
            () => view.title,
            "the visible part",
            () => [grid.picture(), legend.picture()],
            { what: "the whole", pictures: () => [grid.whole(), legend.picture()] },
          ),
          Numbers: ["Show the numbers as a table", table],
        }),
      ],
      [grid.element, legend.canvas],
      [said, summary(values)],
    ),
  );
  onThemeChange(paint, view.gone);
  paint();
}

/** The ends of the scale; zero in the middle when it diverges. @param {Float32Array} values @param {boolean} diverging */
function limits(values, diverging) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return { low: 0, high: 0 };
  const most = Math.max(Math.abs(low), Math.abs(high));
  return diverging ? { low: -most, high: most } : { low, high };
}

/** Whether square cells leave neither side thin. @param {number} rows @param {number} columns */
function comparable(rows, columns) {
  return Math.max(rows, columns) <= 3 * Math.min(rows, columns);
}

/** @param {Float32Array} values */
function summary(values) {
  const known = values.filter((value) => !Number.isNaN(value));
  const mean = known.reduce((sum, value) => sum + value, 0) / (known.length || 1);
  const std = Math.sqrt(known.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (known.length || 1));
  const { low, high } = limits(values, false);
  const lines = [
    ["numbers", known.length.toLocaleString("en")],
    ["mean", figure(mean)],
    ["std", figure(std)],
    ["min", figure(low)],
    ["max", figure(high)],
  ];
  return h("dl", { class: "facts" }, ...lines.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
