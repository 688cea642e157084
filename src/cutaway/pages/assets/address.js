// @ts-check
// Where in a view somebody is, in the page's address, so that a link leads there again.

/**
 * @typedef {object} Address
 * @property {(facts: Record<string, number>) => void} keep
 * @property {() => URLSearchParams} kept empty when the link leads elsewhere
 */

/** The address of the view with this number. @param {number} number @returns {Address} */
export function addressOf(number) {
  return {
    keep(facts) {
      const entries = Object.entries({ view: number, ...facts }).map(([name, value]) => [name, String(value)]);
      history.replaceState(null, "", `#${new URLSearchParams(entries)}`);
    },
    kept() {
      const wanted = new URLSearchParams(location.hash.slice(1));
      return wanted.get("view") === String(number) ? wanted : new URLSearchParams();
    },
  };
}
