// @ts-check
// Where two texts differ: all tokens but those of a longest common subsequence.

/**
 * Which tokens of each are not in the other, in order.
 *
 * @param {number[]} one @param {number[]} other @returns {[boolean[], boolean[]]}
 */
export function differences(one, other) {
  const width = other.length + 1;
  // What the rest of both from here on has in common, by place in one and place in the other.
  const common = new Uint16Array((one.length + 1) * width);
  for (let i = one.length - 1; i >= 0; i--) {
    for (let j = other.length - 1; j >= 0; j--) {
      const skip = Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
      common[i * width + j] = one[i] === other[j] ? common[(i + 1) * width + j + 1] + 1 : skip;
    }
  }
  /** @type {[boolean[], boolean[]]} */
  const differs = [one.map(() => true), other.map(() => true)];
  for (let i = 0, j = 0; i < one.length && j < other.length;) {
    if (one[i] === other[j]) [differs[0][i++], differs[1][j++]] = [false, false];
    else if (common[(i + 1) * width + j] >= common[i * width + j + 1]) i++;
    else j++;
  }
  return differs;
}
