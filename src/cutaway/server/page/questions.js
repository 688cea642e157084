// @ts-check
// What can be asked about a text, and what one sees then, in words for somebody who sees it for the first time.

/**
 * @typedef {object} Asked
 * @property {string} name as the server calls it
 * @property {string} title
 * @property {string} words
 * @property {string} [pick] what choosing a token does
 */

/** @type {Asked[]} */
export const QUESTIONS = [
  {
    name: "text",
    title: "Surprise",
    words: "How unexpected each token was to the network, and what it expected instead.",
  },
  {
    name: "attention",
    title: "Attention",
    words:
      "Where each head looks: every small picture is one head, every row a token, and bright is what it takes its information from. Click a head to open it.",
  },
  {
    name: "lens",
    title: "Logit lens",
    words:
      "What the network would say if it had to answer after each layer. Read a row from left to right to watch it make up its mind.",
  },
  {
    name: "attribution",
    title: "Attribution",
    words:
      "Who voted for a token: how much each part of the network, each head, and each earlier token added to its logit.",
    pick: "Choose the token whose logit is taken apart.",
  },
  {
    name: "tokens",
    title: "Embeddings",
    words:
      "Every token enters as a list of numbers. Which tokens enter alike, and the first 2,000 of the vocabulary seen in a plane.",
    pick: "Choose the token whose neighbours are shown.",
  },
  {
    name: "positions",
    title: "Positions",
    words: "What the network adds to a token to tell it where it stands.",
  },
];

/**
 * The body of a question about a text; `chosen` is the token it is about, where it is about one.
 *
 * @param {Asked} asked @param {number[]} ids @param {number} chosen
 */
export function about(asked, ids, chosen) {
  if (asked.name === "tokens") return { prompt: [ids[chosen]] };
  if (asked.name === "attribution" && chosen > 0) return { prompt: ids, target: ids[chosen], position: chosen - 1 };
  return { prompt: asked.name === "positions" ? ids.slice(0, 1) : ids };
}
