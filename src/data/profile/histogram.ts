const MOST_BINS = 32;

/** The finite range of a column; of times in milliseconds. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

/**
 * Counts of values in bins whose width is a power of two and whose edges are its multiples: which bins there are
 * follows from the bounds alone, and wider bounds only join bins, so that counts of more rows are added exactly.
 */
export interface Bins {
  /** Of the width. */
  readonly exponent: number;
  /** The first bin begins at so many widths. */
  readonly first: number;
  readonly counts: readonly number[];
}

/** The narrowest bins of which at most 32 hold all values. */
export function binsOf({ low, high }: Bounds): Omit<Bins, "counts"> & { readonly size: number } {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  // No bin is narrower than the distance of the largest values' neighbours.
  const finest = Math.max(-1074, Math.floor(Math.log2(largest)) - 51);
  let exponent = Math.max(finest, Math.floor(Math.log2(Math.max(Number.MIN_VALUE, high / 2 - low / 2))) - 4);
  while (binOf(high, exponent) - binOf(low, exponent) >= MOST_BINS) exponent++;
  const first = binOf(low, exponent);
  return { exponent, first, size: binOf(high, exponent) - first + 1 };
}

export function binOf(value: number, exponent: number): number {
  return Math.floor(value / 2 ** exponent);
}

/** Edges of the bins; the outer ones are the smallest and the largest value. */
export function edgesOf(bounds: Bounds): number[] {
  const { exponent, first, size } = binsOf(bounds);
  return Array.from({ length: size + 1 }, (_, edge) =>
    edge === 0 ? bounds.low : edge === size ? bounds.high : (first + edge) * 2 ** exponent,
  );
}

/** Counts of both, in the bins of the bounds of both. */
export function addBins(
  into: Bins | undefined,
  bounds: Bounds,
  more: { readonly values: ArrayLike<number>; readonly counts: ArrayLike<number>; readonly unit: number },
): Bins {
  const { exponent, first, size } = binsOf(bounds);
  const counts = Array.from({ length: size }, () => 0);
  const add = (bin: number, count: number): void => {
    counts[bin - first] = (counts[bin - first] ?? 0) + count;
  };
  if (into !== undefined)
    for (const [place, count] of into.counts.entries())
      if (count > 0) add(Math.floor((into.first + place) / 2 ** Math.min(1023, exponent - into.exponent)), count);
  const width = 2 ** exponent;
  for (let index = 0; index < more.values.length; index++)
    add(Math.floor((more.values[index] ?? 0) / more.unit / width), more.counts[index] ?? 0);
  return { exponent, first, counts };
}

/** A number as SQL, exactly. */
export function literal(value: number): string {
  return `'${String(value)}'::DOUBLE`;
}
