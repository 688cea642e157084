// @ts-check
// Numbers as people read them.

/** A number to a few significant digits, with a real minus. @param {number} value @param {number} [digits] */
export function figure(value, digits = 4) {
  if (Number.isNaN(value)) return "no value";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e6 || size < 1e-4 ? value.toExponential(digits - 1) : plain(value, digits);
  return text.replaceAll("-", "−");
}

/** @param {number} value @param {number} digits */
function plain(value, digits) {
  if (Math.abs(value) >= 10 ** digits) return Number(value.toPrecision(digits)).toLocaleString("en");
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(decimals, 8));
}

/** A number for a tick: no needless zeros. @param {number} value */
export function tick(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const text = size >= 1e5 || size < 1e-4 ? value.toExponential(1).replace(".0e", "e") : String(+value.toPrecision(3));
  return text.replaceAll("-", "−");
}

/** A probability as a percentage. @param {number} value */
export function percent(value) {
  const share = 100 * value;
  return share !== 0 && share < 0.01 ? "<0.01%" : `${share.toFixed(share >= 9.995 ? 1 : 2)}%`;
}

/** The shortest decimal that is this float32 again. @param {number} value */
export function exact(value) {
  if (Number.isNaN(value)) return "";
  for (let digits = 1; digits < 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === Math.fround(value)) return String(Number(text));
  }
  return String(Number(value.toPrecision(9)));
}

/** Round numbers between two limits, about `count` of them. @param {number} low @param {number} high @param {number} count */
export function roundNumbers(low, high, count) {
  if (!(high > low)) return [low];
  const step = roundStep((high - low) / count);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, index) => +((first + index) * step).toPrecision(12));
}

/** The smallest of 1, 2, 5, 10, 20, … (or 0.1, 0.2, …) that is at least this. @param {number} least */
export function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((step) => step * power >= least * (1 - 1e-9)) ?? 10);
}
