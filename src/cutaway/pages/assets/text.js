// @ts-check
// A text coloured by surprise.

import { eachFrame, h, isTyping } from "./elements.js";
import { jsonOf } from "./packed.js";
import { exact, figure, roundNumbers, tick } from "./numbers.js";
import { colourMap, indexAt, onThemeChange } from "./colour.js";
import { csv, save } from "./download.js";
import { Legend } from "./legend.js";
import { pictureActions } from "./picture.js";
import { showTable } from "./table.js";
import { TokenText } from "./tokens.js";
import { frame, readout, takeAway } from "./toolbar.js";
import { tokensPicture } from "./written.js";
import { alternativeList } from "./lens.js";

const MOST_BITS = 16;

/** @param {import("./packed.js").View} view @param {HTMLElement} section */
export async function text(view, section) {
  /** @type {{bits: (number | null)[], ranks: (number | null)[] | null, expected: [string, number][][] | null}} */
  const { bits, ranks, expected } = await jsonOf(view, "data");
  /** @type {string[]} */
  const tokens = view.tokens;
  const scored = /** @type {number[]} */ (bits.filter((value) => value !== null));
  const mean = scored.reduce((sum, value) => sum + value, 0) / Math.max(1, scored.length);
  const most = Math.min(MOST_BITS, Math.max(1, ...scored));
  const said = readout("Bright tokens surprised the model. Hover one, or use the arrow keys.");
  const list = h("div", { class: "alternatives" });
  const legend = new Legend();
  let chosen = -1;
  let pinned = false;
  const words = new TokenText(tokens, {
    label: "The text, coloured by surprise. Arrow keys move from token to token.",
    onHover: eachFrame((token) => token !== null && !pinned && speak(token)),
    onChoose: (token) => {
      if (token === null) return;
      pinned = !(pinned && token === chosen);
      speak(token);
    },
  });
  words.element.classList.add("reading");

  /** @param {number} token */
  function speak(token) {
    chosen = token;
    const value = bits[token];
    const rank = ranks?.[token];
    const ranked = rank ? `, rank ${rank.toLocaleString("en")}` : "";
    const surprise =
      value === null
        ? "follows nothing, so it has no surprise"
        : `${figure(value, 3)} bits, probability ${figure(2 ** -value, 3)}${ranked}`;
    said.replaceChildren(
      `${tokens[token]} (position ${token}): `,
      h("b", {}, surprise),
      pinned ? " · pinned, Esc lets go" : "",
    );
    words.mark("query", token);
    list.replaceChildren(
      ...(expected && value !== null
        ? [h("h3", {}, "Expected here"), alternativeList(expected[token], tokens[token])]
        : []),
    );
  }

  /** @param {number} token @returns {import("./written.js").Look} */
  function look(token) {
    const value = bits[token];
    if (value === null) return {};
    const [colours, index] = [colourMap("cividis"), indexAt(value / most)];
    return { background: colours.css[index], ink: colours.ink[index] };
  }

  function paint() {
    const colours = colourMap("cividis");
    const index = bits.map((value) => (value === null ? 255 : indexAt(value / most)));
    words.painted.fill(null);
    words.paint(
      (token) => colours.css[index[token]] ?? "",
      (token) => colours.ink[index[token]] ?? "",
    );
    const ticks = roundNumbers(0, most, 5);
    const above = scored.some((value) => value > most);
    legend.draw({
      colours,
      index: (value) => indexAt(value / most),
      ticks: ticks.map((value, at) => ({
        at: value / most,
        text: above && at === ticks.length - 1 ? `≥ ${tick(value)}` : tick(value),
      })),
      title: "surprise (bits)",
    });
  }

  words.element.addEventListener("keydown", (event) => {
    const steps = /** @type {Record<string, number>} */ ({
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: 10,
      ArrowUp: -10,
      Home: -Infinity,
      End: Infinity,
    });
    if (isTyping(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && pinned) pinned = false;
    else if (event.key === "Enter" && chosen >= 0) pinned = !pinned;
    else if (event.key in steps) chosen = Math.min(Math.max(chosen + steps[event.key], 0), tokens.length - 1);
    else return;
    event.preventDefault();
    speak(Math.max(chosen, 0));
    words.reveal(chosen);
  });

  const table = () =>
    tokens.map((token, at) => [at, token, bits[at] === null ? "" : Number(exact(bits[at] ?? NaN)), ranks?.[at] ?? ""]);
  const columns = ["position", "token", "surprise (bits)", "rank"];
  const perplexity = scored.length
    ? `${figure(mean, 3)} bits a token on average, a perplexity of ${figure(2 ** mean, 3)}`
    : "no token to score";
  section.append(
    frame(
      [
        h("h2", {}, `${tokens.length.toLocaleString("en")} tokens, ${perplexity}`),
        takeAway({
          CSV: ["Save the surprises as CSV", () => save(view.title, "csv", csv([columns, ...table()]))],
          ...pictureActions(
            () => view.title,
            "the coloured text",
            () => [tokensPicture(tokens, look), legend.picture()],
          ),
          Numbers: ["Show the surprises as a table", () => showTable(view.title, columns, table())],
        }),
      ],
      [legend.canvas, words.element],
      [said, list],
    ),
  );
  onThemeChange(paint, view.gone);
  paint();
}
