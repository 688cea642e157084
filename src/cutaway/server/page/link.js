// @ts-check
// The page's address: all that is needed to come back to what one sees.

import { ask } from "./server.js";
import { Tree } from "./branches.js";

const SETTINGS = /** @type {const} */ (["temperature", "top_k", "top_p", "seed", "max_tokens"]);

/** @param {import("./session.js").Session} session */
export function toLink(session) {
  const { tree, settings, changes, prompt, shape, models, place } = session;
  const link = new URLSearchParams(place);
  if (models.length > 1) link.set("model", shape.model);
  link.set("prompt", prompt);
  for (const name of SETTINGS) link.set(name, String(settings[name]));
  if (changes.count) link.set("edits", JSON.stringify(changes.asked()));
  if (tree) link.set("text", [tree.promptLength, ...tree.ids].map((id) => id.toString(36)).join("."));
  return `#${link}`;
}

/** Bring the session to where a link leads. @param {import("./session.js").Session} session @param {string} hash */
export async function follow(session, hash) {
  const link = new URLSearchParams(hash.slice(1));
  const name = link.get("model");
  if (name !== null) session.shape = session.models.find(({ model }) => model === name) ?? session.shape;
  session.prompt = link.get("prompt") ?? session.prompt;
  for (const setting of SETTINGS) {
    const value = Number(link.get(setting) ?? NaN);
    if (Number.isFinite(value)) session.settings[setting] = value;
  }
  session.changes.restore(JSON.parse(link.get("edits") ?? "[]"));
  const known = new Set(["model", "prompt", "edits", "text", ...SETTINGS]);
  for (const [key, value] of link) if (!known.has(key)) session.place[key] = value;
  const [length, ...ids] = (link.get("text") ?? "").split(".").map((id) => parseInt(id, 36));
  if (!ids.length) return;
  const { tokens, next } = await read(session, ids);
  session.tree = new Tree(tokens.slice(0, length));
  for (const token of tokens.slice(length)) session.tree.add(token);
  session.tree.current.next = next;
}

/**
 * A text token by token, each with what was expected in its place.
 *
 * @param {import("./session.js").Session} session @param {string | number[]} prompt @param {AbortSignal} [signal]
 * @returns {Promise<{tokens: import("./branches.js").Token[], next: import("./branches.js").Alternative[]}>}
 */
export function read(session, prompt, signal) {
  return ask("/inside/read", { model: session.shape.model, prompt, top: 50 }, signal);
}
