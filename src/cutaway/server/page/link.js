// @ts-check
// The page's address: all that is needed to come back to what one sees.

import { ask } from "./server.js";
import { Tree } from "./branches.js";
import { checked, pack, sketchOf, treeOf, unpack } from "./sketch.js";

const SETTINGS = /** @type {const} */ (["temperature", "top_k", "top_p", "seed", "max_tokens"]);

/** Letters that a tree may take in a link: more is cut off by many a chat or mail that links are sent through. */
const MOST_LETTERS = 8000;

/** @param {import("./session.js").Session} session */
export function toLink(session) {
  const { tree, settings, changes, prompt, shape, models, place } = session;
  const link = new URLSearchParams(place);
  if (models.length > 1) link.set("model", shape.model);
  link.set("prompt", prompt);
  for (const name of SETTINGS) link.set(name, String(settings[name]));
  if (changes.count) link.set("edits", JSON.stringify(changes.asked()));
  const branches = tree && tree.branches.length > 1 ? pack(sketchOf(tree)) : "";
  if (tree && branches && branches.length <= MOST_LETTERS) link.set("tree", branches);
  else if (tree) link.set("text", [tree.promptLength, ...tree.ids].map((id) => id.toString(36)).join("."));
  return `#${link}`;
}

/** What a link cannot hold, in words; nothing when it holds all. @param {Tree} tree */
export function beyondLink(tree) {
  const { length } = tree.branches.length > 1 ? pack(sketchOf(tree)) : "";
  if (length <= MOST_LETTERS) return "";
  const [has, most] = [length, MOST_LETTERS].map((letters) => letters.toLocaleString("en"));
  return `The address leads back to this branch alone: all of them would take ${has} letters of it, and ${most} is as much as can be sent around safely. “Save tree” keeps them in a file.`;
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
  const known = new Set(["model", "prompt", "edits", "text", "tree", ...SETTINGS]);
  for (const [key, value] of link) if (!known.has(key)) session.place[key] = value;
  const tree = link.get("tree");
  if (tree) return grow(session, unpack(tree));
  const [length, ...ids] = (link.get("text") ?? "").split(".").map((id) => parseInt(id, 36));
  if (!ids.length) return;
  const { tokens, next } = await read(session, ids);
  session.tree = new Tree(tokens.slice(0, length));
  for (const token of tokens.slice(length)) session.tree.add(token);
  session.tree.current.next = next;
}

/** Make the tree of a sketch the session's. @param {import("./session.js").Session} session @param {import("./sketch.js").Sketch} sketch */
export async function grow(session, sketch) {
  const { branches } = checked(sketch, session.shape.config);
  const body = { model: session.shape.model, tokens: branches.flatMap(({ ids }) => ids), return_token_strs: true };
  const tree = treeOf(sketch, (await ask("/detokenize", body)).token_strs);
  await learn(session, tree);
  session.tree = tree;
}

/**
 * Read the branch that is looked at, and learn what was expected in each of its places.
 *
 * @param {import("./session.js").Session} session @param {Tree} tree @param {AbortSignal} [signal]
 */
export async function learn(session, tree, signal) {
  const { current } = tree;
  const { tokens, next } = await read(session, tree.ids, signal);
  current.learn(tokens);
  current.next = next;
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
