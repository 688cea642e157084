// @ts-check
// Zoom into what enters: the token's row of one table plus the position's row of another.

import { figure } from "./views/numbers.js";
import { shown } from "./alternatives.js";
import { box, bySize, door, meter, rows } from "./box.js";
import { changed, exactly, sum } from "./products.js";
import { strip } from "./strip.js";

const NEEDS = { points: ["embed", "pos_embed", "h.0.resid_pre"] };

/** @param {import("./levels.js").Scope} scope @returns {import("./levels.js").Level} */
export function embedding({ config, pieces, ids }) {
  const at = pieces.length - 1;
  const numbers = (/** @type {import("./reading.js").Reading} */ reading) => ({
    token: reading.at("embed", at),
    position: reading.at("pos_embed", at),
    stream: reading.at("h.0.resid_pre", at),
  });
  /** @param {number} channel @returns {import("./levels.js").Level} */
  const channel = (channel) => ({
    name: `Number ${channel}`,
    needs: NEEDS,
    inside: () => null,
    draw: (reading) => {
      const { token, position, stream } = numbers(reading);
      const value = token[channel] + position[channel];
      return [
        `Number ${channel} of the token’s row, plus number ${channel} of the position’s row.`,
        sum(`${exactly(token[channel])} + ${exactly(position[channel])} = `, value),
        `With it the stream enters the first layer.${changed(value, stream[channel])}`,
      ];
    },
  });
  return {
    name: "Embedding",
    needs: NEEDS,
    inside: (step) => (step < config.n_embd ? channel(step) : null),
    draw: (reading, open) => {
      const { token, position, stream } = numbers(reading);
      const order = bySize(stream);
      const most = Math.abs(stream[order[0]]) || 1;
      const row = (/** @type {number} */ rank) => {
        const place = order[rank];
        const said = `${figure(token[place], 3)} + ${figure(position[place], 3)} = ${figure(stream[place], 3)}`;
        return door(place, open, "", meter(`number ${place}`, Math.abs(stream[place]) / most, said, stream[place] < 0));
      };
      return [
        `“${shown(pieces[at])}” is token ${ids[at].toLocaleString("en")} of ${config.vocab_size.toLocaleString("en")} and stands in place ${at} of at most ${config.block_size.toLocaleString("en")}. Two tables, both learned, have a row for each; added up they are what enters.`,
        box(`Row ${ids[at].toLocaleString("en")} of the table of tokens`, strip(token, "the token’s row")),
        box(`Row ${at} of the table of positions`, strip(position, "the position’s row")),
        box("Their sum", strip(stream, "the stream as it enters")),
        rows(stream.length, row),
      ];
    },
  };
}
