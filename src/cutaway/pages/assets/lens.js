// @ts-check
// The logit lens: layers across, tokens down the page as one reads, each cell the token the model would say.

import { choice, h } from "./elements.js";
import { floatsOf, jsonOf } from "./packed.js";
import { figure, percent, roundNumbers, tick } from "./numbers.js";
import { colourMap, indexAt, onThemeChange } from "./colour.js";
import { csv, save } from "./download.js";
import { Legend } from "./legend.js";
import { pictureActions } from "./picture.js";
import { showTable } from "./table.js";
import { Grid } from "./grid.js";
import { frame, readout, takeAway, zoomButtons } from "./toolbar.js";

/** @typedef {[string, number][]} Alternatives */

/** @param {import("./packed.js").View} view @param {HTMLElement} section */
export async function lens(view, section) {
  /** @type {Alternatives[][]} */
  const cells = await jsonOf(view, "cells");
  const entropy = view.hasEntropy ? await floatsOf(view, "entropy") : null;
  const [tokens, layers] = [/** @type {string[]} */ (view.tokens), /** @type {string[]} */ (view.layers)];
  const [T, L] = [tokens.length, layers.length];
  let by = "probability";
  const said = readout("Each cell is the token the model would say next if it stopped at this layer.");
  const list = h("div", { class: "alternatives" });
  const legend = new Legend();
  const grid = new Grid({
    label: "Logit lens: tokens down, layers across",
    rows: tokens.map((token, at) => `${at} ${token}`),
    columns: layers,
    rowAxis: "token",
    columnAxis: "layer",
    cellWidth: [46, 110],
    cellHeight: [22, 22],
    text: (token, layer) => cells[layer][token][0][0],
    onCell: (cell) => cell && speak(cell),
  });

  /** @param {import("./grid.js").Cell} cell */
  function speak({ row, column, pinned }) {
    const bits = entropy ? `, entropy ${figure(entropy[column * T + row], 3)} bits` : "";
    const next = tokens[row + 1] === undefined ? "" : `; what came: ${tokens[row + 1]}`;
    said.replaceChildren(
      `after ${tokens[row]} (${row}), layer ${layers[column]}${bits}${next}${pinned ? " · pinned, Esc lets go" : ""}`,
    );
    list.replaceChildren(alternativeList(cells[column][row], tokens[row + 1]));
  }

  function paint() {
    const byEntropy = by === "entropy" && entropy;
    const most = byEntropy ? Math.max(1e-6, ...entropy.filter((value) => !Number.isNaN(value))) : 1;
    const index = new Uint8Array(T * L);
    for (let layer = 0; layer < L; layer++) {
      for (let token = 0; token < T; token++) {
        const value = byEntropy ? entropy[layer * T + token] / most : cells[layer][token][0][1];
        index[token * L + layer] = indexAt(value);
      }
    }
    const colours = colourMap(byEntropy ? "cividis" : "viridis");
    grid.show(index, colours);
    legend.draw({
      colours,
      index: (value) => indexAt(value / most),
      ticks: roundNumbers(0, most, 5).map((value) => ({ at: value / most, text: tick(value) })),
      title: byEntropy ? "entropy (bits)" : "probability of the likeliest token",
    });
  }

  function* rows() {
    yield ["position", "token", "layer", "rank", "predicted", "probability"];
    for (let token = 0; token < T; token++) {
      for (let layer = 0; layer < L; layer++) {
        for (const [rank, [name, probability]] of cells[layer][token].entries()) {
          yield [token, tokens[token], layers[layer], rank + 1, name, probability];
        }
      }
    }
  }

  const table = () =>
    showTable(
      view.title,
      ["position", "token", ...layers],
      tokens.map((token, at) => [at, token, ...cells.map((layer) => `${layer[at][0][0]} ${percent(layer[at][0][1])}`)]),
    );
  section.append(
    frame(
      [
        entropy
          ? choice("Colour by", { probability: "probability", entropy: "entropy" }, (value) => ((by = value), paint()))
          : null,
        zoomButtons(grid),
        takeAway({
          CSV: ["Save all predictions as CSV", () => save(view.title, "csv", csv(rows()))],
          ...pictureActions(
            () => view.title,
            "the visible part",
            () => [grid.picture(), legend.picture()],
            { what: "the whole", pictures: () => [grid.whole(), legend.picture()] },
          ),
          Numbers: ["Show the predictions as a table", table],
        }),
      ],
      [grid.element, legend.canvas],
      [said, list],
    ),
  );
  onThemeChange(paint, view.gone);
  paint();
}

/** Predictions with bars; the one that came true is marked. @param {Alternatives} alternatives @param {string | undefined} truth */
export function alternativeList(alternatives, truth) {
  const rows = alternatives.map(([name, probability]) => {
    const bar = h("i", { style: { width: `${100 * probability}%` } });
    return h("li", name === truth ? { class: "true" } : {}, bar, h("span", {}, name), h("b", {}, percent(probability)));
  });
  return h("ol", {}, ...rows);
}
