import type { SortedSample } from "./bins.ts";
import { normalSurvival } from "./distributions.ts";

const LARGEST_EXACT = 8;

/**
 * Mann–Whitney U test, two-sided: whether the values of one sample tend to be larger.
 *
 * @returns `statistic`: U of the reference; `pValue`: exact when a sample has at most 8 values and none is repeated,
 *   else normal with corrections for ties and continuity
 * Pure. Source: scipy.stats.mannwhitneyu, method auto. (Evidently 0.7 asks only whether the reference is smaller.)
 */
export function mannWhitney(
  reference: SortedSample,
  current: SortedSample,
): { readonly statistic: number; readonly pValue: number; readonly exact: boolean } {
  const [left, right] = [reference.values, current.values];
  const [n, m] = [left.length, right.length];
  let [i, j, rankSum, tieTerm] = [0, 0, 0, 0];
  while (i < n || j < m) {
    const value = Math.min(left[i] ?? Infinity, right[j] ?? Infinity);
    const [startLeft, startRight] = [i, j];
    while (left[i] === value) i++;
    while (right[j] === value) j++;
    const count = i - startLeft + j - startRight;
    rankSum += ((i - startLeft) * (startLeft + startRight + 1 + i + j)) / 2;
    tieTerm += count ** 3 - count;
  }
  const statistic = rankSum - (n * (n + 1)) / 2;
  const larger = Math.max(statistic, n * m - statistic);
  if (Math.min(n, m) <= LARGEST_EXACT && tieTerm === 0)
    return { statistic, pValue: Math.min(1, 2 * exactSurvival(larger, n, m)), exact: true };
  const total = n + m;
  const deviation = Math.sqrt(((n * m) / 12) * (total + 1 - tieTerm / (total * (total - 1))));
  // All values are the same.
  if (!(deviation > 0)) return { statistic, pValue: 1, exact: false };
  const z = (larger - (n * m) / 2 - 0.5) / deviation;
  return { statistic, pValue: Math.min(1, 2 * normalSurvival(z)), exact: false };
}

/** P(U ≥ u): coefficients of the Gaussian binomial, of the smaller sample's size many factors. */
function exactSurvival(u: number, n: number, m: number): number {
  const [small, large] = [Math.min(n, m), Math.max(n, m)];
  const counts = new Float64Array(n * m + 1);
  counts[0] = 1;
  for (let factor = 1; factor <= small; factor++) {
    for (let index = counts.length - 1; index >= large + factor; index--)
      counts[index] = (counts[index] ?? 0) - (counts[index - large - factor] ?? 0);
    for (let index = factor; index < counts.length; index++)
      counts[index] = (counts[index] ?? 0) + (counts[index - factor] ?? 0);
  }
  let [reached, all] = [0, 0];
  for (const [value, count] of counts.entries()) {
    all += count;
    if (value >= u) reached += count;
  }
  return reached / all;
}
