import { availableParallelism } from "node:os";
import type { Analytics, AnalyticsConnection } from "../analytics/analytics.ts";
import { type JsonCell, textOf } from "../analytics/rows.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { relationOf } from "../delta/relation.ts";
import type { TableSnapshot } from "../delta/snapshot.ts";
import { countAlone, countDistinct, countTogether, createFrequencies, dropFrequencies } from "./frequencies.ts";
import {
  type CountedValue,
  type Facts,
  readFacts,
  readHistograms,
  readQuantiles,
  readTop,
  readValues,
  shownTime,
  shownValue,
} from "./frequency-facts.ts";
import { measureColumn, type MeasuredColumn } from "./measured-column.ts";
import { type ScannedFacts, scanFacts } from "./scan-facts.ts";

/**
 * A version of no more cells is looked at as a whole; of a larger one a sample of rows gives quantiles and frequent
 * values.
 */
const SAMPLE_CELLS = 4_000_000;
const [FEWEST_SAMPLE_ROWS, MOST_SAMPLE_ROWS] = [4_096, 32_768];
/** A column with no more values than this is counted value by value. */
const FEW_VALUES = 50_000;
/** A number column with no more values than this is shown by its values, not by bins. */
const SHOWN_VALUES = 20;
const CERTAINTY_LOSS = 0.05;

/** What a version's rows look like. Everything is of all rows, except what a column's `sample` says. */
export interface Profile {
  readonly format: "profile/2";
  readonly rowCount: number;
  readonly columns: readonly ColumnProfile[];
}

export interface ColumnProfile {
  readonly name: string;
  readonly type: string;
  readonly nullCount: number;
  /** NaN is no value: it is in no other figure than this one. Floating point only. */
  readonly nanCount?: number;
  /** Infinities are in no bound, mean, quantile or bin. */
  readonly positiveInfinityCount?: number;
  readonly negativeInfinityCount?: number;
  /**
   * Different values. `error`: half the width of the interval that holds the truth with 95 percent certainty, relative
   * to `count`; 0 is exact, absent unknown.
   */
  readonly distinct: { readonly count: number; readonly error?: number };
  readonly min?: JsonCell;
  readonly max?: JsonCell;
  /** Numbers only. */
  readonly mean?: number;
  readonly standardDeviation?: number;
  /** Characters of texts, bytes of binaries, elements of lists and maps. */
  readonly lengths?: { readonly min: number; readonly max: number; readonly mean: number };
  /** Numbers and times: quantile → value; times as epoch milliseconds. */
  readonly quantiles?: Readonly<Record<string, number>>;
  /** Numbers and times with many values: `edges` has one more element than `counts`; times as epoch milliseconds. */
  readonly histogram?: { readonly edges: readonly number[]; readonly counts: readonly number[] };
  /** Numbers, times and booleans with few values: all of them, in order. */
  readonly values?: readonly { readonly value: string; readonly count: number }[];
  /** The most frequent values, as text. */
  readonly top: readonly { readonly value: string; readonly count: number }[];
  /** What `quantiles` and `top` are counted in, where that is not all rows. */
  readonly sample?: ProfileSample;
}

export interface ProfileSample {
  /**
   * `rows`: each row of the version was as likely as any other. `blocks`: blocks of adjacent rows, by an older release;
   * every figure but nulls and bounds comes from them.
   */
  readonly kind: "rows" | "blocks";
  readonly rows: number;
  /**
   * With 95 percent certainty no quantile's rank and no value's share is off by more (Dvoretzky–Kiefer–Wolfowitz);
   * absent: unknown.
   */
  readonly shareError?: number;
}

/** Columns that are worth a connection of their own. */
const FEWEST_COLUMNS_APART = 64;

/**
 * Profile of all rows of a table's snapshot, all columns. Columns know nothing of each other: of a wide table, parts of
 * them are looked at beside each other.
 */
export async function computeProfile(
  analytics: Analytics,
  snapshot: TableSnapshot,
  rowCount: number,
): Promise<Profile> {
  const columns = snapshot.columns.map(({ name, type }, place) => measureColumn({ name, type }, place));
  const parts = Math.max(1, Math.min(availableParallelism(), Math.floor(columns.length / FEWEST_COLUMNS_APART)));
  const size = Math.ceil(columns.length / parts);
  const profiled = await Promise.all(
    Array.from({ length: parts }, async (_, part) => {
      const connection = await analytics.connect();
      try {
        const some = columns.slice(part * size, (part + 1) * size);
        return await profileColumns(connection, snapshot, { columns: some, rowCount });
      } finally {
        connection.close();
      }
    }),
  );
  return { format: "profile/2", rowCount, columns: profiled.flat() };
}

async function profileColumns(
  connection: AnalyticsConnection,
  snapshot: TableSnapshot,
  { columns, rowCount }: { readonly columns: readonly MeasuredColumn[]; readonly rowCount: number },
): Promise<readonly ColumnProfile[]> {
  if (rowCount === 0 || columns.length === 0)
    return columns.map(({ name, type }) => ({ name, type, nullCount: 0, distinct: { count: 0, error: 0 }, top: [] }));
  await createFrequencies(connection);
  try {
    const relation = await keepRows(connection, snapshot, { columns, rowCount });
    const sampleRows = Math.min(
      rowCount,
      Math.max(FEWEST_SAMPLE_ROWS, Math.min(MOST_SAMPLE_ROWS, Math.floor(SAMPLE_CELLS / snapshot.columns.length))),
    );
    let scanned: ReadonlyMap<number, ScannedFacts> = new Map();
    if (sampleRows === rowCount) await countTogether(connection, relation, columns);
    else {
      await countSample(connection, snapshot, { columns, sampleRows, rowCount });
      scanned = await lookAtAllRows(connection, relation, { columns, sampleRows, rowCount });
    }
    const decimals = await boundsOfDecimals(connection, relation, columns);
    return await describeColumns(connection, columns, { scanned, sampleRows, decimals });
  } finally {
    await dropFrequencies(connection);
    await connection.run(`drop table if exists ${KEPT}`);
  }
}

const SAMPLE = '"__profile_sample"';

const KEPT = '"__profile_rows"';
/** Every statement opens all files again; the rows of more of them are cheaper to read once and keep. */
const MOST_FILES_READ_AGAIN = 8;

async function keepRows(
  connection: AnalyticsConnection,
  snapshot: TableSnapshot,
  { columns, rowCount }: Pick<Sampled, "columns" | "rowCount">,
): Promise<string> {
  const relation = relationOf(snapshot);
  if (snapshot.files.size <= MOST_FILES_READ_AGAIN || rowCount * columns.length > SAMPLE_CELLS) return relation;
  const names = columns.map(({ name }) => quoteName(name)).join(", ");
  await connection.run(`create or replace temp table ${KEPT} as select ${names} from ${relation}`);
  return KEPT;
}

interface Sampled {
  readonly columns: readonly MeasuredColumn[];
  readonly sampleRows: number;
  readonly rowCount: number;
}

async function countSample(connection: AnalyticsConnection, snapshot: TableSnapshot, of: Sampled): Promise<void> {
  await connection.run(`create or replace temp table ${SAMPLE} as ${sampleOf(snapshot, of)}`);
  try {
    await countTogether(connection, SAMPLE, of.columns);
  } finally {
    await connection.run(`drop table ${SAMPLE}`);
  }
}

/** Every row has a number that is as good as random; the rows with the smallest ones are the sample. */
function sampleOf(snapshot: TableSnapshot, { columns, sampleRows, rowCount }: Sampled): string {
  const names = columns.map(({ name }) => quoteName(name)).join(", ");
  // Foreign tables with partitions have no row numbers here.
  if (snapshot.metadata.partitionColumns.length > 0)
    return `select ${names} from ${relationOf(snapshot)} using sample reservoir(${sampleRows} rows) repeatable (1)`;
  const random = "hash(filename, file_row_number)";
  // More than twice the deviation of a binomial count above the wanted number: the limit then cuts to exactly that.
  const share = (sampleRows + 8 * Math.sqrt(sampleRows)) / rowCount;
  const among = share >= 1 ? "" : ` where ${random} < ${BigInt(Math.floor(share * 2 ** 53)) * 2n ** 11n}`;
  return `select ${names} from ${relationOf(snapshot, ["filename", "file_row_number"])}${among} order by ${random} limit ${sampleRows}`;
}

/** Columns with few values are counted anew over all rows, the others scanned; which is which, the sample tells. */
async function lookAtAllRows(
  connection: AnalyticsConnection,
  relation: string,
  { columns, sampleRows, rowCount }: Sampled,
): Promise<ReadonlyMap<number, ScannedFacts>> {
  const seen = await countDistinct(connection);
  const many: { readonly column: MeasuredColumn; readonly guess: number }[] = [];
  for (const column of columns) {
    const { values, once } = seen.get(column.place) ?? { values: 0, once: 0 };
    // Guaranteed-error estimator: what came once in the sample stands for others like it (Charikar et al. 2000).
    const guess = Math.min(rowCount, Math.sqrt(rowCount / sampleRows) * once + values - once);
    if (guess <= FEW_VALUES) await countAlone(connection, relation, column);
    else many.push({ column, guess });
  }
  return scanFacts(connection, relation, many);
}

/** Decimals of many digits differ where their DOUBLEs do not. */
async function boundsOfDecimals(
  connection: AnalyticsConnection,
  relation: string,
  columns: readonly MeasuredColumn[],
): Promise<ReadonlyMap<number, Pick<Facts, "min" | "max">>> {
  const decimals = columns.filter(({ type }) => type.startsWith("DECIMAL"));
  if (decimals.length === 0) return new Map();
  const [row = {}] = await connection.rows(
    `select ${decimals.map(({ name, place }) => `min(${quoteName(name)})::VARCHAR as low${place}, max(${quoteName(name)})::VARCHAR as high${place}`).join(", ")} from ${relation}`,
  );
  return new Map(
    decimals.map(({ place }) => [place, { min: row[`low${place}`] ?? null, max: row[`high${place}`] ?? null }]),
  );
}

interface Looked {
  readonly scanned: ReadonlyMap<number, ScannedFacts>;
  readonly sampleRows: number;
  readonly decimals: ReadonlyMap<number, Pick<Facts, "min" | "max">>;
}

async function describeColumns(
  connection: AnalyticsConnection,
  columns: readonly MeasuredColumn[],
  { scanned, sampleRows, decimals }: Looked,
): Promise<ColumnProfile[]> {
  const counted = await readFacts(connection, columns);
  const measured = columns.filter(({ sense }) => sense === "number" || sense === "time");
  const quantiles = await readQuantiles(connection, measured);
  const top = await readTop(connection, columns);
  const isFew = ({ place }: MeasuredColumn): boolean =>
    !scanned.has(place) && (counted.get(place)?.distinct ?? 0) <= SHOWN_VALUES;
  const values = await readValues(
    connection,
    columns.filter((column) => column.kind !== "text" && isFew(column)),
  );
  const binned = measured
    .filter((column) => !isFew(column) && !scanned.has(column.place))
    .flatMap((column) => {
      const { min = null, max = null } = counted.get(column.place) ?? {};
      const unit = column.sense === "time" ? 1000 : 1;
      return min === null || max === null || Number(min) === Number(max)
        ? []
        : [{ column, low: Number(min) / unit, high: Number(max) / unit }];
    });
  const histograms = await readHistograms(connection, binned);
  return columns.map((column): ColumnProfile => {
    const { place } = column;
    const [scan, shown, found] = [scanned.get(place), values.get(place), scanned.get(place) ?? counted.get(place)];
    const facts = found === undefined ? undefined : { ...found, ...decimals.get(place) };
    const histogram = scan === undefined ? histograms.get(place) : scan.histogram;
    const isMeasured = column.sense === "number" || column.sense === "time";
    return {
      name: column.name,
      type: column.type,
      ...factsOf(column, facts, scan?.error ?? 0),
      ...(isMeasured && quantiles.has(place) ? { quantiles: inUnits(column, quantiles.get(place) ?? {}) } : {}),
      ...(histogram === undefined ? {} : { histogram }),
      ...(shown === undefined ? {} : { values: toShown(column, shown) }),
      top: toShown(column, top.get(place) ?? []),
      ...(scan === undefined
        ? {}
        : {
            sample: {
              kind: "rows",
              rows: sampleRows,
              shareError: Math.sqrt(Math.log(2 / CERTAINTY_LOSS) / (2 * sampleRows)),
            },
          }),
    };
  });
}

function factsOf(
  column: MeasuredColumn,
  facts: Facts | undefined,
  error: number,
): Pick<ColumnProfile, "nullCount" | "distinct"> & Partial<ColumnProfile> {
  if (facts === undefined) return { nullCount: 0, distinct: { count: 0, error: 0 } };
  const {
    nullCount,
    distinct,
    nanCount,
    positiveInfinityCount,
    negativeInfinityCount,
    min,
    max,
    mean,
    standardDeviation,
    lengths,
  } = facts;
  const isNumber = column.sense === "number";
  const bound = (value: JsonCell): JsonCell =>
    column.sense === "time"
      ? shownValue(column, value)
      : column.type === "DOUBLE" || column.kind === "whole" || column.type === "FLOAT"
        ? toNumber(value)
        : value;
  return {
    nullCount,
    ...(nanCount > 0 ? { nanCount } : {}),
    ...(positiveInfinityCount > 0 ? { positiveInfinityCount } : {}),
    ...(negativeInfinityCount > 0 ? { negativeInfinityCount } : {}),
    distinct: { count: distinct, error },
    ...(min === null || max === null || !(isNumber || column.sense === "time")
      ? {}
      : { min: bound(min), max: bound(max) }),
    ...(isNumber && mean !== undefined ? { mean } : {}),
    ...(isNumber && standardDeviation !== undefined ? { standardDeviation } : {}),
    ...(lengths === undefined ? {} : { lengths }),
  };
}

/** As a number where that loses nothing. */
function toNumber(value: JsonCell): JsonCell {
  if (typeof value !== "string") return value;
  return /^[+-]?\d+$/.test(value) && !Number.isSafeInteger(Number(value)) ? value : Number(value);
}

function inUnits(
  { sense }: MeasuredColumn,
  quantiles: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return sense === "time"
    ? Object.fromEntries(Object.entries(quantiles).map(([quantile, value]) => [quantile, value / 1000]))
    : quantiles;
}

function toShown(column: MeasuredColumn, values: readonly CountedValue[]): ColumnProfile["top"] {
  return values.map(({ value, count }) => ({ value: shownTimeOrValue(column, value), count }));
}

function shownTimeOrValue(column: MeasuredColumn, value: JsonCell): string {
  if (column.sense !== "time") return shownValue(column, value);
  const text = textOf(value);
  if (/^-?9223372036854775807$/.test(text)) return text.startsWith("-") ? "-infinity" : "infinity";
  return shownTime(BigInt(text), column.type);
}
