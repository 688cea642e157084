// @ts-check
// How near one looks: the whole network, a layer, and from there on into each of its parts.

import { h } from "./views/elements.js";
import { figure, percent } from "./views/numbers.js";
import { shown } from "./alternatives.js";
import { attentionNeeds, head, scores } from "./attention.js";
import { box, door, meter } from "./box.js";
import { embedding } from "./embedding.js";
import { layerNorm } from "./layer_norm.js";
import { logits } from "./logit.js";
import { mlp } from "./mlp.js";
import { strip } from "./strip.js";
import { norm, softmax } from "./trace_file.js";

/** @typedef {import("./reading.js").Needs} Needs */
/**
 * What is looked at: a token, and the text up to it.
 *
 * @typedef {object} Scope
 * @property {import("./session.js").Config} config
 * @property {string[]} pieces up to the token that is followed
 * @property {number[]} ids
 * @property {import("./branches.js").Alternative[]} next what is expected after it
 * @property {Record<string, string>} place what the address remembers, as it is at any moment
 * @property {(facts: Record<string, string | null>) => void} keep what it is to remember
 */
/**
 * A place that one can look at.
 *
 * @typedef {object} Level
 * @property {string} name as it stands in the way back
 * @property {Needs} needs the numbers that are shown
 * @property {(step: number, name: string) => Level | null} inside where a step leads: as a number, and as it is written
 * @property {(reading: import("./reading.js").Reading, open: import("./box.js").Open) => (HTMLElement | string)[]} draw
 */

/** The places on a way, as far as there is one in this network and text. @param {Scope} scope @param {string[]} way */
export function levelsOf(scope, way) {
  const levels = [network(scope)];
  for (const name of way) {
    const step = /^\d+$/.test(name) ? Number(name) : NaN;
    const next = levels[levels.length - 1].inside(step, name);
    if (!next) break;
    levels.push(next);
  }
  return levels;
}

/** @param {Scope} scope @returns {Level} */
function network(scope) {
  const { config, pieces, next } = scope;
  const at = pieces.length - 1;
  const layers = Array.from({ length: config.n_layer }, (_, layer) => `h.${layer}`);
  const last = { name: "ln_f", title: "Last LayerNorm", source: `h.${config.n_layer - 1}.resid_post` };
  /** @type {Record<string, () => Level>} */
  const parts = {
    embed: () => embedding(scope),
    ln_f: () => layerNorm(scope, last),
    out: () => logits(scope),
  };
  return {
    name: "The network",
    needs: { points: layers.flatMap((layer) => [`${layer}.resid_pre`, `${layer}.attn_out`, `${layer}.mlp_out`]) },
    inside: (step, name) => (step < config.n_layer ? layer(scope, step) : (parts[name]?.() ?? null)),
    draw: (reading, open) => {
      const vectors = layers.map((layer) => ({
        enters: reading.at(`${layer}.resid_pre`, at),
        heads: norm(reading.at(`${layer}.attn_out`, at)),
        mlp: norm(reading.at(`${layer}.mlp_out`, at)),
      }));
      const most = Math.max(...vectors.flatMap(({ heads, mlp }) => [heads, mlp]));
      const boxes = vectors.map(({ enters, heads, mlp }, layer) =>
        door(
          layer,
          open,
          `Layer ${layer}`,
          strip(enters, `the stream into layer ${layer}`),
          meter("heads add", heads / most, figure(heads, 3)),
          meter("MLP adds", mlp / most, figure(mlp, 3)),
        ),
      );
      const answers = next
        .slice(0, 5)
        .map(([, piece, logprob]) => meter(shown(piece), Math.exp(logprob), percent(Math.exp(logprob))));
      return [
        `One token, “${shown(pieces[at])}”, goes from top to bottom: a list of ${config.n_embd.toLocaleString("en")} numbers, here as a strip of colours, to which every layer adds something. The bars say how much. Every part can be opened.`,
        door("embed", open, "Enters: its embedding, and that of its position"),
        ...boxes,
        door("ln_f", open, "The last LayerNorm brings it to one size"),
        door("out", open, "Leaves: how likely each token is to come next", ...answers),
      ];
    },
  };
}

/** @param {Scope} scope @param {number} layer @returns {Level} */
function layer(scope, layer) {
  const { config, pieces } = scope;
  const at = pieces.length - 1;
  const name = (/** @type {string} */ point) => `h.${layer}.${point}`;
  /** @type {Record<string, () => Level>} */
  const parts = {
    ln_1: () => layerNorm(scope, { name: name("ln_1"), title: "LayerNorm 1", source: name("resid_pre") }),
    ln_2: () => layerNorm(scope, { name: name("ln_2"), title: "LayerNorm 2", source: name("resid_mid") }),
    mlp: () => mlp(scope, layer),
  };
  const added = ["resid_pre", "attn_out", "mlp_out", "resid_post"];
  return {
    name: `Layer ${layer}`,
    needs: { points: [...added.map(name), ...attentionNeeds(layer).points] },
    inside: (step, part) => (step < config.n_head ? head(scope, layer, step) : (parts[part]?.() ?? null)),
    draw: (reading, open) => {
      const [enters, attention, mlp, leaves] = added.map((point) => reading.at(name(point), at));
      const looks = Array.from({ length: config.n_head }, (_, head) => {
        const weights = softmax(scores(reading, scope, layer, head));
        const most = weights.indexOf(Math.max(...weights));
        const said = `looks at “${shown(pieces[most])}” (${most})`;
        return door(head, open, `Head ${head}`, meter(said, weights[most], percent(weights[most])));
      });
      return [
        `In a layer the heads first fetch information from earlier tokens, then the MLP works on the token alone. Each adds its result to the stream.`,
        box("The stream comes in", strip(enters, "the stream in")),
        door("ln_1", open, "LayerNorm, before the heads"),
        h("div", { class: "row" }, ...looks),
        box(`The heads add this, of length ${figure(norm(attention), 3)}`, strip(attention, "what the heads add")),
        door("ln_2", open, "LayerNorm, before the MLP"),
        door("mlp", open, `The MLP adds this, of length ${figure(norm(mlp), 3)}`, strip(mlp, "what the MLP adds")),
        box("The stream goes on", strip(leaves, "the stream out")),
      ];
    },
  };
}
