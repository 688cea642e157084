// @ts-check
// Signed amounts as bars to both sides of zero.

import { choice, cut, h } from "./elements.js";
import { floatsOf } from "./packed.js";
import { exact, figure } from "./numbers.js";
import { onThemeChange, pageColour } from "./colour.js";
import { csv, save } from "./download.js";
import { pictureActions } from "./picture.js";
import { showTable } from "./table.js";
import { frame, readout, takeAway } from "./toolbar.js";

const PICTURED = 60;

/** @typedef {{name: string, group: string, value: number, place: number}} Bar */
/** @type {Record<string, (a: Bar, b: Bar) => number>} */
const ORDERS = {
  size: (a, b) => Math.abs(b.value) - Math.abs(a.value) || a.place - b.place,
  value: (a, b) => b.value - a.value || a.place - b.place,
  place: (a, b) => a.place - b.place,
  name: (a, b) => a.name.localeCompare(b.name, "en", { numeric: true }),
};

/** @type {Record<string, string>} */
const ORDER_NAMES = { size: "by size", value: "by amount", place: "as given", name: "by name" };

/** @param {import("./packed.js").View} view @param {HTMLElement} section */
export async function bars(view, section) {
  const values = await floatsOf(view, "values");
  /** @type {Bar[]} */
  const all = view.names.map((/** @type {string} */ name, /** @type {number} */ place) => ({
    name,
    group: view.groups?.[place] ?? "",
    value: values[place],
    place,
  }));
  const groups = [...new Set(all.map(({ group }) => group))].filter(Boolean);
  const hidden = new Set();
  let order = view.order;
  const most = Math.max(1e-30, ...all.map(({ value }) => Math.abs(value)));
  const said = readout("Hover a bar, or move through the list with Tab and the arrow keys.");
  const total = h("p", { class: "total", role: "status" });
  const list = h("ol", { class: "bars", tabindex: 0, "aria-label": `${view.quantity} in ${view.unit}, as bars` });
  const shown = () => all.filter(({ group }) => !hidden.has(group)).sort(ORDERS[order]);
  const sum = (/** @type {Bar[]} */ some) => some.reduce((total, { value }) => total + value, 0);
  const withUnit = (/** @type {number} */ value) =>
    `${value > 0 ? "+" : ""}${figure(value)}${view.unit ? ` ${view.unit}` : ""}`;

  function fill() {
    const rows = shown();
    list.replaceChildren(...rows.map((bar) => barRow(bar, most)));
    const positive = sum(rows.filter(({ value }) => value > 0));
    total.textContent = `${rows.length.toLocaleString("en")} bars sum to ${withUnit(sum(rows))}: ${withUnit(positive)} and ${withUnit(sum(rows) - positive)}`;
  }

  /** @param {Event} event */
  function speak(event) {
    const row = /** @type {HTMLElement} */ (event.target).closest("li");
    if (!row) return;
    list.querySelector(".query")?.classList.remove("query");
    row.classList.add("query");
    const bar = all[Number(row.dataset.place)];
    const place = shown().indexOf(bar) + 1;
    said.replaceChildren(
      `${bar.name}${bar.group ? ` (${bar.group})` : ""}: `,
      h("b", {}, withUnit(bar.value)),
      `, number ${place} of ${shown().length} in this order`,
    );
  }
  list.addEventListener("pointerover", speak);
  list.addEventListener("click", speak);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const rows = [...list.children];
    const at = rows.findIndex((row) => row.classList.contains("query"));
    const next = /** @type {HTMLElement} */ (rows[Math.min(Math.max(at + step, 0), rows.length - 1)]);
    speak(/** @type {any} */ ({ target: next }));
    next.scrollIntoView({ block: "nearest" });
    event.preventDefault();
  });

  const checks = groups.map((group) =>
    h(
      "label",
      { class: "choice" },
      h("input", {
        type: "checkbox",
        checked: true,
        onchange: () => {
          if (!hidden.delete(group)) hidden.add(group);
          fill();
        },
      }),
      h("span", {}, group),
    ),
  );
  const table = () => shown().map(({ name, group, value, place }) => [place, name, group, Number(exact(value))]);
  const columns = ["place", "name", "group", `${view.quantity}${view.unit ? ` (${view.unit})` : ""}`];
  section.append(
    frame(
      [
        choice(
          "Order",
          // The first one is what the page begins with.
          { [order]: ORDER_NAMES[order], ...ORDER_NAMES },
          (value) => ((order = value), fill()),
        ),
        ...checks,
        takeAway({
          CSV: ["Save the bars as CSV", () => save(view.title, "csv", csv([columns, ...table()]))],
          ...pictureActions(
            () => view.title,
            `the first ${PICTURED} bars`,
            () => [picture(shown().slice(0, PICTURED), most)],
            { what: "all bars", pictures: () => [picture(shown(), most)] },
          ),
          Numbers: ["Show the bars as a table", () => showTable(view.title, columns, table())],
        }),
      ],
      [total, list],
      [said],
    ),
  );
  onThemeChange(fill, view.gone);
  fill();
}

/** @param {Bar} bar @param {number} most */
function barRow({ name, value, place }, most) {
  const width = `${(50 * Math.abs(value)) / most}%`;
  const bar = h("i", {
    class: value < 0 ? "down" : "up",
    style: value < 0 ? { width, right: "50%" } : { width, left: "50%" },
  });
  return h(
    "li",
    { "data-place": place },
    h("span", {}, name),
    h("span", { class: "track" }, bar),
    h("b", {}, (value > 0 ? "+" : "") + figure(value)),
  );
}

/** @param {Bar[]} rows @param {number} most @returns {import("./picture.js").Picture} */
function picture(rows, most) {
  const [width, height, middle, half] = [760, rows.length * 20, 400, 220];
  return {
    width,
    height,
    paint: (pen) => {
      pen.font = "12px system-ui, sans-serif";
      rows.forEach(({ name, value }, at) => {
        const length = (half * Math.abs(value)) / most;
        pen.fillStyle = pageColour(value < 0 ? "--down" : "--up");
        pen.fillRect(value < 0 ? middle - length : middle, at * 20 + 3, length, 14);
        pen.fillStyle = pageColour("--ink");
        pen.textAlign = "right";
        pen.fillText(cut(pen, name, 165), 170, at * 20 + 14);
        pen.textAlign = "left";
        pen.fillText((value > 0 ? "+" : "") + figure(value), middle + half + 12, at * 20 + 14);
      });
      pen.fillStyle = pageColour("--muted");
      pen.fillRect(middle, 0, 1, height);
    },
  };
}
