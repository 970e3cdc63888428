/** Five numbers of a sample and what lies outside of the whiskers. */
export interface Box {
  readonly label: string;
  readonly count: number;
  readonly low: number;
  readonly firstQuartile: number;
  readonly median: number;
  readonly thirdQuartile: number;
  readonly high: number;
  readonly outliers: readonly number[];
}

const WHISKER = 1.5;

/**
 * Boxes of a sample, one per group, by name; whiskers reach to the last value within 1.5 interquartile ranges.
 *
 * Values that are not finite are left out. Quartiles interpolate linearly (Hyndman and Fan 1996, type 7, as R and
 * NumPy).
 */
export function toBoxes(samples: readonly { readonly group: string; readonly value: number }[]): readonly Box[] {
  const groups = Map.groupBy(
    samples.filter(({ value }) => Number.isFinite(value)),
    ({ group }) => group,
  );
  return [...groups]
    .sort(([left], [right]) => left.localeCompare(right, undefined, { numeric: true }))
    .map(([label, members]) =>
      toBox(
        label,
        members.map(({ value }) => value).sort((left, right) => left - right),
      ),
    );
}

function toBox(label: string, sorted: readonly number[]): Box {
  const firstQuartile = quantile(sorted, 0.25);
  const thirdQuartile = quantile(sorted, 0.75);
  const reach = WHISKER * (thirdQuartile - firstQuartile);
  const inside = sorted.filter((value) => value >= firstQuartile - reach && value <= thirdQuartile + reach);
  return {
    label,
    count: sorted.length,
    firstQuartile,
    median: quantile(sorted, 0.5),
    thirdQuartile,
    low: inside[0] ?? firstQuartile,
    high: inside.at(-1) ?? thirdQuartile,
    outliers: sorted.filter((value) => value < firstQuartile - reach || value > thirdQuartile + reach),
  };
}

/** @param sorted ascending, not empty @param share 0–1 */
export function quantile(sorted: readonly number[], share: number): number {
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}
