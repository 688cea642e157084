// @ts-check
// Attention: all heads, and the way to one of them and back.

import { choice, h, isTyping } from "./elements.js";
import { bytesOf, jsonOf } from "./packed.js";
import { figure, percent } from "./numbers.js";
import { colourMap, onThemeChange } from "./colour.js";
import { csv, save } from "./download.js";
import { pictureActions } from "./picture.js";
import { showTable } from "./table.js";
import { Thumbnails } from "./thumbnails.js";
import { HeadScreen } from "./head.js";
import { button, frame, readout, takeAway } from "./toolbar.js";

const COLUMNS = ["layer", "head", "to the first token", "to the token before", "to itself", "entropy (bits)"];

export const ATTENTION_KEYS = [
  ["Enter", "open the chosen head"],
  ["↑ ↓ ← →", "move query and key, or choose a head (Shift: ten at once)"],
  ["[ ]", "previous and next head"],
  ["{ }", "previous and next layer"],
  ["Esc", "let go of a pinned cell, then back to all heads"],
];

/** @param {import("./packed.js").View} view @param {HTMLElement} section */
export async function attention(view, section) {
  const [heads, levels] = await Promise.all([
    /** @type {Promise<import("./thumbnails.js").Head[]>} */ (jsonOf(view, "heads")),
    bytesOf(view, "thumbnails"),
  ]);
  const said = readout("Each small picture is a head: queries down, keys across. Click one.");
  const facts = h("dl", { class: "facts" });
  const back = button("← All heads", "Back to all heads (Esc)", () => show(null));
  const screen = new HeadScreen(view, back);
  const thumbnails = new Thumbnails(heads, levels, {
    onHover: (head) => {
      said.textContent = `Layer ${head?.layer}, head ${head?.head}`;
      if (head) facts.replaceChildren(...averages(head));
    },
    onChoose: (head) => show(head),
  });
  onThemeChange(() => thumbnails.draw(), view.gone);
  const scales = choice(
    "Colours",
    { own: "each head to its own brightest", shared: "all heads from 0 to 1" },
    (value) => {
      thumbnails.sharedScale = value === "shared";
      thumbnails.draw();
    },
  );
  const table = () =>
    heads.map((head) => [head.layer, head.head, head.to_first, head.to_previous, head.to_itself, head.entropy_bits]);
  const overview = frame(
    [
      h("h2", {}, `${heads.length} heads, ${view.tokens.length.toLocaleString("en")} tokens`),
      scales,
      takeAway({
        CSV: [
          "Save the averages of all heads as CSV",
          () => save(`${view.title} heads`, "csv", csv([COLUMNS, ...table()])),
        ],
        ...pictureActions(
          () => view.title,
          "all heads",
          () => [thumbnails.picture()],
        ),
        Numbers: [
          "Show the averages of all heads as a table",
          () => showTable("All heads", COLUMNS, table(), "Averages over all queries."),
        ],
      }),
    ],
    [h("p", { class: "axis" }, "layer ↓  head →"), thumbnails.element],
    [
      said,
      facts,
      h(
        "p",
        { class: "note" },
        "Bright is much attention. Averages are over all queries; entropy is that of a query's weights.",
      ),
    ],
  );
  section.append(overview, screen.element);

  /** @param {import("./thumbnails.js").Head | null} head */
  async function show(head) {
    const before = thumbnails.chosen;
    overview.hidden = head !== null;
    screen.element.hidden = head === null;
    view.address.keep(head ? { layer: head.layer, head: head.head } : {});
    if (head) {
      thumbnails.choose(head);
      await screen.open(head);
      if (document.activeElement === document.body || thumbnails.element === document.activeElement) {
        screen.grid.element.focus({ preventScroll: true });
      }
    } else {
      delete screen.element.dataset.shown;
      thumbnails.element.focus({ preventScroll: true });
      if (before) thumbnails.drawCursor();
    }
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const elsewhere = section.closest("[hidden]") || screen.element.hidden || isTyping(event);
    if (elsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
    const from = thumbnails.chosen ?? heads[0];
    /** @type {Record<string, [number, number]>} */
    const moves = { "[": [0, -1], "]": [0, 1], "{": [-1, 0], "}": [1, 0] };
    const move =
      moves[event.key] ??
      (event.shiftKey ? { BracketLeft: moves["{"], BracketRight: moves["}"] }[event.code] : undefined);
    if (event.key === "Escape" && screen.grid.cell?.pinned) screen.grid.pin(screen.grid.cell);
    else if (event.key === "Escape") show(null);
    else if (move) show(thumbnails.neighbour(from, ...move));
    else return;
    event.preventDefault();
  }
  document.addEventListener("keydown", key, { signal: view.gone });

  const kept = view.address.kept();
  const head = kept.get("head") ? thumbnails.find(Number(kept.get("layer")), Number(kept.get("head"))) : null;
  if (head) await show(head);
}

/** @param {import("./thumbnails.js").Head} head */
function averages(head) {
  const lines = [
    ["to the first token", percent(head.to_first)],
    ["to the token before", percent(head.to_previous)],
    ["to itself", percent(head.to_itself)],
    ["entropy", `${figure(head.entropy_bits, 3)} bits`],
  ];
  return lines.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}
