import type { JsonCell } from "../analytics/rows.ts";
import { allOf, type CountedValues, distinctOf, quantilesOf, type ShownCount, topOf } from "./counted-values.ts";
import { addBins, type Bins, type Bounds, edgesOf } from "./histogram.ts";
import { type MeasuredColumn, shownKey } from "./measured-column.ts";
import { meanAndDeviation, type Moments, momentsOf } from "./moments.ts";
import type { ColumnProfile } from "./profile.ts";
import { shownTime } from "./shown-time.ts";

/** A finite number, or a time in microseconds; `text` is exactly what it is, where the number says less. */
export interface ExactNumber {
  readonly number: number;
  readonly text: string | undefined;
}

/** What all rows say of a column; facts of two parts of the rows are those of both. */
export interface ColumnFacts {
  readonly nullCount: number;
  readonly nanCount: number;
  readonly positiveInfinityCount: number;
  readonly negativeInfinityCount: number;
  /** Numbers and times that are in the other figures. */
  readonly finiteCount: number;
  readonly low: ExactNumber | undefined;
  readonly high: ExactNumber | undefined;
  /** Of numbers, not of times. */
  readonly moments: Moments | undefined;
  readonly lengths: Lengths | undefined;
  /** Of numbers and of times in milliseconds; undefined where all are one. */
  readonly bins: Bins | undefined;
}

export interface Lengths {
  readonly min: number;
  readonly max: number;
  readonly total: number;
  readonly count: number;
}

export function factsOf(column: MeasuredColumn, counted: CountedValues): ColumnFacts {
  const { nullCount, nanCount, positiveInfinityCount, negativeInfinityCount, numbers, texts } = counted;
  const exact = (index: number): ExactNumber | undefined =>
    numbers.length === 0 ? undefined : { number: numbers.at(index) ?? 0, text: texts?.at(index) };
  const [low, high] = [exact(0), exact(-1)];
  return {
    nullCount,
    nanCount,
    positiveInfinityCount,
    negativeInfinityCount,
    finiteCount: column.number === undefined ? 0 : counted.counts.reduce((sum, count) => sum + count, 0),
    low,
    high,
    moments: column.sense === "number" ? momentsOf(counted) : undefined,
    lengths: column.number === undefined ? lengthsOf(column, counted) : undefined,
    bins: addedBins(column, { low, high, counted, known: undefined }),
  };
}

/** Bins of counted values and of known ones, within the bounds of both. */
export function addedBins(
  column: MeasuredColumn,
  of: Pick<ColumnFacts, "low" | "high"> & {
    readonly counted: CountedValues;
    readonly known: (Pick<ColumnFacts, "low" | "bins"> & { readonly count: number }) | undefined;
  },
): Bins | undefined {
  const bounds = boundsOf(column, of);
  if (bounds === undefined) return undefined;
  const unit = unitOf(column);
  const { low, bins, count = 0 } = of.known ?? {};
  // Known values that were all one have no bins.
  const isOne = bins === undefined && low !== undefined && count > 0;
  const known = isOne ? addBins(undefined, bounds, { values: [low.number], counts: [count], unit }) : bins;
  return addBins(known, bounds, { values: of.counted.numbers, counts: of.counted.counts, unit });
}

export function boundsOf(column: MeasuredColumn, { low, high }: Pick<ColumnFacts, "low" | "high">): Bounds | undefined {
  if (column.sense !== "number" && column.sense !== "time") return undefined;
  if (low === undefined || high === undefined || low.number === high.number) return undefined;
  const unit = unitOf(column);
  return { low: low.number / unit, high: high.number / unit };
}

function unitOf({ sense }: MeasuredColumn): number {
  return sense === "time" ? 1000 : 1;
}

export function lengthsOf(column: MeasuredColumn, { texts = [], counts }: CountedValues): Lengths | undefined {
  let found: Lengths | undefined;
  for (let index = 0; index < texts.length; index++) {
    const { length } = shownKey(column, texts[index] ?? "");
    if (length === undefined) continue;
    const times = counts[index] ?? 0;
    found = joinLengths(found, { min: length, max: length, total: length * times, count: times });
  }
  return found;
}

export function joinLengths(left: Lengths | undefined, right: Lengths | undefined): Lengths | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  return {
    min: Math.min(left.min, right.min),
    max: Math.max(left.max, right.max),
    total: left.total + right.total,
    count: left.count + right.count,
  };
}

/** A number column with no more values than this is shown by its values, not by bins. */
const SHOWN_VALUES = 20;
const TOP_VALUES = 10;
const CERTAINTY_LOSS = 0.05;

/** What is counted in all rows, or else in a sample of them. */
export interface Counted {
  readonly values: CountedValues;
  /** Rows of the sample; undefined when all rows are counted. */
  readonly sampleRows: number | undefined;
  /** How many different values there are, where they are not all counted. */
  readonly distinct: { readonly count: number; readonly error: number } | undefined;
}

export function describeColumn(column: MeasuredColumn, facts: ColumnFacts, counted: Counted): ColumnProfile {
  const { sampleRows, values } = counted;
  const isMeasured = column.sense === "number" || column.sense === "time";
  const distinct = counted.distinct ?? { count: distinctOf(values), error: 0 };
  const isFew =
    sampleRows === undefined &&
    column.number !== undefined &&
    values.counts.length > 0 &&
    distinct.count <= SHOWN_VALUES;
  const quantiles = isMeasured ? quantilesOf(values) : undefined;
  return {
    name: column.name,
    type: column.type,
    ...shownFacts(column, facts, distinct),
    ...(quantiles === undefined ? {} : { quantiles: inUnits(column, quantiles) }),
    ...(isFew ? { values: toShown(column, allOf(values)) } : shownBins(column, facts)),
    top: toShown(column, topOf(column, values, TOP_VALUES)),
    ...(sampleRows === undefined
      ? {}
      : {
          sample: {
            kind: "rows",
            rows: sampleRows,
            shareError: Math.sqrt(Math.log(2 / CERTAINTY_LOSS) / (2 * sampleRows)),
          },
        }),
  };
}

function shownBins(column: MeasuredColumn, facts: ColumnFacts): Pick<ColumnProfile, "histogram"> {
  const bounds = boundsOf(column, facts);
  return bounds === undefined || facts.bins === undefined
    ? {}
    : { histogram: { edges: edgesOf(bounds), counts: facts.bins.counts } };
}

function shownFacts(
  column: MeasuredColumn,
  facts: ColumnFacts,
  distinct: { readonly count: number; readonly error: number },
): Pick<ColumnProfile, "nullCount" | "distinct"> & Partial<ColumnProfile> {
  const { nullCount, nanCount, positiveInfinityCount, negativeInfinityCount, low, high, lengths } = facts;
  const isMeasured = column.sense === "number" || column.sense === "time";
  return {
    nullCount,
    ...(nanCount > 0 ? { nanCount } : {}),
    ...(positiveInfinityCount > 0 ? { positiveInfinityCount } : {}),
    ...(negativeInfinityCount > 0 ? { negativeInfinityCount } : {}),
    distinct,
    ...(isMeasured && low !== undefined && high !== undefined
      ? { min: shownBound(column, low), max: shownBound(column, high) }
      : {}),
    ...shownMoments(facts),
    ...(lengths === undefined
      ? {}
      : { lengths: { min: lengths.min, max: lengths.max, mean: lengths.total / lengths.count } }),
  };
}

function shownMoments({ moments, low, high }: ColumnFacts): Pick<ColumnProfile, "mean" | "standardDeviation"> {
  if (moments === undefined || low === undefined || moments.count === 0) return {};
  const isOne = low.number === high?.number && low.text === high.text;
  const { mean, standardDeviation } = isOne
    ? { mean: low.number, standardDeviation: moments.count > 1 ? 0 : undefined }
    : meanAndDeviation(moments);
  return {
    ...(mean === undefined || !Number.isFinite(mean) ? {} : { mean }),
    ...(standardDeviation === undefined || !Number.isFinite(standardDeviation) ? {} : { standardDeviation }),
  };
}

/** Decimals as they are written; others as a number where that loses nothing. */
function shownBound(column: MeasuredColumn, { number, text }: ExactNumber): JsonCell {
  if (column.sense === "time") return shownTime(text === undefined ? BigInt(number) : BigInt(text), column.type);
  if (text === undefined) return number;
  if (column.type === "FLOAT") return Number(text);
  return column.type.startsWith("DECIMAL") || !Number.isSafeInteger(number) ? text : number;
}

function inUnits(
  column: MeasuredColumn,
  quantiles: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(quantiles).map(([quantile, value]) => [quantile, value / unitOf(column)]));
}

function toShown(column: MeasuredColumn, values: readonly ShownCount[]): ColumnProfile["top"] {
  return values.map((value) => ({ value: shownValue(column, value), count: value.count }));
}

function shownValue({ sense, type }: MeasuredColumn, { number, text }: ShownCount): string {
  if (number === undefined) return text ?? "";
  if (sense === "boolean") return String(number === 1);
  if (sense !== "time") return text ?? String(number);
  if (!Number.isFinite(number)) return number < 0 ? "-infinity" : "infinity";
  return shownTime(text === undefined ? BigInt(number) : BigInt(text), type);
}
