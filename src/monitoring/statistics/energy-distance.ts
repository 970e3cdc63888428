import type { SortedSample } from "./bins.ts";

/**
 * Energy distance of two samples: √(2 ∫ (F − G)²).
 *
 * @returns in the square root of the column's unit, [0, ∞); larger is more drift. Not normalised.
 * Pure. Source: scipy.stats.energy_distance.
 */
export function energyDistance(reference: SortedSample, current: SortedSample): number {
  const [left, right] = [reference.values, current.values];
  let [i, j, sum] = [0, 0, 0];
  let value = Math.min(left[0] ?? Infinity, right[0] ?? Infinity);
  while (i < left.length || j < right.length) {
    while (i < left.length && left[i] === value) i++;
    while (j < right.length && right[j] === value) j++;
    const next = Math.min(left[i] ?? Infinity, right[j] ?? Infinity);
    if (next === Infinity) break;
    sum += (i / left.length - j / right.length) ** 2 * (next - value);
    value = next;
  }
  return Math.sqrt(2 * sum);
}
