import type { SortedSample } from "./bins.ts";

/**
 * First Wasserstein (earth mover's) distance of two samples: the area between their distribution functions.
 *
 * @returns in the column's unit, [0, ∞) Pure. Source: scipy.stats.wasserstein_distance.
 */
export function wasserstein(reference: SortedSample, current: SortedSample): number {
  const [left, right] = [reference.values, current.values];
  let [i, j, distance] = [0, 0, 0];
  let value = Math.min(left[0] ?? Infinity, right[0] ?? Infinity);
  while (i < left.length || j < right.length) {
    while (i < left.length && left[i] === value) i++;
    while (j < right.length && right[j] === value) j++;
    const next = Math.min(i < left.length ? (left[i] ?? 0) : Infinity, j < right.length ? (right[j] ?? 0) : Infinity);
    if (next === Infinity) break;
    distance += Math.abs(i / left.length - j / right.length) * (next - value);
    value = next;
  }
  return distance;
}

const SMALLEST_DEVIATION = 0.001;

/**
 * Wasserstein distance in standard deviations of the reference (of the population; at least 0.001).
 *
 * @returns [0, ∞); larger is more drift. 0.1 is Evidently's threshold.
 * Pure. Source: Evidently 0.7 `wasserstein`.
 */
export function normedWasserstein(reference: SortedSample, current: SortedSample): number {
  return wasserstein(reference, current) / Math.max(populationDeviation(reference.values), SMALLEST_DEVIATION);
}

/**
 * Around the middle value first: the mean of numbers near 1e15 loses whole units, that of their differences does not.
 */
function populationDeviation(values: Float64Array): number {
  const middle = values[values.length >>> 1] ?? 0;
  const mean = values.reduce((sum, value) => sum + (value - middle), 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle - mean) ** 2, 0) / values.length);
}
