// @ts-check
// A tree of branches as a JSON file: saved, and opened again.

import { h } from "./views/elements.js";
import { save } from "./views/download.js";
import { grow } from "./link.js";
import { sketchOf } from "./sketch.js";

const KIND = "cutaway tree";
const MOST_BYTES = 1 << 24;

/** @param {import("./session.js").Session} session */
export function saveTree({ tree, shape, prompt, settings }) {
  if (!tree) return;
  const file = { kind: KIND, model: shape.model, prompt, settings, ...sketchOf(tree) };
  save(`tree ${prompt}`, "json", new Blob([JSON.stringify(file)], { type: "application/json" }));
}

/** Have a file chosen. @returns {Promise<File>} */
export function chosenFile() {
  return new Promise((resolve) => {
    const field = h("input", { type: "file", accept: ".json,application/json" });
    field.addEventListener("change", () => field.files?.[0] && resolve(field.files[0]));
    field.click();
  });
}

/** Make a file's tree the session's. @param {import("./session.js").Session} session @param {File} file */
export async function openTree(session, file) {
  if (file.size > MOST_BYTES) throw new Error(`${file.name} is larger than ${MOST_BYTES >> 20} MiB and is not read`);
  const said = parsed(await file.text());
  if (said?.kind !== KIND) throw new Error(`${file.name} holds no tree of branches; save one with “Save tree”`);
  const { model, prompt, given, current, branches } = said;
  if (model !== session.shape.model) throw new Error(`${file.name} was written by ${model}; choose that model first`);
  await grow(session, { given, current, branches });
  session.prompt = String(prompt);
}

/** @param {string} text @returns {any} */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
