// @ts-check
// What there is to say of a step in bars: what its token looks at, and what was expected to come next.

import { h } from "./views/elements.js";
import { percent } from "./views/numbers.js";
import { shown } from "./alternatives.js";
import { BarList } from "./bar_list.js";
import { LISTED } from "./generation.js";

export class StepBars {
  /** @param {(token: number | null) => void} onToken a place in the text @param {(id: number | null) => void} onNext a token that was expected */
  constructor(onToken, onNext) {
    this.looksAt = new BarList("Looks most at", LISTED, onToken);
    // One more than are listed: what was written may not be among them.
    this.expected = new BarList("Expected next", LISTED + 1, onNext);
    this.element = h("div", { class: "rankings" }, this.looksAt.element, this.expected.element);
  }

  /** @param {import("./generation.js").Generation} generation @param {number} step @param {Float32Array} row what its token looks at */
  show({ tokens, next }, step, row) {
    const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a]);
    const most = row[order[0]] || 1;
    this.looksAt.show(
      order.slice(0, LISTED).map((at) => ({
        name: `${shown(tokens[at].piece)} (${at})`,
        share: row[at] / most,
        said: percent(row[at]),
        at,
      })),
    );
    const written = tokens[step + 1];
    const likely = [...(written?.top ?? next)];
    if (written?.logprob != null && !likely.some(([token]) => token === written.token))
      likely.push([written.token, written.piece, written.logprob]);
    this.expected.show(
      likely.map(([token, piece, logprob]) => ({
        name: shown(piece),
        share: Math.exp(logprob),
        said: percent(Math.exp(logprob)),
        at: token,
        chosen: token === written?.token,
      })),
    );
  }

  /** Show which bar is about this place. @param {number | null} token */
  mark(token) {
    this.looksAt.mark(token);
  }
}
