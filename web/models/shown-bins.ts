/** Counts of values between edges, in order. */
interface ShownBins {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

/** Of the widest bin: narrower outer ones join their neighbour. */
const NARROWEST = 0.25;

/**
 * Bins that can be drawn as areas. The outer ones end at the smallest and the largest value and may be next to nothing
 * wide: where the largest value is 100 and stands on an edge, its bar has no end, and no other bar is seen beside it.
 */
export function shownBins({ edges, counts }: ShownBins): ShownBins {
  if (counts.length < 2 || edges.length !== counts.length + 1) return { edges, counts };
  const widthOf = (bin: number): number => (edges[bin + 1] ?? 0) / 2 - (edges[bin] ?? 0) / 2;
  const widest = Math.max(...counts.map((_, bin) => widthOf(bin)));
  const last = counts.length - 1;
  const joinsLast = widthOf(last) < widest * NARROWEST;
  const joinsFirst = widthOf(0) < widest * NARROWEST && (counts.length > 2 || !joinsLast);
  const joined = [...counts];
  if (joinsLast) joined[last - 1] = (joined[last - 1] ?? 0) + (joined.pop() ?? 0);
  if (joinsFirst) joined[1] = (joined[0] ?? 0) + (joined[1] ?? 0);
  return {
    edges: edges.filter((_, edge) => !(joinsLast && edge === last) && !(joinsFirst && edge === 1)),
    counts: joinsFirst ? joined.slice(1) : joined,
  };
}
