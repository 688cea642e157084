// @ts-check
// The tree of branches: where each leaves and how it goes on; a click looks at it again.

import { h } from "./views/elements.js";
import { textsOf } from "./views/tokens.js";
import { shown } from "./alternatives.js";
import { beyondLink } from "./link.js";

const SNIPPET = 60;

export class BranchList {
  /** @param {import("./session.js").Session} session @param {(branch: import("./branches.js").Branch) => void} onChoose */
  constructor(session, onChoose) {
    this.session = session;
    this.onChoose = onChoose;
    this.list = h("ul", { class: "branches" });
    this.note = h("p", { class: "note" });
    this.element = h(
      "section",
      { "aria-label": "Branches", hidden: true },
      h("h2", { class: "small" }, "Branches"),
      this.list,
      this.note,
    );
  }

  fill() {
    const { tree } = this.session;
    this.element.hidden = !tree || tree.branches.length < 2;
    if (!tree || this.element.hidden) return;
    this.list.replaceChildren(this.item(tree, tree.trunk));
    this.note.textContent = beyondLink(tree);
  }

  /** @param {import("./branches.js").Tree} tree @param {import("./branches.js").Branch} branch @returns {HTMLElement} */
  item(tree, branch) {
    const written = branch.parent ? branch.tokens : branch.tokens.slice(tree.given);
    const start = branch.parent ? `at ${branch.from}` : "first";
    const text = textsOf(written.map(({ piece }) => piece))
      .join("")
      .replaceAll("\n", "↵");
    const first = branch.parent ? shown(branch.tokens[0].piece) : "";
    const current = branch === tree.current;
    const button = h(
      "button",
      { type: "button", "aria-current": current ? "true" : false, onclick: () => this.onChoose(branch) },
      h("em", {}, start),
      first ? h("b", {}, first) : null,
      h("span", {}, text.slice(branch.parent ? textsOf([branch.tokens[0].piece])[0].length : 0, SNIPPET)),
      h("em", {}, `${written.length} tokens`),
    );
    const leaving = tree.leaving(branch).map((other) => this.item(tree, other));
    return h("li", {}, button, leaving.length ? h("ul", {}, ...leaving) : null);
  }
}
