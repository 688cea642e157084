// @ts-check
// A tree of branches in bare numbers, which is what a link and a file keep of it: everything else can be read again.

import { Branch, Tree } from "./branches.js";

/** @typedef {{parent: number, from: number, ids: number[]}} Limb the parent by its number, −1 for none */
/** @typedef {{given: number, current: number, branches: Limb[]}} Sketch `given` is how many tokens the prompt has */

const MOST_BRANCHES = 1000;
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const DIGIT_BITS = 6;

/** @param {Tree} tree @returns {Sketch} */
export function sketchOf({ given, branches, current }) {
  const limbs = branches.map(({ parent, from, tokens }) => ({
    parent: parent ? branches.indexOf(parent) : -1,
    from,
    ids: tokens.map(({ token }) => token),
  }));
  return { given, current: branches.indexOf(current), branches: limbs };
}

/**
 * The tree again, with what is not known yet left open: each token says that it is `unread`.
 *
 * @param {Sketch} sketch @param {string[]} pieces the printable forms of all ids, branch after branch
 */
export function treeOf({ given, current, branches }, pieces) {
  let at = 0;
  /** @param {number[]} ids @returns {import("./branches.js").Token[]} */
  const unread = (ids) => ids.map((token) => ({ token, piece: pieces[at++], logprob: null, top: [], unread: true }));
  const [trunk, ...others] = branches;
  const tree = new Tree(unread(trunk.ids));
  for (const { parent, from, ids } of others) tree.branches.push(new Branch(tree.branches[parent], from, unread(ids)));
  tree.given = given;
  tree.current = tree.branches[current];
  return tree;
}

/**
 * The sketch, if a tree can be made of it.
 *
 * @param {Sketch} sketch @param {{vocab_size: number, block_size: number}} config
 */
export function checked(sketch, { vocab_size, block_size }) {
  const { given, current, branches } = sketch;
  const whole = (/** @type {number} */ value, /** @type {number} */ least, /** @type {number} */ end) =>
    Number.isInteger(value) && value >= least && value < end;
  /** @param {boolean} right @param {string} words */
  const expect = (right, words) => {
    if (!right) throw new Error(`this is no tree of branches that fits the model: ${words}`);
  };
  const some = Array.isArray(branches) && whole(branches.length, 1, MOST_BRANCHES + 1) && branches.every(Boolean);
  expect(some, `1 to ${MOST_BRANCHES} branches`);
  expect(whole(current, 0, branches.length), "one of the branches is looked at");
  /** @type {number[]} */
  const lengths = [];
  branches.forEach(({ parent, from, ids }, at) => {
    expect(at ? whole(parent, 0, at) : parent === -1, "a branch leaves one that came before it");
    const place = at ? whole(from, branches[parent].from, lengths[parent]) : from === 0;
    expect(place, "a branch leaves within its parent");
    expect(Array.isArray(ids) && ids.every((id) => whole(id, 0, vocab_size)), `ids below ${vocab_size}`);
    lengths[at] = from + ids.length;
    expect(ids.length > 0 && lengths[at] <= block_size, `1 to ${block_size} tokens`);
  });
  expect(whole(given, 1, lengths[0] + 1), "the prompt is the beginning of the first branch");
  return sketch;
}

/** A sketch as a short text of letters that need no escape in an address. @param {Sketch} sketch */
export function pack({ given, current, branches }) {
  const heads = branches.flatMap(({ parent, from, ids }) => [parent + 1, from, ids.length]);
  return packed([given, current, branches.length, ...heads, ...branches.flatMap(({ ids }) => ids)]);
}

/** @param {string} text @returns {Sketch} */
export function unpack(text) {
  const numbers = unpacked(text);
  const [given, current, count] = numbers;
  let at = 3 + 3 * count;
  const branches = Array.from({ length: Math.min(count, MOST_BRANCHES + 1) }, (_, branch) => {
    const [parent, from, length] = numbers.slice(3 + 3 * branch, 6 + 3 * branch);
    return { parent: parent - 1, from, ids: numbers.slice(at, (at += length)) };
  });
  if (!(at <= numbers.length)) throw new Error("the end of the tree is missing");
  return { given, current, branches };
}

/** Numbers of equally many bits, one after the other; the first digit says how many bits. @param {number[]} numbers */
function packed(numbers) {
  const width = Math.max(1, 32 - Math.clz32(numbers.reduce((most, number) => Math.max(most, number), 0)));
  let [text, held, bits] = [DIGITS[width], 0, 0];
  for (const number of numbers) {
    held = held * 2 ** width + number;
    for (bits += width; bits >= DIGIT_BITS; held %= 2 ** bits) {
      bits -= DIGIT_BITS;
      text += DIGITS[Math.floor(held / 2 ** bits)];
    }
  }
  return bits ? text + DIGITS[held * 2 ** (DIGIT_BITS - bits)] : text;
}

/** @param {string} text */
function unpacked(text) {
  const [width, ...digits] = Array.from(text, (digit) => DIGITS.indexOf(digit));
  if (!(width > 0 && width <= 32) || digits.includes(-1)) throw new Error("a tree has letters, digits, - and _");
  const numbers = [];
  let [held, bits] = [0, 0];
  for (const digit of digits) {
    held = held * 2 ** DIGIT_BITS + digit;
    bits += DIGIT_BITS;
    // A number that is narrower than a digit may come several at once.
    for (; bits >= width; held %= 2 ** bits) {
      bits -= width;
      numbers.push(Math.floor(held / 2 ** bits));
    }
  }
  return numbers;
}
