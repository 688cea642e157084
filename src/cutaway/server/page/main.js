// @ts-check
// The page: which model, which view, and the address that leads back.

import { choice, h, isTyping } from "./views/elements.js";
import { ATTENTION_KEYS } from "./views/attention.js";
import { help, VIEW_KEYS } from "./views/help.js";
import { Tabs } from "./views/tabs.js";
import { themeButton } from "./views/theme.js";
import { button } from "./views/toolbar.js";
import { ask, fault, Refusal } from "./server.js";
import { Change } from "./change.js";
import { Compare } from "./compare.js";
import { follow, toLink } from "./link.js";
import { PLAYBACK_KEYS } from "./playback.js";
import { See } from "./see.js";
import { Session } from "./session.js";
import { Tour } from "./tour.js";
import { Train } from "./train.js";
import { Write } from "./write.js";
import { Writer } from "./writer.js";
import { Zoom } from "./zoom.js";

const KEYS = [["Ctrl Enter", "write, in the prompt"], ...VIEW_KEYS, ...ATTENTION_KEYS, ...PLAYBACK_KEYS];
const NOTE = "The page talks to the server that it came from, and to nobody else.";

/** The models, as soon as they are there. @returns {Promise<import("./session.js").Shape[]>} */
async function models() {
  try {
    const { data } = await ask("/v1/models");
    return Promise.all(
      data.map((/** @type {{id: string}} */ { id }) => ask(`/inside/model?model=${encodeURIComponent(id)}`)),
    );
  } catch (error) {
    if (!(error instanceof Refusal && error.status === 503)) throw error;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return models();
  }
}

/** @param {HTMLElement} page */
async function start(page) {
  const session = new Session(await models());
  /** @type {string} */
  let problem = "";
  await follow(session, location.hash).catch((error) => (problem = `This link leads nowhere. ${fault(error)}`));
  const writer = new Writer(session);
  const write = new Write(session, writer);
  const see = new See(session, writer);
  const views = [
    { name: "write", title: "Write", view: write },
    { name: "see", title: "See", view: see },
    { name: "zoom", title: "Zoom", view: new Zoom(session, writer) },
    { name: "change", title: "Change", view: new Change(session) },
    { name: "compare", title: "Compare", view: new Compare(session) },
    { name: "train", title: "Train", view: new Train(session) },
  ];
  const sections = views.map(({ name, view }) => h("section", { id: `view-${name}` }, view.element));
  const tabs = new Tabs(
    "Views",
    views.map(({ title }, at) => ({ title, section: sections[at] })),
    (at) => {
      session.keep({ view: views[at].name });
      views[at].view.open();
    },
  );
  const open = (/** @type {string} */ wanted) => tabs.open(views.findIndex(({ name }) => name === wanted));
  const tour = new Tour({ session, writer, write, see, open });
  header(session, writer, tour);
  const remember = () => history.replaceState(null, "", toLink(session));
  for (const what of /** @type {const} */ (["done", "settings", "changes", "place"])) session.on(what, remember);
  page.replaceChildren(tabs.element, ...sections);
  if (problem) page.prepend(h("p", { role: "alert", class: "fault" }, problem));
  tabs.open(
    Math.max(
      0,
      views.findIndex(({ name }) => name === session.place.view),
    ),
  );
  document.body.dataset.ready = "true";
}

/** @param {Session} session @param {Writer} writer @param {Tour} tour */
function header(session, writer, tour) {
  const names = Object.fromEntries(session.models.map(({ model }) => [model, model]));
  const which = choice("Model", names, (name) => {
    writer.stop();
    session.choose(name);
  });
  const select = /** @type {HTMLSelectElement} */ (which.querySelector("select"));
  select.value = session.shape.model;
  const begin = button("Tour", "A guided tour, for whoever has never seen a transformer", () => tour.start());
  const keys = button("?", "Help (?)", () => help(KEYS, NOTE));
  document.querySelector("header")?.append(h("span", { class: "buttons" }, which, begin, themeButton(), keys));
  document.addEventListener("keydown", (event) => {
    if (event.key === "?" && !isTyping(event)) help(KEYS, NOTE);
  });
}

const page = /** @type {HTMLElement} */ (document.getElementById("page"));
await start(page).catch((error) => page.replaceChildren(h("p", { role: "alert", class: "fault" }, fault(error))));
