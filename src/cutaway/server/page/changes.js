// @ts-check
// Changes to the network: what each head and MLP is multiplied by, patches and pushes.

/**
 * A change as the server is asked for it.
 *
 * @typedef {object} Edit
 * @property {"scale" | "patch" | "steer"} kind
 * @property {string} name the place, such as `h.3.z`
 * @property {number} [factor]
 * @property {number[]} [heads]
 * @property {number[]} [positions]
 * @property {string} [text]
 * @property {string} [away]
 */

/** A head's number, or null for the layer's MLP. @typedef {number | null} Part */

export class Changes {
  constructor() {
    /** What is not multiplied by one, by layer and part. @type {Map<string, {layer: number, part: Part, factor: number}>} */
    this.factors = new Map();
    /** Patches and pushes. @type {Edit[]} */
    this.others = [];
  }

  get count() {
    return this.factors.size + this.others.length;
  }

  clear() {
    this.factors.clear();
    this.others = [];
  }

  /** @param {number} layer @param {Part} part */
  factor(layer, part) {
    return this.factors.get(`${layer}.${part}`)?.factor ?? 1;
  }

  /** @param {number} layer @param {Part} part @param {number} factor */
  scale(layer, part, factor) {
    if (factor === 1) this.factors.delete(`${layer}.${part}`);
    else this.factors.set(`${layer}.${part}`, { layer, part, factor });
  }

  /** All of them, those of one place with one factor together. @returns {Edit[]} */
  asked() {
    /** @type {Map<string, Edit>} */
    const scales = new Map();
    for (const { layer, part, factor } of this.factors.values()) {
      const name = `h.${layer}.${part === null ? "mlp_out" : "z"}`;
      /** @type {Edit} */
      const edit = scales.get(`${name} ${factor}`) ?? { kind: "scale", name, factor };
      if (part !== null) edit.heads = [...(edit.heads ?? []), part];
      scales.set(`${name} ${factor}`, edit);
    }
    return [...scales.values(), ...this.others];
  }

  /** The other way round. @param {Edit[]} edits */
  restore(edits) {
    this.clear();
    for (const edit of edits) {
      const [, layer, point] = edit.name.split(".");
      if (edit.kind !== "scale") this.others.push(edit);
      else if (point === "mlp_out") this.scale(Number(layer), null, edit.factor ?? 0);
      else for (const head of edit.heads ?? []) this.scale(Number(layer), head, edit.factor ?? 0);
    }
  }
}

/** A change in words. @param {Edit} edit */
export function inWords({ kind, name, factor = 0, heads, positions, text, away }) {
  const [, layer, point] = name.split(".");
  const where = { z: "the heads", mlp_out: "the MLP", resid_pre: "the stream into layer" }[point] ?? point;
  const place = point === "resid_pre" ? `${where} ${layer}` : `${where} of layer ${layer}`;
  const some = heads ? `${heads.length === 1 ? "head" : "heads"} ${heads.join(", ")} of layer ${layer}` : place;
  if (kind === "scale") return factor === 0 ? `${some} off` : `${some} × ${factor}`;
  if (kind === "steer") return `push ${place} toward “${text}”${away ? `, away from “${away}”` : ""}, × ${factor}`;
  return `${some} as when reading “${text}”${positions ? `, at ${positions.join(", ")}` : ""}`;
}
