import type { AnalyticsConnection } from "../analytics/analytics.ts";
import type { Row } from "../analytics/rows.ts";
import { type Facts, toFacts } from "./frequency-facts.ts";
import { type Bounds, edgesOf, HISTOGRAM_BINS, literal } from "./histogram.ts";
import { INFINITE_TIME, type MeasuredColumn } from "./measured-column.ts";

const COLUMNS_AT_ONCE = 32;
/** Hashes that are kept of a column's values, if its guessed number of values is right: an error of 0.8 percent. */
const KEPT_HASHES = 65_536;
/** Of a normal distribution 95 percent lie within so many standard errors. */
const NORMAL_95 = 1.96;

/** Facts of columns with many values, from all rows; `error` is that of `distinct`, with 95 percent certainty. */
export interface ScannedFacts extends Facts {
  readonly error: number;
  readonly histogram: { readonly edges: readonly number[]; readonly counts: readonly number[] } | undefined;
}

/** A column, and about how many different values it has. */
export interface ManyValued {
  readonly column: MeasuredColumn;
  readonly guess: number;
}

/**
 * Two passes over all rows. Different values are counted among those whose hash falls into a known share of all hashes
 * (a theta sketch with a fixed threshold); with a share of 1 the count is exact.
 */
export async function scanFacts(
  connection: AnalyticsConnection,
  relation: string,
  columns: readonly ManyValued[],
): Promise<ReadonlyMap<number, ScannedFacts>> {
  const found = new Map<number, ScannedFacts>();
  for (let start = 0; start < columns.length; start += COLUMNS_AT_ONCE) {
    const group = columns.slice(start, start + COLUMNS_AT_ONCE);
    const inner = `(select ${group.map(({ column }, index) => `${column.value} as v${index}, ${column.text} as t${index}, ${column.length} as l${index}`).join(", ")} from ${relation})`;
    const [first = {}] = await connection.rows(`select ${group.flatMap(firstPass).join(", ")} from ${inner}`);
    const second = group.flatMap(({ column }, index) => secondPass(column, index, first));
    const [spread = {}] = second.length === 0 ? [] : await connection.rows(`select ${second.join(", ")} from ${inner}`);
    for (const [index, { column, guess }] of group.entries())
      found.set(column.place, toScanned({ column, index, share: hashShare(guess), first, spread }));
  }
  return found;
}

/** One of so many hashes is kept: a power of two. */
function hashShare(guess: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(guess / KEPT_HASHES)));
}

function finite({ kind, sense }: MeasuredColumn, v: string): string {
  if (kind === "real") return `isfinite(${v})`;
  return sense === "time" ? `${v} < ${INFINITE_TIME} and ${v} > -${INFINITE_TIME}` : `${v} is not null`;
}

function firstPass({ column, guess }: ManyValued, index: number): string[] {
  const v = `v${index}`;
  const share = hashShare(guess);
  const kept = [
    ...(share === 1 ? [] : [`hash(${v}) % ${share} = 0`]),
    ...(column.kind === "real" ? [`not isnan(${v})`] : []),
  ];
  const common = [
    `count(*) - count(${v}) as nulls${index}`,
    `count(distinct ${v})${kept.length === 0 ? "" : ` filter (${kept.join(" and ")})`} as different${index}`,
  ];
  if (column.kind === "text")
    return [
      ...common,
      `min(l${index}) as shortest${index}`,
      `max(l${index}) as longest${index}`,
      `avg(l${index}) as length_mean${index}`,
    ];
  const only = `filter (${finite(column, v)})`;
  const infinite = column.kind === "real" ? "'inf'::DOUBLE" : INFINITE_TIME;
  const bounds = column.text.startsWith("NULL")
    ? []
    : [`arg_min(t${index}, ${v}) ${only} as low_text${index}`, `arg_max(t${index}, ${v}) ${only} as high_text${index}`];
  return [
    ...common,
    ...bounds,
    `count(*) ${only} as known${index}`,
    `min(${v}) ${only} as low${index}`,
    `max(${v}) ${only} as high${index}`,
    column.kind === "real" ? `favg(${v}) ${only} as mean${index}` : `avg(${v}) ${only} as mean${index}`,
    column.kind === "real" ? `count(*) filter (isnan(${v})) as nans${index}` : `0 as nans${index}`,
    ...(column.kind === "real" || column.sense === "time"
      ? [
          `count(*) filter (${v} = ${infinite}) as beyond${index}`,
          `count(*) filter (${v} = -${infinite}) as below${index}`,
        ]
      : []),
  ];
}

function boundsOf(column: MeasuredColumn, index: number, row: Row): Bounds | undefined {
  const [low, high] = [row[`low${index}`], row[`high${index}`]];
  if (column.kind === "text" || low === null || low === undefined || high === null || high === undefined)
    return undefined;
  const unit = column.sense === "time" ? 1000 : 1;
  return { column, low: Number(low) / unit, high: Number(high) / unit };
}

/** Squares of huge and tiny values would leave the range of a DOUBLE. */
function scaleOf({ low, high }: Bounds): number {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  return largest > 1e150 || (largest > 0 && largest < 1e-150) ? largest : 1;
}

function secondPass(column: MeasuredColumn, index: number, first: Row): string[] {
  const bounds = boundsOf(column, index, first);
  if (bounds === undefined || bounds.low === bounds.high) return [];
  const x =
    column.sense === "time"
      ? `(v${index}::DOUBLE / 1000)`
      : column.kind === "whole"
        ? `v${index}::DOUBLE`
        : `v${index}`;
  const only = finite(column, `v${index}`);
  // Bins of this aggregate hold their upper edge; of negated values that is the lower one.
  const edges = [...new Set(edgesOf(bounds).slice(1, -1))].map((edge) => literal(-edge)).reverse();
  const bins = [`map_entries(histogram(-(${x}), [${edges.join(", ")}]) filter (${only})) as bins${index}`];
  if (column.sense === "time") return bins;
  const scale = scaleOf(bounds);
  // A whole column's center is a whole number: differences stay exact beyond 2^53.
  const moments =
    column.kind === "whole"
      ? [
          `sum(v${index}::HUGEINT - ${centerOf(first, index)})::DOUBLE as first${index}`,
          `fsum((v${index}::HUGEINT - ${centerOf(first, index)})::DOUBLE ** 2) as second${index}`,
        ]
      : [
          `favg(v${index} / ${literal(scale)}) filter (${only}) as scaled_mean${index}`,
          `stddev_samp(v${index} / ${literal(scale)}) filter (${only}) as scaled_deviation${index}`,
        ];
  return [...bins, ...moments];
}

function centerOf(first: Row, index: number): string {
  return `(${BigInt(Math.round(Number(first[`mean${index}`])))})::HUGEINT`;
}

function toScanned({
  column,
  index,
  share,
  first,
  spread,
}: {
  readonly column: MeasuredColumn;
  readonly index: number;
  readonly share: number;
  readonly first: Row;
  readonly spread: Row;
}): ScannedFacts {
  const of = (row: Row, name: string): Row[string] => row[`${name}${index}`] ?? null;
  const bounds = boundsOf(column, index, first);
  const row: Row = Object.fromEntries(
    [
      "nulls",
      "nans",
      "beyond",
      "below",
      "different",
      "low",
      "high",
      "low_text",
      "high_text",
      "mean",
      "shortest",
      "longest",
      "length_mean",
    ].map((name) => [name, of(first, name)]),
  );
  const kept = Number(of(first, "different"));
  const facts = toFacts({ ...row, ...momentsOf(column, { index, bounds, first, spread }) });
  return {
    ...facts,
    distinct: kept * share,
    error: share === 1 ? 0 : kept === 0 ? 1 : NORMAL_95 * Math.sqrt((1 - 1 / share) / kept),
    histogram:
      bounds === undefined || bounds.low === bounds.high
        ? undefined
        : { edges: edgesOf(bounds), counts: countsOf(spread, index, edgesOf(bounds)) },
  };
}

function momentsOf(
  column: MeasuredColumn,
  {
    index,
    bounds,
    first,
    spread,
  }: { readonly index: number; readonly bounds: Bounds | undefined; readonly first: Row; readonly spread: Row },
): Row {
  const known = Number(first[`known${index}`]);
  if (bounds === undefined || column.sense === "time" || column.kind === "text") return { mean: null, deviation: null };
  if (bounds.low === bounds.high) return { mean: bounds.low, deviation: known > 1 ? 0 : null };
  if (column.kind === "real") {
    const scale = scaleOf(bounds);
    return {
      mean: Number(spread[`scaled_mean${index}`]) * scale,
      deviation: Number(spread[`scaled_deviation${index}`]) * scale,
    };
  }
  const [sum, squares] = [Number(spread[`first${index}`]), Number(spread[`second${index}`])];
  return { deviation: Math.sqrt(Math.max(0, squares - (sum * sum) / known) / (known - 1)) };
}

/** What is in no bin that was asked for is below the second edge. */
function countsOf(spread: Row, index: number, edges: readonly number[]): number[] {
  const counts = Array.from({ length: HISTOGRAM_BINS }, () => 0);
  for (const { key, value } of (spread[`bins${index}`] ?? []) as readonly {
    readonly key: number | string;
    readonly value: number | string;
  }[]) {
    const bin = edges.findLastIndex((edge, place) => place > 0 && place < HISTOGRAM_BINS && edge === -Number(key));
    counts[Math.max(0, bin)] = (counts[Math.max(0, bin)] ?? 0) + Number(value);
  }
  return counts;
}
