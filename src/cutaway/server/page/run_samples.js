// @ts-check
// What a run wrote at which step: on its way, or when its newest checkpoint was asked here.

import { h } from "./views/elements.js";
import { csv, save } from "./views/download.js";
import { button, takeAway } from "./views/toolbar.js";
import { say } from "./run_list.js";
import { fault } from "./server.js";
import { slider } from "./sliders.js";

export class RunSamples {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    /** @type {import("./run.js").Run | null} */
    this.run = null;
    this.busy = false;
    /** The step that is looked at; null is the last, whichever that is. @type {number | null} */
    this.step = session.place.sample ? Number(session.place.sample) : null;
    this.text = h("blockquote", { class: "sample", tabindex: 0, "aria-label": "The sample" });
    this.note = h("p", { class: "note", role: "status" });
    this.fault = h("p", { role: "alert", class: "fault" });
    this.slider = slider(
      "Step",
      "Which of the samples is shown; at the right end always the newest",
      { min: 0, max: 0, step: 1, value: 0 },
      (at) => this.said(at),
      (at) => this.choose(at),
    );
    this.write = button("Write one now", "Have the newest checkpoint write a sample, as the run would", () =>
      this.ask(),
    );
    const away = takeAway({ CSV: ["Save the samples as CSV", () => this.save()] });
    this.element = h(
      "section",
      { "aria-label": "Samples", class: "run-samples" },
      h("div", { class: "toolbar" }, h("h2", {}, "Samples"), this.write, away),
      this.fault,
      this.slider.element,
      this.text,
      this.note,
    );
  }

  /** @param {import("./run.js").Run} run */
  show(run) {
    if (run !== this.run) this.fault.textContent = "";
    this.run = run;
    const { samples } = run;
    const wanted =
      this.step === null ? samples.length - 1 : samples.findLastIndex(({ step }) => step <= (this.step ?? 0));
    const at = Math.max(0, wanted);
    this.slider.element.hidden = samples.length < 2;
    this.slider.input.max = String(Math.max(0, samples.length - 1));
    this.slider.set(at);
    this.write.disabled = this.busy || run.card?.checkpoint == null;
    this.text.hidden = !samples.length;
    say(this.text, samples[at]?.sample ?? "");
    say(this.note, this.remark(samples[at]));
  }

  /** @param {number} at */
  said(at) {
    const sample = this.run?.samples[at];
    return sample ? `${sample.step.toLocaleString("en")}${sample.now ? ", asked here" : ""}` : "";
  }

  /** @param {import("./run.js").Sample | undefined} sample */
  remark(sample) {
    if (this.busy) return "The newest checkpoint is writing…";
    const { sample_every, checkpoint } = this.run?.card ?? {};
    if (sample?.now) return `Written here by the checkpoint of step ${sample.step.toLocaleString("en")}.`;
    if (sample) return `Written on the way, at step ${sample.step.toLocaleString("en")}.`;
    const none = sample_every
      ? `A sample comes every ${sample_every.toLocaleString("en")} steps.`
      : "There is no sample.";
    const how = sample_every ? "" : " Set sample_every in its file to have the run write some on its way.";
    return `${none}${how}${checkpoint == null ? "" : " The newest checkpoint can write one now."}`;
  }

  /** @param {number} at */
  choose(at) {
    if (!this.run) return;
    const { samples } = this.run;
    this.step = at >= samples.length - 1 ? null : samples[at].step;
    this.session.keep({ sample: this.step === null ? null : String(this.step) });
    this.show(this.run);
  }

  async ask() {
    const { run } = this;
    if (!run) return;
    this.busy = true;
    this.fault.textContent = "";
    this.show(run);
    try {
      const step = await run.writeSample();
      this.step = run.samples[run.samples.length - 1].step === step ? null : step;
    } catch (error) {
      this.fault.textContent = fault(error);
    }
    this.busy = false;
    if (this.run) this.show(this.run);
  }

  save() {
    const rows = (this.run?.samples ?? []).map(({ step, sample, now }) => [step, now ? "asked here" : "log", sample]);
    save(`samples of ${this.run?.name}`, "csv", csv([["step", "from", "sample"], ...rows]));
  }
}
