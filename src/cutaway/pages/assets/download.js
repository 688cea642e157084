// @ts-check
// What can be taken away, made in the page.

import { h } from "./elements.js";

/** @param {string} title @param {string} ending @param {Blob} blob */
export function save(title, ending, blob) {
  const name =
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 60) || "cutaway";
  const link = h("a", { href: URL.createObjectURL(blob), download: `${name}.${ending}` });
  // In the page until the browser has taken the file: some drop that of a link that stands nowhere.
  link.hidden = true;
  document.body.append(link);
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
    link.remove();
  }, 10_000);
}

/**
 * Rows as CSV (RFC 4180), in parts, because a million numbers make a long string.
 *
 * @param {Iterable<(string | number)[]>} rows
 */
export function csv(rows) {
  const parts = [];
  for (const row of rows) parts.push(`${row.map(csvCell).join(",")}\r\n`);
  return new Blob(parts, { type: "text/csv;charset=utf-8" });
}

/** @param {string | number} value */
function csvCell(value) {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
