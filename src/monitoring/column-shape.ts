import type { ColumnSample } from "./drift-method.ts";
import { countBetween, toShares } from "./statistics/bins.ts";

/** A column on both sides, as shares of the same bins: what people look at when it moved. */
export interface ColumnShape {
  readonly bins: readonly string[];
  readonly reference: readonly number[];
  readonly current: readonly number[];
}

const BINS = 12;
const MOST_CATEGORIES = 12;
const OTHERS = "…";

/** Undefined for texts. Pure. */
export function shapeOf(reference: ColumnSample, current: ColumnSample): ColumnShape | undefined {
  if (reference.kind === "numeric" && current.kind === "numeric") return shapeOfNumbers(reference, current);
  return reference.kind === "categorical" && current.kind === "categorical"
    ? shapeOfCategories(reference.counts, current.counts)
    : undefined;
}

type Numbers = Extract<ColumnSample, { kind: "numeric" }>;

/** Equal widths over the middle 98 % of both; what lies outside is in the outer bins. */
function shapeOfNumbers(reference: Numbers, current: Numbers): ColumnShape {
  const ends = [reference.sample.values, current.sample.values].map((values) => ({
    low: values[Math.floor(values.length * 0.01)] ?? 0,
    high: values[Math.ceil(values.length * 0.99) - 1] ?? 0,
    least: values[0] ?? 0,
    most: values.at(-1) ?? 0,
  }));
  const [low, high] = [Math.min(...ends.map((end) => end.low)), Math.max(...ends.map((end) => end.high))];
  const inner = Array.from({ length: BINS - 1 }, (_, index) => low + ((high - low) * (index + 1)) / BINS);
  const edges = Float64Array.from([
    Math.min(...ends.map((end) => end.least)),
    ...new Set(inner),
    Math.max(...ends.map((end) => end.most)),
  ]).sort();
  const name = reference.time === true ? (value: number) => new Date(value).toISOString().slice(0, 16) : short;
  return {
    bins: Array.from(
      { length: edges.length - 1 },
      (_, bin) => `${name(edges[bin] ?? 0)} – ${name(edges[bin + 1] ?? 0)}`,
    ),
    reference: rounded(toShares(countBetween(reference.sample.values, edges))),
    current: rounded(toShares(countBetween(current.sample.values, edges))),
  };
}

function shapeOfCategories(reference: ReadonlyMap<string, number>, current: ReadonlyMap<string, number>): ColumnShape {
  const total = (counts: ReadonlyMap<string, number>): number =>
    [...counts.values()].reduce((sum, one) => sum + one, 0);
  const [n, m] = [total(reference), total(current)];
  const shares = [...new Set([...reference.keys(), ...current.keys()])]
    .map((bin) => ({ bin, reference: (reference.get(bin) ?? 0) / n, current: (current.get(bin) ?? 0) / m }))
    .sort(
      (left, right) =>
        Math.max(right.reference, right.current) - Math.max(left.reference, left.current) ||
        (left.bin < right.bin ? -1 : 1),
    );
  const [shown, rest] = [shares.slice(0, MOST_CATEGORIES), shares.slice(MOST_CATEGORIES)];
  const sum = (of: "reference" | "current"): number => rest.reduce((all, share) => all + share[of], 0);
  const bins =
    rest.length === 0 ? shown : [...shown, { bin: OTHERS, reference: sum("reference"), current: sum("current") }];
  return {
    bins: bins.map(({ bin }) => bin.slice(0, 60)),
    reference: rounded(bins.map((bin) => bin.reference)),
    current: rounded(bins.map((bin) => bin.current)),
  };
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function rounded(shares: ArrayLike<number>): readonly number[] {
  return Array.from(shares, (share) => Number(share.toFixed(4)));
}
