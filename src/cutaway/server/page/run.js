// @ts-check
// A training run as the page knows it: where it stands, the lines of its log, what it wrote.

import { ask } from "./server.js";

/**
 * Where a run stands, as the server says.
 *
 * @typedef {object} Card
 * @property {string} name
 * @property {string | null} problem why its folder cannot be read
 * @property {number | null} [step] of the last line of its log
 * @property {number | null} [elapsed_s]
 * @property {number | null} [age_s] since that line was written
 * @property {boolean} [finished]
 * @property {string} [cursor] where the log ends
 * @property {number | null} [checkpoint] the step of the newest one
 * @property {number} [steps]
 * @property {number | null} [share]
 * @property {number} [parameters]
 * @property {number | null} [sample_every]
 */

/** @typedef {{step: number, sample: string, now?: boolean}} Sample `now`: asked for here, of a checkpoint */

export class Run {
  /** @param {Card} card @param {number} number its place among the runs, which gives it its colour */
  constructor(card, number) {
    this.name = card.name;
    this.number = number;
    this.shown = true;
    /** @type {import("./series.js").LogLine[]} */
    this.lines = [];
    /** Those of the log. @type {Sample[]} */
    this.logged = [];
    /** Those that were asked for here. @type {Sample[]} */
    this.asked = [];
    this.cursors = { log: "", samples: "" };
    /** What is being read. @type {Map<string, Promise<boolean>>} */
    this.reading = new Map();
    this.take(card);
  }

  /** What the server says of it now. @param {Card} card */
  take(card) {
    this.card = card;
    this.heard = Date.now(); // goes on while a laptop sleeps
  }

  /** Seconds since it last wrote into its log. */
  get age() {
    const { age_s } = this.card ?? {};
    return age_s == null ? null : age_s + (Date.now() - (this.heard ?? 0)) / 1000;
  }

  /** The path of what belongs to it. @param {string} rest */
  path(rest) {
    return `/inside/runs/${encodeURIComponent(this.name)}/${rest}`;
  }

  /** Read the new lines of the log, if there are any; whether there were. */
  async readLog() {
    return this.readOn("log", (lines, anew) => (this.lines = anew ? lines : [...this.lines, ...lines]));
  }

  /** The same for what it wrote. */
  async readSamples() {
    return this.readOn("samples", (samples, anew) => (this.logged = anew ? samples : [...this.logged, ...samples]));
  }

  /** Once at a time, or lines would be read twice. @param {"log" | "samples"} what @param {(lines: any[], anew: boolean) => void} keep */
  readOn(what, keep) {
    const reading = this.reading.get(what) ?? this.readAll(what, keep).finally(() => this.reading.delete(what));
    this.reading.set(what, reading);
    return reading;
  }

  /** @param {"log" | "samples"} what @param {(lines: any[], anew: boolean) => void} keep */
  async readAll(what, keep) {
    if (!this.card || this.card.problem || this.card.cursor === this.cursors[what]) return false;
    for (let more = true; more;) {
      const page = await ask(`${this.path(what)}?since=${this.cursors[what]}`);
      keep(page.lines ?? page.samples, page.from_start);
      this.cursors[what] = page.cursor;
      more = page.more;
    }
    return true;
  }

  /** All samples, by step. */
  get samples() {
    return [...this.logged, ...this.asked].sort((a, b) => a.step - b.step);
  }

  /** Have the newest checkpoint write one, as the run would. */
  async writeSample() {
    const { step, sample } = await ask(this.path("sample"), {});
    this.asked = [...this.asked.filter((other) => other.step !== step), { step, sample, now: true }];
    return step;
  }
}
