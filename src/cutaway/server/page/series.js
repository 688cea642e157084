// @ts-check
// Numbers along the steps of a run: read from its log, smoothed, thinned, looked up.

/** A place along the run and a value. @typedef {[number, number]} Point */
/** A line of a run's log. @typedef {Record<string, any> & {step: number}} LogLine */
/** @typedef {"step" | "minutes"} Along */

/** Where a line of the log stands. @param {LogLine} line @param {Along} along */
export function placeOf(line, along) {
  return along === "step" ? line.step : line.elapsed_s / 60;
}

/**
 * The values of a key: one series, or one for each text that was held out, by name.
 *
 * @param {LogLine[]} lines @param {string} key @param {Along} along @returns {Map<string, Point[]>}
 */
export function seriesOf(lines, key, along) {
  /** @type {Map<string, Point[]>} */
  const found = new Map();
  for (const line of lines) {
    if (!(key in line)) continue;
    const value = line[key];
    const place = placeOf(line, along);
    for (const [name, number] of value !== null && typeof value === "object" ? Object.entries(value) : [["", value]]) {
      if (!Number.isFinite(number) || !Number.isFinite(place)) continue;
      const points = found.get(name) ?? [];
      points.push([place, number]);
      found.set(name, points);
    }
  }
  return found;
}

/** Each value as the mean of so many around it, of fewer at the ends. @param {Point[]} points @param {number} n @returns {Point[]} */
export function smoothed(points, n) {
  if (n <= 1) return points;
  const sums = [0];
  for (const [, value] of points) sums.push(sums[sums.length - 1] + value);
  return points.map(([place], at) => {
    const first = Math.max(at - ((n - 1) >> 1), 0);
    const last = Math.min(at + (n >> 1), points.length - 1) + 1;
    return [place, (sums[last] - sums[first]) / (last - first)];
  });
}

/**
 * Few enough points to draw that no peak is lost: of those in one column, the first, the lowest, the highest, the last.
 *
 * @param {Point[]} points by place @param {number} low @param {number} high the ends of what is drawn @param {number} columns
 * @returns {Point[]}
 */
export function thinned(points, low, high, columns) {
  if (points.length <= 4 * columns) return points;
  const column = (/** @type {Point} */ [place]) => Math.floor(((place - low) / (high - low || 1)) * columns);
  /** @type {Point[]} */
  const kept = [];
  for (let start = 0, end; start < points.length; start = end) {
    let [least, most] = [start, start];
    for (end = start; end < points.length && column(points[end]) === column(points[start]); end++) {
      if (points[end][1] < points[least][1]) least = end;
      if (points[end][1] > points[most][1]) most = end;
    }
    const chosen = new Set([start, least, most, end - 1].sort((a, b) => a - b));
    for (const at of chosen) kept.push(points[at]);
  }
  return kept;
}

/** The parts of a curve that lie between two values. @param {Point[]} points @param {number} low @param {number} high */
export function inside(points, low, high) {
  /** @type {Point[][]} */
  const parts = [[]];
  for (const point of points) {
    if (point[1] >= low && point[1] <= high) parts[parts.length - 1].push(point);
    else if (parts[parts.length - 1].length) parts.push([]);
  }
  return parts.filter(({ length }) => length);
}

/** The point that is nearest to a place; none where there is none. @param {Point[]} points by place @param {number} place */
export function nearest(points, place) {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] < place) low = middle + 1;
    else high = middle;
  }
  const [before, after] = [points[low - 1], points[low]];
  if (!before || !after) return before ?? after;
  return place - before[0] < after[0] - place ? before : after;
}
