// @ts-check
// The numbers behind a picture, as a table that can be sorted: for screen readers, and for whoever wants to copy them.

import { h } from "./elements.js";

const MOST_ROWS = 2000;

/**
 * @param {string} title
 * @param {string[]} columns
 * @param {(string | number)[][]} rows
 * @param {string} [note]
 */
export function showTable(title, columns, rows, note = "") {
  const body = h("tbody");
  const shown = rows.slice(0, MOST_ROWS);
  const fill = () => body.replaceChildren(...shown.map((row) => tableRow(row)));
  let sortedBy = -1;
  const heads = columns.map((column, index) =>
    h("th", { scope: "col", "aria-sort": "none" }, h("button", { type: "button", onclick: () => sort(index) }, column)),
  );
  /** @param {number} index */
  function sort(index) {
    const down = sortedBy !== index;
    sortedBy = down ? index : -1;
    shown.sort((a, b) => compare(a[index], b[index]) * (down ? -1 : 1));
    heads.forEach((head, at) =>
      head.setAttribute("aria-sort", at !== index ? "none" : down ? "descending" : "ascending"),
    );
    fill();
  }
  fill();
  const left = rows.length - shown.length;
  const more = left > 0 ? `${left.toLocaleString("en")} more rows are in the CSV.` : "";
  const dialog = h(
    "dialog",
    { class: "numbers", "aria-label": title, onclose: () => dialog.remove() },
    h("header", {}, h("h2", {}, title), h("button", { type: "button", onclick: () => dialog.close() }, "Close")),
    note || more ? h("p", {}, `${note} ${more}`.trim()) : null,
    h("div", { class: "scrolling", tabindex: 0 }, h("table", {}, h("thead", {}, h("tr", {}, ...heads)), body)),
  );
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {(string | number)[]} row */
function tableRow(row) {
  const [name, ...rest] = row;
  const cells = rest.map((value) => h("td", typeof value === "number" ? { class: "number" } : {}, String(value)));
  return h("tr", {}, h("th", { scope: "row" }, String(name)), ...cells);
}

/** @param {string | number} a @param {string | number} b */
function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), "en", { numeric: true });
}
