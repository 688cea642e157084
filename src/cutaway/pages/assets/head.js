// @ts-check
// One head at full size: which query looks at which key, with the text beside it, all linked under the pointer.

import { choice, eachFrame, h } from "./elements.js";
import { levelsOf } from "./packed.js";
import { figure, tick } from "./numbers.js";
import { BLANK, colourMap, indexAt, onThemeChange, pageColour } from "./colour.js";
import { csv, save } from "./download.js";
import { Legend } from "./legend.js";
import { pictureActions } from "./picture.js";
import { showTable } from "./table.js";
import { TokenText } from "./tokens.js";
import { Grid } from "./grid.js";
import { frame, readout, takeAway, zoomButtons } from "./toolbar.js";

const LISTED = 8;
const BRIGHTEST = 0.995;
/** Steps of the colour behind a token: few enough that most tokens keep theirs when the pointer moves. */
export const SHADES = 24;

export class HeadScreen {
  /** @param {import("./packed.js").View} view @param {HTMLElement} back what leads back to all heads */
  constructor(view, back) {
    this.view = view;
    /** @type {string[]} */
    this.tokens = view.tokens;
    this.top = 2 ** view.bits - 1;
    this.range = "brightest";
    /** @type {Uint8Array | Uint16Array} */
    this.levels = new Uint8Array(0);
    this.name = "";
    /** When what was asked for last is there. @type {Promise<unknown>} */
    this.opening = Promise.resolve();
    this.readout = readout("");
    this.legend = new Legend();
    /** @type {Grid} */
    this.grid = new Grid({
      label: "Attention of one head: queries down, keys across",
      rows: this.tokens,
      columns: this.tokens,
      rowAxis: "query",
      columnAxis: "key",
      counted: true,
      square: true,
      cellWidth: [0, 56],
      cellHeight: [0, 56],
      text: (row, column) => (column > row || this.grid.cellWidth < 36 ? "" : this.weight(row, column).toFixed(2)),
      lastColumn: (row, column) => Math.min(row, column),
      onCell: (cell) => cell && this.speak(cell),
    });
    const move = eachFrame((/** @type {number | null} */ token) => token !== null && this.hoverToken(token));
    this.text = new TokenText(this.tokens, {
      label: "The text. Left and right choose the token that looks.",
      onHover: move,
      onChoose: (token) => token !== null && this.pinToken(token),
    });
    this.text.element.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const token = (this.grid.cell?.row ?? 0) + step;
      if (this.tokens[token] === undefined) return;
      this.chooseQuery(token, false);
      this.text.reveal(token);
    });
    this.looksAt = new Ranking("Looks most at");
    this.lookedAtBy = new Ranking("Looked at most by");
    this.element = this.assemble(back);
    this.element.hidden = true;
    onThemeChange(() => this.paint(), view.gone);
  }

  /** @param {HTMLElement} back */
  assemble(back) {
    this.heading = h("h2", { tabindex: -1 });
    const ranges = { brightest: "brightest ½ %", one: "0 to 1", row: "each query's own" };
    const range = choice("Colours to", ranges, (value) => {
      this.range = value;
      this.paint();
    });
    const actions = takeAway({
      CSV: ["Save this head's weights as CSV", () => save(this.name, "csv", csv(this.rows()))],
      ...pictureActions(
        () => this.name,
        "the visible part",
        () => [this.grid.picture(), this.legend.picture()],
        { what: "the whole", pictures: () => [this.grid.whole(), this.legend.picture()] },
      ),
      Numbers: ["Show the query's weights as a table", () => this.table()],
    });
    const key = h(
      "p",
      { class: "key" },
      h("span", { class: "swatch at" }, "looked at by the chosen token"),
      h("span", { class: "swatch by" }, "looks at the chosen token"),
    );
    const { error } = this.view;
    const stored =
      `Stored as round(${this.top.toLocaleString("en")}·√weight), ${this.view.bits} bits: what you read is off by ` +
      `at most ${figure(error, 2)}, and at a weight of 0.001 by ${figure(Math.sqrt(0.001) / this.top, 2)}.`;
    return frame(
      [back, this.heading, range, zoomButtons(this.grid), actions],
      [this.grid.element, this.legend.canvas],
      [
        this.readout,
        this.text.element,
        key,
        h("div", { class: "rankings" }, this.looksAt.element, this.lookedAtBy.element),
        h("p", { class: "note" }, stored),
      ],
    );
  }

  /** @param {import("./thumbnails.js").Head} head */
  async open(head) {
    this.head = head;
    this.name = `${this.view.title}, layer ${head.layer}, head ${head.head}`;
    await this.opening;
    // Somebody who moves on fast has asked for another one meanwhile.
    if (this.head !== head) return;
    const opening = levelsOf(this.view, `pattern-${head.layer}-${head.head}`, this.view.bits);
    this.opening = opening.catch(() => null);
    try {
      this.levels = await opening;
    } catch (error) {
      // A live page asks its server, which may be gone.
      this.readout.textContent = `This head cannot be had: ${/** @type {Error} */ (error).message}.`;
      return;
    }
    if (this.head !== head) return;
    this.heading?.replaceChildren(`Layer ${head.layer}, head ${head.head}`);
    this.paint();
    this.speak(this.grid.cell ?? { row: this.tokens.length - 1, column: 0, pinned: false, byKey: true });
    this.element.dataset.shown = `${head.layer}-${head.head}`;
  }

  /** @param {number} query @param {number} key */
  weight(query, key) {
    return (this.levels[(query * (query + 1)) / 2 + key] / this.top) ** 2;
  }

  paint() {
    if (!this.levels.length) return;
    const T = this.tokens.length;
    const index = new Uint8Array(T * T).fill(BLANK);
    const most = this.range === "one" ? this.top : this.brightest();
    for (let query = 0, at = 0; query < T; query++) {
      let highest = most;
      if (this.range === "row") {
        highest = 1;
        for (let key = 0; key <= query; key++) highest = Math.max(highest, this.levels[at + key]);
      }
      for (let key = 0; key <= query; key++, at++) index[query * T + key] = indexAt(this.levels[at] / highest);
    }
    this.grid.show(index, colourMap("viridis"));
    this.legend.draw(this.scale((most / this.top) ** 2));
  }

  /** The level that all but the brightest half per cent stay below. */
  brightest() {
    const counts = new Uint32Array(this.top + 1);
    for (const level of this.levels) counts[level]++;
    let left = Math.floor(this.levels.length * (1 - BRIGHTEST));
    let level = this.top;
    while (level > 1 && left - counts[level] >= 0) left -= counts[level--];
    return level;
  }

  /** @param {number} most the weight of the brightest colour @returns {import("./colour.js").Scale} */
  scale(most) {
    const own = this.range === "row";
    const end = own ? 1 : most;
    const open = !own && most < 0.999;
    // Round weights from above downwards; where they get too close the legend leaves them out.
    const between = [0.75, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
    const weights = [0, ...between.filter((weight) => weight < end), end];
    return {
      colours: colourMap("viridis"),
      index: (value) => indexAt(Math.sqrt(value / end)),
      ticks: weights.map((weight) => ({
        at: Math.sqrt(weight / end),
        text: (weight === end && open ? "≥ " : "") + (own ? `${100 * weight}%` : tick(weight)),
      })),
      title: own ? "weight, relative to the query's largest" : "attention weight",
    };
  }

  /** @param {number} token */
  hoverToken(token) {
    if (this.grid.cell?.pinned) return;
    this.chooseQuery(token, false);
  }

  /** @param {number} token */
  pinToken(token) {
    const { cell } = this.grid;
    this.chooseQuery(token, !(cell?.pinned && cell.row === token));
  }

  /** @param {number} token @param {boolean} pinned */
  chooseQuery(token, pinned) {
    const column = this.strongest(token);
    this.grid.setCell({ row: token, column, pinned, byKey: false });
  }

  /** The key a query looks at most. @param {number} query */
  strongest(query) {
    let best = 0;
    for (let key = 1; key <= query; key++) if (this.weight(query, key) > this.weight(query, best)) best = key;
    return best;
  }

  /** @param {import("./grid.js").Cell} cell */
  speak({ row, column, pinned, byKey }) {
    const [from, to] = [this.tokens[row], this.tokens[column]];
    const where = `from ${from} (row ${row}) to ${to} (col ${column})`;
    const hidden = column > row;
    const said = hidden
      ? "not yet there: a query sees itself and what came before"
      : figure(this.weight(row, column), 3);
    this.readout.replaceChildren(h("span", {}, `${where}: `), h("b", {}, said), pinned ? " · pinned, Esc lets go" : "");
    this.colourText(row);
    this.text.mark("query", row);
    this.text.mark("target", hidden ? null : column);
    if (byKey || pinned) this.text.reveal(row);
    this.rank(row);
  }

  /**
   * Keys before the token by how much it looks at them, tokens after it by how much they look at it: causal attention
   * leaves room for both.
   *
   * @param {number} chosen
   */
  colourText(chosen) {
    const T = this.tokens.length;
    const shades = [shadesOf("--at"), shadesOf("--by")];
    const weights = Float64Array.from({ length: T }, (_, token) =>
      token <= chosen ? this.weight(chosen, token) : this.weight(token, chosen),
    );
    let [before, after] = [1e-9, 1e-9];
    weights.forEach((weight, token) => {
      if (token <= chosen) before = Math.max(before, weight);
      else after = Math.max(after, weight);
    });
    this.text.paint((token) => {
      const step = Math.round((SHADES * weights[token]) / (token <= chosen ? before : after));
      return step ? shades[token <= chosen ? 0 : 1][step] : "";
    });
  }

  /** @param {number} query */
  rank(query) {
    const { tokens } = this;
    this.looksAt.show(tokens, 0, query + 1, (key) => this.weight(query, key));
    this.lookedAtBy.show(tokens, query + 1, tokens.length, (later) => this.weight(later, query));
  }

  *rows() {
    yield ["query", "query token", "key", "key token", "weight"];
    for (let query = 0; query < this.tokens.length; query++) {
      for (let key = 0; key <= query; key++) {
        const weight = +this.weight(query, key).toPrecision(5);
        yield [query, this.tokens[query], key, this.tokens[key], weight];
      }
    }
  }

  table() {
    const query = this.grid.cell?.row ?? this.tokens.length - 1;
    const rows = this.tokens.map((token, at) => [
      at,
      token,
      at <= query ? +this.weight(query, at).toPrecision(4) : "",
      at >= query ? +this.weight(at, query).toPrecision(4) : "",
    ]);
    const title = `${this.name}: ${this.tokens[query]} (row ${query})`;
    showTable(
      title,
      ["position", "token", "query → token", "token → query"],
      rows,
      "Choose another query first for another table.",
    );
  }
}

/** One of the page's colours, from barely to fully there. @param {string} name */
export function shadesOf(name) {
  const solid = pageColour(name);
  return Array.from({ length: SHADES + 1 }, (_, step) =>
    solid.replace("rgb(", "rgba(").replace(")", `, ${((0.8 * step) / SHADES).toFixed(2)})`),
  );
}

/** A short list of tokens with bars. */
class Ranking {
  /** @param {string} title */
  constructor(title) {
    this.list = h("ol", {});
    this.element = h("section", {}, h("h3", {}, title), this.list);
    this.rows = Array.from({ length: LISTED }, () => {
      const parts = { bar: h("i"), name: h("span"), weight: h("b") };
      return { ...parts, row: h("li", {}, parts.bar, parts.name, parts.weight) };
    });
    this.list.append(...this.rows.map(({ row }) => row));
  }

  /**
   * The tokens from `first` to before `end` that have the greatest weights.
   *
   * @param {string[]} tokens @param {number} first @param {number} end @param {(token: number) => number} weightOf
   */
  show(tokens, first, end, weightOf) {
    /** @type {{name: string, place: number, weight: number}[]} */
    const best = [];
    for (let place = first; place < end; place++) {
      const weight = weightOf(place);
      if (best.length === LISTED && weight <= best[LISTED - 1].weight) continue;
      const at = best.findIndex((other) => other.weight < weight);
      best.splice(at < 0 ? best.length : at, 0, { name: tokens[place], place, weight });
      best.length = Math.min(best.length, LISTED);
    }
    this.rows.forEach(({ row, bar, name, weight }, at) => {
      const entry = best[at];
      row.hidden = !entry;
      if (!entry) return;
      bar.style.width = `${Math.round((100 * entry.weight) / (best[0].weight || 1))}%`;
      name.textContent = `${entry.name} (${entry.place})`;
      weight.textContent = figure(entry.weight, 3);
    });
  }
}
