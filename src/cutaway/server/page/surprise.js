// @ts-check
// Tokens coloured by how much they surprised, with the legend; the scale stays while a text grows.

import { colourMap, indexAt } from "./views/colour.js";
import { roundNumbers, tick } from "./views/numbers.js";

const MOST_BITS = 12;

/** @param {import("./branches.js").Token[]} tokens @param {import("./views/tokens.js").TokenText} words */
export function paintSurprise(tokens, words) {
  const look = looksOfSurprise(tokens);
  words.paint(
    (token) => look(token).background ?? "",
    (token) => look(token).ink ?? "",
  );
}

/** How each token looks. @param {import("./branches.js").Token[]} tokens @returns {(token: number) => import("./views/written.js").Look} */
export function looksOfSurprise(tokens) {
  const { css, ink } = colourMap("cividis");
  const index = tokens.map(({ logprob }) => (logprob === null ? 255 : place(-logprob / Math.LN2)));
  return (token) => ({ background: css[index[token]], ink: ink[index[token]] });
}

/** @param {import("./views/legend.js").Legend} legend */
export function surpriseLegend(legend) {
  legend.draw({
    colours: colourMap("cividis"),
    index: place,
    ticks: roundNumbers(0, MOST_BITS, 4).map((bits) => ({
      at: bits / MOST_BITS,
      text: bits === MOST_BITS ? `≥ ${bits}` : tick(bits),
    })),
    title: "surprise (bits): bright tokens were unexpected",
  });
}

/** @param {number} bits */
function place(bits) {
  return indexAt(bits / MOST_BITS);
}
