// @ts-check
// The server: questions, answers, and answers that come bit by bit.

import { askKey, key } from "./key.js";

const UNCHANGED = 304;

/** A refusal, in the server's own words. */
export class Refusal extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * The answer to a question, as JSON; without a body it is only asked for.
 *
 * @param {string} path @param {object | null} [body] @param {AbortSignal} [signal] @returns {Promise<any>}
 */
export async function ask(path, body = null, signal) {
  return (await call(path, body, signal)).json();
}

/** A question that is asked again and again, of which only what is new is sent. */
export class News {
  /** @param {string} path */
  constructor(path) {
    this.path = path;
    /** What the server calls its last answer. */
    this.sign = "";
  }

  /** The answer; null when it is what it was. @returns {Promise<any>} */
  async ask() {
    const response = await call(this.path, null, undefined, this.sign ? { "If-None-Match": this.sign } : {});
    if (response.status === UNCHANGED) return null;
    this.sign = response.headers.get("ETag") ?? "";
    return response.json();
  }
}

/** The answer to a question, as bytes. @param {string} path @param {object} body */
export async function fetchBytes(path, body) {
  return (await call(path, body)).arrayBuffer();
}

/**
 * What the server sends one by one, until it is done.
 *
 * @param {string} path @param {object} body @param {AbortSignal} signal @returns {AsyncGenerator<any>}
 */
export async function* follow(path, body, signal) {
  const stream = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ ((await call(path, body, signal)).body);
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (let waiting = "", part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (waiting + part.value).split("\n\n");
    waiting = lines.pop() ?? "";
    for (const line of lines) {
      const data = line.slice("data: ".length);
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error) throw new Refusal(400, event.error.message);
      yield event;
    }
  }
  throw new Refusal(0, "the server stopped in the middle of its answer");
}

/** @param {string} path @param {object | null} body @param {AbortSignal} [signal] @param {Record<string, string>} [more] headers @returns {Promise<Response>} */
async function call(path, body, signal, more = {}) {
  /** @type {Record<string, string>} */
  const authorization = key() ? { Authorization: `Bearer ${key()}` } : {};
  const headers = { "Content-Type": "application/json", ...authorization, ...more };
  const how = body ? { method: "POST", body: JSON.stringify(body) } : {};
  const response = await fetch(path, { ...how, headers, signal });
  if (response.ok || response.status === UNCHANGED) return response;
  if (response.status === 401) {
    await askKey();
    return call(path, body, signal, more);
  }
  const said = await response.json().catch(() => null);
  throw new Refusal(response.status, said?.error?.message ?? `the server answered ${response.status}`);
}

/** What went wrong, for people; nothing when it was only called off. @param {unknown} error */
export function fault(error) {
  if (error instanceof DOMException && error.name === "AbortError") return "";
  if (error instanceof TypeError) return "The server cannot be reached. Is it still running?";
  const message = error instanceof Error ? error.message : String(error);
  return message.charAt(0).toUpperCase() + message.slice(1) + ".";
}
