import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { type JsonCell, type Row, textOf } from "../analytics/rows.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { boundsOf, type ColumnFacts, type ExactNumber } from "./column-facts.ts";
import { addBins, type Bins, type Bounds, edgesOf, literal } from "./histogram.ts";
import { INFINITE_TIME, type MeasuredColumn } from "./measured-column.ts";
import type { Moments } from "./moments.ts";

const COLUMNS_AT_ONCE = 32;
/** Hashes that are kept of a column's values, if its guessed number of values is right: an error of 0.8 percent. */
const KEPT_HASHES = 65_536;
/** Of a normal distribution 95 percent lie within so many standard errors. */
const NORMAL_95 = 1.96;

/** Facts of a column with many values, from all rows; `error` of `distinct` is relative, with 95 percent certainty. */
export interface ScannedFacts {
  readonly facts: ColumnFacts;
  readonly distinct: { readonly count: number; readonly error: number };
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
    const inner = `(select ${group.map(({ column }, index) => `${column.value} as v${index}, ${quoteName(column.name)} as c${index}, ${column.length} as l${index}`).join(", ")} from ${relation})`;
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
      `sum(l${index})::DOUBLE as lengths${index}`,
      `count(l${index}) as lengthy${index}`,
    ];
  const only = `filter (${finite(column, v)})`;
  const infinite = column.kind === "real" ? "'inf'::DOUBLE" : INFINITE_TIME;
  // Decimals of many digits differ where their DOUBLEs do not.
  const texts = column.isTexted
    ? ["min as low_text", "max as high_text"].map((one) => {
        const [aggregate, , name] = one.split(" ");
        return `(${aggregate}(c${index}) ${only})::VARCHAR as ${name}${index}`;
      })
    : [];
  return [
    ...common,
    ...texts,
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

function boundOf(column: MeasuredColumn, index: number, row: Row, which: "low" | "high"): ExactNumber | undefined {
  const cell: JsonCell = row[`${which}${index}`] ?? null;
  if (column.kind === "text" || cell === null) return undefined;
  const text = row[`${which}_text${index}`] ?? (typeof cell === "string" ? cell : undefined);
  return { number: Number(cell), text: text === undefined ? undefined : textOf(text) };
}

function extentOf(column: MeasuredColumn, index: number, row: Row): Pick<ColumnFacts, "low" | "high"> {
  return { low: boundOf(column, index, row, "low"), high: boundOf(column, index, row, "high") };
}

/** Squares of huge and tiny values would leave the range of a DOUBLE. */
function scaleOf({ low, high }: Bounds): number {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  return largest > 1e150 || (largest > 0 && largest < 1e-150) ? largest : 1;
}

function secondPass(column: MeasuredColumn, index: number, first: Row): string[] {
  const bounds = boundsOf(column, extentOf(column, index, first));
  if (bounds === undefined) return [];
  const x =
    column.sense === "time"
      ? `(v${index}::DOUBLE / 1000)`
      : column.kind === "whole"
        ? `v${index}::DOUBLE`
        : `v${index}`;
  const only = finite(column, `v${index}`);
  // Bins of this aggregate hold their upper edge; of negated values that is the lower one.
  const edges = edgesOf(bounds)
    .slice(1, -1)
    .map((edge) => literal(-edge))
    .reverse();
  const bins =
    edges.length === 0
      ? []
      : [`map_entries(histogram(-(${x}), [${edges.join(", ")}]) filter (${only})) as bins${index}`];
  if (column.sense !== "number") return bins;
  const center = centerOf(column, index, first);
  // A whole column's center is a whole number: differences stay exact beyond 2^53.
  const apart =
    column.kind === "whole"
      ? `(v${index}::HUGEINT - (${center})::HUGEINT)::DOUBLE`
      : `(v${index} / ${literal(scaleOf(bounds))} - ${literal(Number(center))})`;
  return [
    ...bins,
    `fsum(${apart}) filter (${only}) as first${index}`,
    `fsum(${apart} ** 2) filter (${only}) as second${index}`,
  ];
}

function centerOf(column: MeasuredColumn, index: number, first: Row): string {
  const bounds = boundsOf(column, extentOf(column, index, first));
  const mean = Number(first[`mean${index}`]) / (bounds === undefined ? 1 : scaleOf(bounds));
  if (column.kind === "whole") return String(BigInt(Math.round(mean)));
  return Number.isFinite(mean) ? String(mean) : "0";
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
  const number = (name: string): number => Number(first[`${name}${index}`] ?? 0);
  const extent = extentOf(column, index, first);
  const bounds = boundsOf(column, extent);
  const kept = number("different");
  return {
    facts: {
      nullCount: number("nulls"),
      nanCount: number("nans"),
      positiveInfinityCount: number("beyond"),
      negativeInfinityCount: number("below"),
      finiteCount: number("known"),
      ...extent,
      moments: column.sense === "number" ? momentsOf(column, { index, first, spread }) : undefined,
      lengths:
        number("lengthy") === 0
          ? undefined
          : {
              min: number("shortest"),
              max: number("longest"),
              total: number("lengths"),
              count: number("lengthy"),
            },
      bins: bounds === undefined ? undefined : binsOf(bounds, { index, spread, known: number("known") }),
    },
    distinct: {
      count: kept * share,
      error: share === 1 ? 0 : kept === 0 ? 1 : NORMAL_95 * Math.sqrt((1 - 1 / share) / kept),
    },
  };
}

function momentsOf(
  column: MeasuredColumn,
  { index, first, spread }: { readonly index: number; readonly first: Row; readonly spread: Row },
): Moments {
  const extent = extentOf(column, index, first);
  const bounds = boundsOf(column, extent);
  const count = Number(first[`known${index}`]);
  if (bounds === undefined)
    return { center: String(extent.low?.number ?? 0), scale: 1, count, first: [0, 0], second: [0, 0] };
  return {
    center: centerOf(column, index, first),
    scale: column.kind === "whole" ? 1 : scaleOf(bounds),
    count,
    first: [Number(spread[`first${index}`]), 0],
    second: [Number(spread[`second${index}`]), 0],
  };
}

/** What is in no bin that was asked for is below the second edge. */
function binsOf(
  bounds: Bounds,
  { index, spread, known }: { readonly index: number; readonly spread: Row; readonly known: number },
): Bins {
  const edges = edgesOf(bounds);
  const cells = spread[`bins${index}`] as
    | readonly { readonly key: number | string; readonly value: number | string }[]
    | null
    | undefined;
  if (cells === null || cells === undefined)
    return addBins(undefined, bounds, { values: [bounds.low], counts: [known], unit: 1 });
  const lowest = ({ key }: { readonly key: number | string }): number => {
    const edge = edges.findLastIndex((one, place) => place > 0 && place < edges.length - 1 && one === -Number(key));
    return edge < 0 ? bounds.low : (edges[edge] ?? bounds.low);
  };
  return addBins(undefined, bounds, {
    values: cells.map(lowest),
    counts: cells.map(({ value }) => Number(value)),
    unit: 1,
  });
}
