/** Counts of both samples over the same bins, and how the bins were made. */
export interface BinnedPair {
  readonly reference: Float64Array;
  readonly current: Float64Array;
  readonly rule: "sturges" | "distinct";
}

const FEW_VALUES = 20;

/** A numeric sample, cleaned and sorted ascending once, so that it can be compared many times. */
export interface SortedSample {
  /** Finite, ascending. */
  readonly values: Float64Array;
  readonly distinct: number;
  /** Every value is a whole number of an integer column. */
  readonly integer: boolean;
}

/** Drops NaN and infinities, sorts, counts distinct values. Does not change `values`. */
export function sortSample(values: Float64Array, integer: boolean = false): SortedSample {
  const clean = values.every(Number.isFinite) ? values.slice() : values.filter(Number.isFinite);
  clean.sort();
  let distinct = clean.length === 0 ? 0 : 1;
  for (let index = 1; index < clean.length; index++) if (clean[index] !== clean[index - 1]) distinct++;
  return { values: clean, distinct, integer };
}

/**
 * Bins two samples together: Sturges' bins over both when the reference has more than 20 distinct values, else one bin
 * per value.
 *
 * Source: Evidently 0.7 `get_binned_data` with numpy `histogram_bin_edges(…, "sturges")`.
 */
export function binTogether(reference: SortedSample, current: SortedSample): BinnedPair {
  if (reference.distinct <= FEW_VALUES) return countDistinct(reference.values, current.values);
  const edges = sturgesEdges(
    {
      least: Math.min(reference.values[0] ?? 0, current.values[0] ?? 0),
      largest: Math.max(reference.values.at(-1) ?? 0, current.values.at(-1) ?? 0),
    },
    reference.values.length + current.values.length,
    reference.integer && current.integer,
  );
  return {
    reference: countBetween(reference.values, edges),
    current: countBetween(current.values, edges),
    rule: "sturges",
  };
}

/**
 * Edges of Sturges' bins, as numpy computes them: the width first, then the count.
 *
 * @param size number of values that the rule is given
 * @param integer bins of integer columns are at least 1 wide
 */
export function sturgesEdges(
  range: { readonly least: number; readonly largest: number },
  size: number,
  integer: boolean,
): Float64Array {
  const spread = range.largest - range.least;
  if (spread === 0) return Float64Array.of(range.least - 0.5, range.largest + 0.5);
  let width = spread / (Math.log2(size) + 1);
  if (integer && width < 1) width = 1;
  const count = Math.max(1, Math.ceil(spread / width));
  const step = spread / count;
  const edges = Float64Array.from({ length: count + 1 }, (_, index) => index * step + range.least);
  edges[count] = range.largest;
  return edges;
}

/** Counts of sorted values in [e0, e1), [e1, e2), …, the last bin closed. */
export function countBetween(sorted: Float64Array, edges: Float64Array): Float64Array {
  const counts = new Float64Array(edges.length - 1);
  let before = lowerBound(sorted, edges[0] ?? 0);
  for (let bin = 0; bin < counts.length; bin++) {
    const edge = edges[bin + 1] ?? 0;
    const until = bin === counts.length - 1 ? upperBound(sorted, edge) : lowerBound(sorted, edge);
    counts[bin] = until - before;
    before = until;
  }
  return counts;
}

function countDistinct(reference: Float64Array, current: Float64Array): BinnedPair {
  const counts: [number, number][] = [];
  let [left, right] = [0, 0];
  while (left < reference.length || right < current.length) {
    const value = Math.min(reference[left] ?? Infinity, current[right] ?? Infinity);
    const [leftStart, rightStart] = [left, right];
    left = upperBound(reference, value, left);
    right = upperBound(current, value, right);
    counts.push([left - leftStart, right - rightStart]);
  }
  return {
    reference: Float64Array.from(counts, ([count]) => count),
    current: Float64Array.from(counts, ([, count]) => count),
    rule: "distinct",
  };
}

/** Counts two categorical samples over the union of their categories. */
export function alignCategories(
  reference: ReadonlyMap<string, number>,
  current: ReadonlyMap<string, number>,
): BinnedPair {
  const names = [...new Set([...reference.keys(), ...current.keys()])].sort();
  return {
    reference: Float64Array.from(names, (name) => reference.get(name) ?? 0),
    current: Float64Array.from(names, (name) => current.get(name) ?? 0),
    rule: "distinct",
  };
}

/** First position whose value is ≥ `value`. */
export function lowerBound(sorted: Float64Array, value: number, from: number = 0): number {
  let [low, high] = [from, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** First position whose value is > `value`. */
export function upperBound(sorted: Float64Array, value: number, from: number = 0): number {
  let [low, high] = [from, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Counts as shares of their sum. */
export function toShares(counts: Float64Array): Float64Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count) => count / total);
}

/**
 * Gives empty bins a small share, so that a logarithm exists: 1e-4, or a millionth of the smallest share when that is
 * at most 1e-4.
 * Source: Evidently 0.7 `get_binned_data(feel_zeroes=True)`.
 */
export function fillZeros(shares: Float64Array): Float64Array {
  const smallest = shares.reduce((least, share) => (share > 0 && share < least ? share : least), Infinity);
  const filler = smallest <= 1e-4 ? smallest / 1e6 : 1e-4;
  return shares.map((share) => (share === 0 ? filler : share));
}
