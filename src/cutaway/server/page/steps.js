// @ts-check
// The small steps of the tour: what is said, what it is about, and what is done for it on the live page.

/**
 * What the tour may do on the page.
 *
 * @typedef {object} Stage
 * @property {import("./session.js").Session} session
 * @property {import("./writer.js").Writer} writer
 * @property {import("./write.js").Write} write
 * @property {import("./see.js").See} see
 * @property {(view: string) => void} open
 */

/**
 * @typedef {object} Step
 * @property {string} title
 * @property {string} words
 * @property {string} about a selector of what is spoken of
 * @property {(stage: Stage) => Promise<unknown> | void} act
 */

const PROMPT = "Once upon a time there was a";
/** The token that the tour speaks of, counted from the end of the prompt. */
const SPOKEN = 2;

/** The tour's own text, written if it is not there. @param {Stage} stage */
async function written({ session, writer, write, open }) {
  open("write");
  if (session.tree && session.prompt === PROMPT && session.tree.path.length > session.tree.promptLength + SPOKEN)
    return;
  if (write.prompt) write.prompt.value = PROMPT;
  await writer.begin(PROMPT);
}

/** @param {Stage} stage */
async function spoken(stage) {
  await written(stage);
  const { session, write } = stage;
  const { length } = session.tree?.path ?? [];
  write.pinned = true;
  write.choose(Math.min((session.tree?.promptLength ?? 0) + SPOKEN, length - 1));
}

/** @param {Stage} stage @param {string} question */
async function seen(stage, question) {
  await written(stage);
  stage.session.keep({ see: question });
  stage.open("see");
  await stage.see.show();
}

/**
 * The network with no other change than this, in a view.
 *
 * @param {Stage} stage @param {string} view @param {(changes: import("./changes.js").Changes) => void} change
 */
function changed({ session, open }, view, change) {
  session.changes.clear();
  change(session.changes);
  open(view);
  session.tell("changes");
}

/** @type {Step[]} */
export const STEPS = [
  {
    title: "A machine that guesses what comes next",
    words:
      "This is a language model. It does one thing: it reads a text and guesses what comes next. Then it adds its guess to the text and guesses again. Here is the beginning that it gets.",
    about: "#prompt",
    act: ({ session, write, open }) => {
      open("write");
      if (!session.tree && write.prompt) write.prompt.value = PROMPT;
    },
  },
  {
    title: "Text comes in tokens",
    words:
      "It has written now. It neither reads letters nor words but tokens: common pieces of text, here each in a box of its own. The bold ones are the prompt. A dark token was expected, a bright one was a surprise.",
    about: ".paper",
    act: written,
  },
  {
    title: "Every token was one of many",
    words:
      "Before each token the network gives every token it knows a probability. These are the likeliest in this place. The underlined one was drawn: by dice, not because it was the only one.",
    about: ".alternatives-here",
    act: spoken,
  },
  {
    title: "Loaded dice",
    words:
      "The temperature has gone up, and the bars have become more alike: now unlikely tokens get their chance. Near 0 the likeliest always wins. Move it yourself; top-k and top-p cut off what is too unlikely.",
    about: ".sliders",
    act: async (stage) => {
      await spoken(stage);
      stage.session.set({ temperature: 1.5 });
    },
  },
  {
    title: "What if?",
    words:
      "Click another token, and the story goes on from there. One more branch has just been written that way. All branches stay; a click on one brings it back.",
    about: ".branches",
    act: async (stage) => {
      const { session, writer } = stage;
      session.set({ temperature: 0.8 });
      await spoken(stage);
      const place = stage.write.chosen ?? 0;
      const taken = session.tree?.path[place]?.token;
      const other = session.tree?.expected(place).find(([token]) => token !== taken);
      stage.write.release();
      if (other && session.tree && session.tree.branches.length < 2) await writer.take(place, other);
    },
  },
  {
    title: "Looking back",
    words:
      "How does it know what fits? By attention. The network has layers, one above the other, and in each some heads. A head decides, for every token, which earlier ones it takes information from. Each small picture is one head.",
    about: ".thumbnails",
    act: (stage) => seen(stage, "attention"),
  },
  {
    title: "One head from near",
    words:
      "A row is a token that looks; a column is one that is looked at; bright is much. Half of the square is empty, for nobody can look into the future. Move over the picture or over the text beside it.",
    about: "#see-attention .answers",
    act: async (stage) => {
      await seen(stage, "attention");
      const heads = document.querySelector("#see-attention .thumbnails");
      heads?.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    },
  },
  {
    title: "Making up its mind",
    words:
      "Between the layers nothing is decided yet, but one can ask what the network would say if it stopped there. Read a row from left to right: at first it is a wild guess, at the end what it really says.",
    about: "#see-lens .answers",
    act: (stage) => seen(stage, "lens"),
  },
  {
    title: "Switching a part off",
    words:
      "Every part can be switched off. The first layer's MLP, which works on each token alone, is off now; on the right is what the network writes without it. Try the others: many heads are hardly missed.",
    about: ".change .frame",
    act: async (stage) => {
      await written(stage);
      changed(stage, "change", (changes) => changes.scale(0, null, 0));
    },
  },
  {
    title: "Yours now",
    words:
      "All is as it was. Write your own beginning, see inside, change something, compare two prompts. The address of the page leads back to what you see, and every picture can be saved.",
    about: ".write .toolbar",
    act: (stage) => changed(stage, "write", () => {}),
  },
];
