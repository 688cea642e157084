// @ts-check
// A level of Zoom as files: as it is seen, and its numbers, vectors in full and bars as they are said.

import { exact } from "./views/numbers.js";
import { csv, save } from "./views/download.js";
import { pictureActions } from "./views/picture.js";
import { takeAway } from "./views/toolbar.js";
import { linesPicture } from "./views/written.js";
import { elementPicture } from "./element_picture.js";
import { stripped } from "./strip.js";

/** @param {{path: HTMLElement, picture: HTMLElement}} zoom the way to the level, and what is seen there */
export function takeLevelAway({ path, picture }) {
  const title = () => `Zoom: ${path.textContent?.replaceAll("›", " › ")}`;
  return takeAway({
    CSV: ["Save the numbers of this level as CSV", () => save(title(), "csv", csv(rows(picture)))],
    ...pictureActions(title, "this level", () => [elementPicture(picture)]),
  });
}

/** Everything that is shown, in its order: `number` counts along a vector. @param {HTMLElement} picture */
function* rows(picture) {
  yield ["part", "name", "number", "value"];
  for (const element of picture.querySelectorAll(".strip, .meter, .sum")) {
    const part = element.closest(".box")?.querySelector(".name")?.textContent ?? "";
    const strip = stripped(element);
    if (strip) for (const [at, value] of strip.vector.entries()) yield [part, strip.name, at, exact(value)];
    else if (element.className === "sum") yield [part, "sum", "", spelled(element)];
    else yield [part, spelled(element.querySelector("span")), "", spelled(element.querySelector("b"))];
  }
}

/** What an element says, with minus signs that other programs read. @param {Element | null} element */
function spelled(element) {
  return element?.textContent?.replaceAll("−", "-") ?? "";
}
