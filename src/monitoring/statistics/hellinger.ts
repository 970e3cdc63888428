import { type BinnedPair, countBetween, type SortedSample, sturgesEdges, toShares } from "./bins.ts";

/**
 * Hellinger distance of two samples counted over the same categories: √(1 − Σ √(r·c)).
 *
 * @returns [0, 1]; larger is more drift.
 * Pure. Source: Evidently 0.7 `hellinger`.
 */
export function hellinger(pair: Pick<BinnedPair, "reference" | "current">): number {
  const current = toShares(pair.current);
  const overlap = toShares(pair.reference).reduce((sum, share, bin) => sum + Math.sqrt(share * (current[bin] ?? 0)), 0);
  return Math.sqrt(1 - Math.min(1, Math.max(0, overlap)));
}

/** Counts for numeric columns: Sturges' bins for the number of *distinct* values of both samples. */
export function binForHellinger(
  reference: SortedSample,
  current: SortedSample,
): Pick<BinnedPair, "reference" | "current"> {
  const [left, right] = [reference.values, current.values];
  const range = {
    least: Math.min(left[0] ?? 0, right[0] ?? 0),
    largest: Math.max(left.at(-1) ?? 0, right.at(-1) ?? 0),
  };
  const edges = sturgesEdges(range, countDistinctTogether(left, right), reference.integer && current.integer);
  return { reference: countBetween(left, edges), current: countBetween(right, edges) };
}

function countDistinctTogether(left: Float64Array, right: Float64Array): number {
  let [i, j, distinct] = [0, 0, 0];
  while (i < left.length || j < right.length) {
    const value = Math.min(left[i] ?? Infinity, right[j] ?? Infinity);
    while (left[i] === value) i++;
    while (right[j] === value) j++;
    distinct++;
  }
  return distinct;
}
