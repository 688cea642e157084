// @ts-check
// Points with names: hover, zoom, search.

import { h } from "./elements.js";
import { floatsOf, jsonOf } from "./packed.js";
import { exact, figure, roundNumbers, tick } from "./numbers.js";
import { colourMap, indexAt, onThemeChange, pageColour } from "./colour.js";
import { csv, save } from "./download.js";
import { Legend } from "./legend.js";
import { pictureActions } from "./picture.js";
import { Plot } from "./plot.js";
import { showTable } from "./table.js";
import { textOf } from "./tokens.js";
import { frame, readout, takeAway, zoomButtons } from "./toolbar.js";

const MOST_FOUND = 2000;

/** @param {import("./packed.js").View} view @param {HTMLElement} section */
export async function scatter(view, section) {
  /** @type {[string[], Float32Array, Float32Array | null]} */
  const [names, points, values] = await Promise.all([
    jsonOf(view, "names"),
    floatsOf(view, "points"),
    view.hasValues ? floatsOf(view, "values") : null,
  ]);
  const plot = new Plot(names, points, view.axes, (point) => speak(point));
  const legend = new Legend();
  const said = readout("Hover a point, or search for a token. Drag moves, Ctrl and wheel zoom.");
  const found = h("p", { class: "note", role: "status" });
  const search = h("input", {
    type: "search",
    placeholder: "token",
    "aria-label": "Search for a token",
    oninput: () => find(),
  });

  /** @param {number} point */
  function speak(point) {
    const value = values ? `, ${view.quantity} ${figure(values[point])}${view.unit ? ` ${view.unit}` : ""}` : "";
    said.replaceChildren(
      h("b", {}, names[point]),
      ` (${point}): ${figure(points[2 * point])}, ${figure(points[2 * point + 1])}${value}`,
    );
  }

  function find() {
    const wanted = search.value;
    const same = (/** @type {string} */ name) => name === wanted || textOf(name) === wanted;
    const like = (/** @type {string} */ name) => textOf(name).toLowerCase().includes(wanted.toLowerCase());
    const exactly = names.flatMap((name, point) =>
      same(name) || textOf(name).trim() === wanted.trim() ? [point] : [],
    );
    const rest = names.flatMap((name, point) => (!exactly.includes(point) && like(name) ? [point] : []));
    plot.found = wanted.trim() ? [...exactly, ...rest].slice(0, MOST_FOUND) : [];
    const more =
      exactly.length + rest.length > MOST_FOUND ? ` The first ${MOST_FOUND.toLocaleString("en")} are marked.` : "";
    found.textContent = wanted.trim() ? `${(exactly.length + rest.length).toLocaleString("en")} found.${more}` : "";
    if (plot.found.length) plot.choose(plot.found[0]);
    plot.redraw();
  }

  function paint() {
    if (values) {
      const known = [...values].filter((value) => !Number.isNaN(value));
      const [low, high] = [
        known.reduce((a, b) => Math.min(a, b), Infinity),
        known.reduce((a, b) => Math.max(a, b), -Infinity),
      ];
      const place = (/** @type {number} */ value) => (high > low ? (value - low) / (high - low) : 0.5);
      const colours = colourMap("points");
      plot.colour(
        Uint8Array.from(values, (value) => indexAt(place(value))),
        colours.pixels,
      );
      legend.draw({
        colours,
        index: (value) => indexAt(place(value)),
        ticks: roundNumbers(low, high, 5).map((value) => ({ at: place(value), text: tick(value) })),
        title: view.unit ? `${view.quantity} (${view.unit})` : view.quantity,
      });
    } else {
      plot.colour(new Uint8Array(names.length), new Uint32Array(256).fill(pixelOf(pageColour("--up"))));
    }
    plot.redraw();
  }

  const columns = ["number", "name", ...view.axes, ...(values ? [view.quantity] : [])];
  const rows = () =>
    names.map((name, point) => {
      const numbers = [points[2 * point], points[2 * point + 1], ...(values ? [values[point]] : [])];
      return [point, name, ...numbers.map((value) => (Number.isNaN(value) ? "" : Number(exact(value))))];
    });
  section.append(
    frame(
      [
        h("label", { class: "choice" }, h("span", {}, "Search"), search),
        zoomButtons(plot),
        takeAway({
          CSV: ["Save the points as CSV", () => save(view.title, "csv", csv([columns, ...rows()]))],
          ...pictureActions(
            () => view.title,
            "the visible part",
            () => (values ? [plot.picture(), legend.picture()] : [plot.picture()]),
          ),
          Numbers: ["Show the points as a table", () => showTable(view.title, columns, rows())],
        }),
      ],
      values ? [plot.element, legend.canvas] : [plot.element],
      [said, found],
    ),
  );
  onThemeChange(paint, view.gone);
  paint();
}

/** A colour of the page as a canvas pixel. @param {string} colour such as `rgb(1, 2, 3)` */
function pixelOf(colour) {
  const [r, g, b] = (colour.match(/\d+/g) ?? ["0", "0", "0"]).map(Number);
  return (255 << 24) | (b << 16) | (g << 8) | r;
}
