// @ts-check
// The numbers that travel in the page: base64 of deflated bytes, unpacked when they are needed.

import { addressOf } from "./address.js";

/**
 * What a view is drawn from: its facts, and its bulk as base64 of deflated bytes, by name. `gone` tells when it is
 * taken out of a page that goes on without it.
 *
 * @typedef {object} Packed
 * @property {string} kind
 * @property {string} title
 * @property {(name: string) => string | Promise<string>} block
 * @property {import("./address.js").Address} address
 * @property {AbortSignal} [gone]
 */
/** @typedef {Record<string, any> & Packed} View */

/** The view with this number in the page's own data, or null. @param {number} number @returns {View | null} */
export function viewNumbered(number) {
  const element = document.getElementById(`view-${number}`);
  if (!element) return null;
  const block = (/** @type {string} */ name) => document.getElementById(`view-${number}-${name}`)?.textContent ?? "";
  return { ...JSON.parse(element.textContent ?? ""), block, address: addressOf(number) };
}

/** @param {View} view @param {string} name @returns {Promise<Uint8Array>} */
export async function bytesOf(view, name) {
  const stream = new Blob([fromBase64(await view.block(name))]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** @param {View} view @param {string} name */
export async function floatsOf(view, name) {
  const bytes = await bytesOf(view, name);
  const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  if (little) return new Float32Array(bytes.buffer);
  const reader = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 4 }, (_, index) => reader.getFloat32(4 * index, true));
}

/** @param {View} view @param {string} name @returns {Promise<any>} */
export async function jsonOf(view, name) {
  return JSON.parse(new TextDecoder().decode(await bytesOf(view, name)));
}

/**
 * Levels of attention weights: a byte each, or all high bytes and then all low ones.
 *
 * @param {View} view
 * @param {string} name
 * @param {number} bits
 * @returns {Promise<Uint8Array | Uint16Array>}
 */
export async function levelsOf(view, name, bits) {
  const bytes = await bytesOf(view, name);
  if (bits <= 8) return bytes;
  const half = bytes.length / 2;
  const levels = new Uint16Array(half);
  for (let i = 0; i < half; i++) levels[i] = (bytes[i] << 8) | bytes[half + i];
  return levels;
}

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export function fromBase64(text) {
  const native = /** @type {{fromBase64?: (text: string) => Uint8Array<ArrayBuffer>}} */ (
    /** @type {unknown} */ (Uint8Array)
  );
  if (native.fromBase64) return native.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
