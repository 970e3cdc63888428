import type { SortedSample } from "./bins.ts";
import { studentTwoSided } from "./distributions.ts";

/**
 * Student's t-test of two means, variances pooled.
 *
 * @returns two-sided p-value, [0, 1]: small is drift. Of constants 1 when they are the same, else 0.
 * Pure. Source: scipy.stats.ttest_ind.
 */
export function tTest(
  reference: SortedSample,
  current: SortedSample,
): { readonly statistic: number; readonly pValue: number } {
  // Numbers near 1e15 lose whole units in a sum; their differences from one of them do not.
  const origin = reference.values[reference.values.length >>> 1] ?? 0;
  const [n, m] = [reference.values.length, current.values.length];
  const [left, right] = [moments(reference.values, origin), moments(current.values, origin)];
  const df = n + m - 2;
  const variance = ((left.squares + right.squares) / df) * (1 / n + 1 / m);
  const difference = left.mean - right.mean;
  if (difference === 0) return { statistic: 0, pValue: 1 };
  const statistic = difference / Math.sqrt(variance);
  return { statistic, pValue: studentTwoSided(statistic, df) };
}

/** Mean of the differences from `origin`, and the sum of their squares around it. */
function moments(values: Float64Array, origin: number): { readonly mean: number; readonly squares: number } {
  const mean = values.reduce((sum, value) => sum + (value - origin), 0) / values.length;
  return { mean, squares: values.reduce((sum, value) => sum + (value - origin - mean) ** 2, 0) };
}
