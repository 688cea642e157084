// @ts-check
// A text and the ways in which it might have gone on: a tree, of which one branch is looked at.

/** A token's id, its printable form, and its log-probability. */
/** @typedef {[number, string, number]} Alternative */
/**
 * @typedef {object} Token
 * @property {number} token
 * @property {string} piece
 * @property {number | null} logprob of the network as it is, before temperature; null where nothing came before
 * @property {Alternative[]} top what else was expected in its place, the likeliest first
 * @property {boolean} [unread] only its id is known so far, from a link or a file
 */

/** What is written from one place on; before it, everything is its parent's. */
export class Branch {
  /** @param {Branch | null} parent @param {number} from @param {Token[]} tokens */
  constructor(parent, from, tokens) {
    this.parent = parent;
    this.from = from;
    this.tokens = tokens;
    /** What might come next, once it is known. @type {Alternative[]} */
    this.next = [];
  }

  /** All tokens from the beginning of the text. @returns {Token[]} */
  get path() {
    return this.parent ? [...this.parent.path.slice(0, this.from), ...this.tokens] : this.tokens;
  }

  /** Whether there are tokens of which only the id is known. */
  get unread() {
    return this.path.some(({ unread }) => unread);
  }

  /** What a reading of its path has told. @param {Token[]} read */
  learn(read) {
    this.path.forEach((token, at) => Object.assign(token, read[at], { unread: false }));
  }

  /** How many tokens at the beginning are those of the trunk. @returns {number} */
  get shared() {
    return this.parent ? Math.min(this.from, this.parent.shared) : this.tokens.length;
  }

  /** The branch that the token in this place was written in. @param {number} place @returns {Branch} */
  owner(place) {
    return this.parent && place < this.from ? this.parent.owner(place) : this;
  }
}

export class Tree {
  /** @param {Token[]} prompt */
  constructor(prompt) {
    this.given = prompt.length;
    this.trunk = new Branch(null, 0, prompt);
    this.branches = [this.trunk];
    this.current = this.trunk;
  }

  get path() {
    return this.current.path;
  }

  /** How many tokens at the beginning of the text are the prompt's: fewer when a branch leaves before its end. */
  get promptLength() {
    return Math.min(this.given, this.current.shared);
  }

  get ids() {
    return this.path.map(({ token }) => token);
  }

  /** What was or is expected in a place, the end of the text included. @param {number} place */
  expected(place) {
    const { path } = this;
    return place < path.length ? path[place].top : this.current.next;
  }

  /** Add a token to the end of the branch that is looked at. @param {Token} token */
  add(token) {
    this.current.tokens.push(token);
    this.current.next = [];
  }

  /**
   * Take an alternative in a place: a branch begins there, or one that began so before is looked at again.
   *
   * @param {number} place @param {Alternative} alternative @returns {boolean} whether the branch is new
   */
  take(place, [token, piece, logprob]) {
    const { path } = this;
    const before = path.slice(0, place).map((each) => each.token);
    const begun = this.branches.find((branch) => {
      const other = branch.path;
      return other[place]?.token === token && before.every((id, at) => other[at].token === id);
    });
    if (begun) {
      this.current = begun;
      return false;
    }
    const taken = { token, piece, logprob, top: this.expected(place) };
    if (place === path.length) {
      this.add(taken);
    } else {
      const parent = this.current.owner(place);
      this.current = new Branch(parent, place, [taken]);
      this.branches.push(this.current);
    }
    return true;
  }

  /** The branches that leave one, in the order of their places. @param {Branch} parent */
  leaving(parent) {
    return this.branches.filter((branch) => branch.parent === parent).sort((a, b) => a.from - b.from);
  }
}
