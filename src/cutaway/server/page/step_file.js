// @ts-check
// A step of a text as files: its words and heads as they are seen, and in numbers what its newest token looks at.

import { csv, save } from "./views/download.js";
import { SHADES, shadesOf } from "./views/head.js";
import { pictureActions, row } from "./views/picture.js";
import { takeAway } from "./views/toolbar.js";
import { linesPicture, tokensPicture } from "./views/written.js";

/** @param {import("./player.js").Player} player */
export function takeStepAway(player) {
  const title = () => `Step ${player.playback.at + 1}, layer ${player.head?.layer}, head ${player.head?.head}`;
  return takeAway({
    CSV: ["Save what this step's token looks at, and what was expected, as CSV", () => save(title(), "csv", csv(rows(player)))],
    ...pictureActions(title, "this step", () => pictures(player)),
  });
}

/** @param {import("./player.js").Player} player @returns {import("./views/picture.js").Picture[]} */
function pictures({ generation, pattern, playback, said, picture, small }) {
  if (!generation || !pattern || !picture || !small) return [];
  const weights = pattern.row(playback.at);
  const most = weights.reduce((all, weight) => Math.max(all, weight), 1e-9);
  const shades = shadesOf("--at");
  const pieces = generation.tokens.slice(0, playback.at + 1).map(({ piece }) => piece);
  /** @param {number} token @returns {import("./views/written.js").Look} */
  const look = (token) => ({
    background: shades[Math.round((SHADES * weights[token]) / most)],
    bold: token === playback.at,
  });
  return [
    linesPicture([said.textContent ?? ""]),
    tokensPicture(pieces, look),
    row([picture.picture(), small.picture()]),
  ];
}

/** @param {import("./player.js").Player} player */
function* rows({ generation, pattern, playback }) {
  yield ["list", "token", "piece", "position", "weight", "logprob"];
  if (!generation || !pattern) return;
  for (const [at, weight] of pattern.row(playback.at).entries()) {
    const { token, piece } = generation.tokens[at];
    yield ["looks at", token, piece, at, +weight.toPrecision(5), ""];
  }
  for (const [token, piece, logprob] of generation.tokens[playback.at + 1]?.top ?? generation.next)
    yield ["expected next", token, piece, playback.at + 1, "", logprob];
}
