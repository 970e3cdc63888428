/** Where a series became another one. */
export interface ChangePoint {
  /** Index of the first value of the new part. */
  readonly index: number;
  /** Means before and after. */
  readonly before: number;
  readonly after: number;
  readonly pValue: number;
}

/**
 * The point that parts a series best into two of different level: Pettitt's test, over mid-ranks.
 *
 * @param values in their order; finite
 * @returns undefined for fewer than ten values, or when all are equal
 * Pure. Source: Pettitt 1979, A non-parametric approach to the change-point problem; p ≈ 2·exp(−6K² / (n³ + n²)).
 */
export function findChangePoint(values: Float64Array): ChangePoint | undefined {
  const n = values.length;
  if (n < 10) return undefined;
  const ranks = midRanks(values);
  let [sum, largest, index] = [0, 0, 0];
  for (let place = 1; place < n; place++) {
    sum += ranks[place - 1] ?? 0;
    const statistic = Math.abs(2 * sum - place * (n + 1));
    if (statistic > largest) [largest, index] = [statistic, place];
  }
  if (largest === 0) return undefined;
  return {
    index,
    before: meanOf(values.subarray(0, index)),
    after: meanOf(values.subarray(index)),
    pValue: Math.min(1, 2 * Math.exp((-6 * largest ** 2) / (n ** 3 + n ** 2))),
  };
}

function midRanks(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values, (_, index) => index).sort(
    (left, right) => (values[left] ?? 0) - (values[right] ?? 0),
  );
  const ranks = new Float64Array(values.length);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && values[order[end] ?? 0] === values[order[start] ?? 0]) end++;
    // Places start + 1 … end share their mean.
    for (let place = start; place < end; place++) ranks[order[place] ?? 0] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

function meanOf(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
