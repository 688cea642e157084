// @ts-check
// Train: runs in folders of the server's machine while they go on: their curves, what they write, what they see.

import { choice, h } from "./views/elements.js";
import { fault, News } from "./server.js";
import { Charts } from "./charts.js";
import { Checkpoint } from "./checkpoint.js";
import { Run } from "./run.js";
import { RunList } from "./run_list.js";
import { RunSamples } from "./run_samples.js";

const EVERY_MS = 3000;
const LEAD =
  "Training runs on the server's machine, as they go on. The page looks for news every few seconds while it can be seen.";

export class Train {
  /** @param {import("./session.js").Session} session */
  constructor(session) {
    this.session = session;
    /** @type {Run[]} */
    this.runs = [];
    this.news = new News("/inside/runs");
    this.list = new RunList(() => this.choose());
    this.charts = new Charts(session);
    this.samples = new RunSamples(session);
    this.checkpoint = new Checkpoint(session);
    this.fault = h("p", { role: "alert", class: "fault" });
    this.which = h("div");
    this.inside = h("div", { class: "inside" }, this.which, this.samples.element, this.checkpoint.element);
    this.lead = h("p", { class: "lead" }, LEAD);
    this.element = h(
      "div",
      { class: "train" },
      this.lead,
      this.fault,
      this.list.element,
      this.charts.element,
      this.inside,
    );
    this.charts.element.hidden = this.inside.hidden = true;
    document.addEventListener("visibilitychange", () => this.open());
    setInterval(() => this.visible && this.list.tick(), 1000);
  }

  /** Whether somebody looks. */
  get visible() {
    return document.visibilityState === "visible" && this.element.isConnected && !this.element.closest("[hidden]");
  }

  /** Called when one comes here; from then on it renews itself as long as it can be seen. */
  async open() {
    if (this.watching) return;
    this.watching = true;
    while (this.visible) {
      if (!(await this.renew())) return;
      await new Promise((resolve) => (this.waiting = setTimeout(resolve, EVERY_MS)));
    }
    this.watching = false;
  }

  /** Ask for news; false when there never will be any. */
  async renew() {
    try {
      const news = await this.news.ask();
      if (news && !news.runs.length) {
        this.explain();
        return false;
      }
      if (news) this.take(news.runs);
      const grown = await Promise.all(this.runs.map((run) => run.readLog()));
      await this.chosen.readSamples();
      this.fault.textContent = "";
      this.update(grown.some(Boolean));
    } catch (error) {
      this.fault.textContent = fault(error);
    }
    // When the curves have been drawn, which is done frame by frame.
    requestAnimationFrame(() => (this.element.dataset.ready = "true"));
    return true;
  }

  /** @param {import("./run.js").Card[]} cards */
  take(cards) {
    // A server that was started again may show others.
    if (namesOf(cards) !== namesOf(this.runs)) this.begin(cards);
    for (const card of cards) this.runs.find(({ name }) => name === card.name)?.take(card);
  }

  /** @param {import("./run.js").Card[]} cards */
  begin(cards) {
    const { place } = this.session;
    this.runs = cards.map((card, number) => new Run(card, number));
    const left = new Set((place.without ?? "").split(" ").map(decodeURIComponent));
    for (const run of this.runs) run.shown = !left.has(run.name);
    const names = Object.fromEntries(this.runs.map(({ name }) => [name, name]));
    const which = choice("Look into", names, (name) => {
      this.session.keep({ run: name });
      this.renew();
    });
    const select = /** @type {HTMLSelectElement} */ (which.querySelector("select"));
    select.value = this.chosen.name;
    this.which.replaceChildren(which);
    this.which.hidden = this.runs.length < 2;
    this.inside.hidden = false;
    this.charts.show(this.runs);
  }

  /** The run whose samples and checkpoint are looked at. */
  get chosen() {
    return this.runs.find(({ name }) => name === this.session.place.run) ?? this.runs[0];
  }

  /** Other runs are to be drawn. */
  choose() {
    const left = this.runs.filter(({ shown }) => !shown).map(({ name }) => encodeURIComponent(name));
    this.session.keep({ without: left.length ? left.join(" ") : null });
    this.charts.show(this.runs);
  }

  /** Show what is known now. @param {boolean} grown whether there are new lines */
  update(grown) {
    this.list.show(this.runs);
    if (grown) this.charts.show(this.runs);
    this.samples.show(this.chosen);
    this.checkpoint.show(this.chosen);
  }

  /** Say how to see something here. */
  explain() {
    this.lead.textContent =
      "This server shows no training run. Start it with the folder of one, its out, and watch it here while it trains:";
    this.list.element.replaceWith(h("pre", { class: "command" }, "cutaway serve --run runs/mine"));
    this.element.dataset.ready = "true";
  }
}

/** @param {{name: string}[]} runs */
function namesOf(runs) {
  return JSON.stringify(runs.map(({ name }) => name));
}
