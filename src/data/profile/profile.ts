import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { type JsonCell, textOf } from "../analytics/rows.ts";
import { quoteName } from "../analytics/sql-text.ts";
import type { AddFile } from "../delta/actions.ts";
import { absolutePath, type TableSnapshot } from "../delta/snapshot.ts";
import { filesRelation, holdsColumns, plainRelation, relationOf } from "../delta/relation.ts";
import { rowCountOf } from "../delta/statistics.ts";

const SAMPLE_ROWS = 16_384;
/** Rows are taken in blocks, small enough that those of a table in order of time show all its times. */
const BLOCK_ROWS = 256;
const TOP_VALUES = 10;
const BINS = 20;
const LARGEST_WIDTH = 200;
const MEASURED = /^(TINYINT|SMALLINT|INTEGER|BIGINT|FLOAT|DOUBLE|DECIMAL.*)$/;
const TIMES = /^(DATE|TIMESTAMP.*)$/;
const QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] as const;

/**
 * What a version's rows look like. `rowCount`, `nullCount`, `min` and `max` are those of all rows (times rounded outwards to the
 * millisecond); everything else comes from `sampleRows` rows, blocks spread evenly over the files.
 */
export interface Profile {
  readonly format: "profile/1";
  readonly rowCount: number;
  readonly sampleRows: number;
  /** The first 200 of wider tables. */
  readonly columns: readonly ColumnProfile[];
}

export interface ColumnProfile {
  readonly name: string;
  readonly type: string;
  readonly nullCount: number;
  /** HyperLogLog estimate over the sample. */
  readonly distinctInSample: number;
  readonly min?: JsonCell;
  readonly max?: JsonCell;
  /** Numbers only. */
  readonly mean?: number;
  readonly standardDeviation?: number;
  /** Numbers only: quantile → value. */
  readonly quantiles?: Readonly<Record<string, number>>;
  /** Numbers and times: `edges` has one more element than `counts`; times as epoch milliseconds. */
  readonly histogram?: { readonly edges: readonly number[]; readonly counts: readonly number[] };
  /** The most frequent values, as text, with their count in the sample. */
  readonly top: readonly { readonly value: string; readonly count: number }[];
}

/** Profile of a table's snapshot: bounds and null counts from the log, the rest from a sample. */
export async function computeProfile(connection: AnalyticsConnection, snapshot: TableSnapshot, rowCount: number): Promise<Profile> {
  const shown = snapshot.columns.slice(0, LARGEST_WIDTH).map(({ name, type }) => ({ name, type }));
  if (rowCount === 0 || shown.length === 0) {
    return { format: "profile/1", rowCount, sampleRows: 0, columns: shown.map(({ name, type }) => ({ name, type, nullCount: 0, distinctInSample: 0, top: [] })) };
  }
  const exact = boundsFromLog(snapshot, shown) ?? (await boundsFromRows(connection, snapshot, shown));
  const sample = '"__esteira_profile_sample"';
  await connection.run(`create or replace temp table ${sample} as ${sampleOf(snapshot, rowCount)}`);
  try {
    const [counted] = await connection.rows(`select count(*) as n from ${sample}`);
    const profiles: ColumnProfile[] = [];
    for (const column of shown) {
      profiles.push({ name: column.name, type: column.type, ...(exact.get(column.name) ?? { nullCount: 0 }), ...(await profileColumn(connection, sample, column)) });
    }
    return { format: "profile/1", rowCount, sampleRows: Number(counted?.["n"]), columns: profiles };
  } finally {
    await connection.run(`drop table if exists ${sample}`);
  }
}

interface Bounds {
  readonly nullCount: number;
  readonly min?: JsonCell;
  readonly max?: JsonCell;
}

interface FileStatistics {
  readonly minValues?: Readonly<Record<string, JsonCell>>;
  readonly maxValues?: Readonly<Record<string, JsonCell>>;
  readonly nullCount?: Readonly<Record<string, number>>;
}

/** Undefined when a file's statistics lack a column: then the rows must be read. */
function boundsFromLog(snapshot: TableSnapshot, columns: readonly Column[]): ReadonlyMap<string, Bounds> | undefined {
  const files = [...snapshot.files.values()].map(({ stats }) => (stats === null || stats === undefined ? {} : (JSON.parse(stats) as FileStatistics)));
  const found = new Map<string, Bounds>();
  for (const { name, type } of columns) {
    const counts = files.map(({ nullCount }) => nullCount?.[name]);
    if (counts.some((count) => typeof count !== "number")) return undefined;
    const nullCount = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
    if (!MEASURED.test(type) && !TIMES.test(type)) {
      found.set(name, { nullCount });
      continue;
    }
    const lows = files.flatMap(({ minValues }) => (minValues?.[name] === undefined ? [] : [minValues[name]]));
    const highs = files.flatMap(({ maxValues }) => (maxValues?.[name] === undefined ? [] : [maxValues[name]]));
    // Large integers and decimals would lose digits here; NaN has no bounds; an all-null file has none either.
    const isExact = [...lows, ...highs].every((value) => typeof value !== "number" || Number.isSafeInteger(value) || /^(FLOAT|DOUBLE)$/.test(type));
    if (!isExact || lows.length !== files.length || highs.length !== files.length) return undefined;
    found.set(name, { nullCount, min: extreme(lows, -1), max: extreme(highs, 1) });
  }
  return found;
}

function extreme(values: readonly JsonCell[], sign: -1 | 1): JsonCell {
  return values.reduce((best, value) => ((value as number) > (best as number) === (sign === 1) && value !== best ? value : best));
}

async function boundsFromRows(connection: AnalyticsConnection, snapshot: TableSnapshot, columns: readonly Column[]): Promise<ReadonlyMap<string, Bounds>> {
  const parts = columns.flatMap(({ name, type }, index) => {
    const column = quoteName(name);
    const bounds = MEASURED.test(type) || TIMES.test(type) ? [`min(${column}) as min_${index}`, `max(${column}) as max_${index}`] : [];
    return [`count(*) - count(${column}) as null_${index}`, ...bounds];
  });
  const [row = {}] = await connection.rows(`select ${parts.join(", ")} from ${relationOf(snapshot)}`);
  return new Map(
    columns.map(({ name }, index) => {
      const bounds = row[`min_${index}`] === undefined ? {} : { min: row[`min_${index}`] ?? null, max: row[`max_${index}`] ?? null };
      return [name, { nullCount: Number(row[`null_${index}`]), ...bounds }];
    }),
  );
}

/** Small versions whole; of large ones the same share of each file, in evenly spaced blocks: of what lies between only the number is read. */
function sampleOf(snapshot: TableSnapshot, rowCount: number): string {
  if (rowCount <= SAMPLE_ROWS || snapshot.metadata.partitionColumns.length > 0) return `select * from ${relationOf(snapshot)} limit ${SAMPLE_ROWS}`;
  const spacing = Math.floor((rowCount * BLOCK_ROWS) / SAMPLE_ROWS);
  const selects: string[] = [];
  let passed = 0;
  for (const file of snapshot.files.values()) {
    const rows = rowCountOf(file.stats) ?? 0;
    const into = passed % spacing;
    if (into < BLOCK_ROWS || into + rows > spacing) selects.push(`select * exclude (file_row_number) from ${relationWithNumbers(snapshot, file)} where (file_row_number + ${into}) % ${spacing} < ${BLOCK_ROWS}`);
    passed += rows;
  }
  return selects.length === 0 ? `select * from ${relationOf(snapshot)} limit ${SAMPLE_ROWS}` : selects.join(" union all ");
}

function relationWithNumbers(snapshot: TableSnapshot, file: AddFile): string {
  const path = [absolutePath(snapshot.table, file.path)];
  return holdsColumns(file, snapshot.columns) ? plainRelation(path, snapshot.columns, ["file_row_number"]) : filesRelation(path, snapshot.columns, ["file_row_number"]);
}

async function profileColumn(connection: AnalyticsConnection, sample: string, { name, type }: Column): Promise<Pick<ColumnProfile, "distinctInSample" | "mean" | "standardDeviation" | "quantiles" | "histogram" | "top">> {
  const column = quoteName(name);
  const number = MEASURED.test(type) ? `${column}::DOUBLE` : TIMES.test(type) ? `epoch_ms(${column}::TIMESTAMP)::DOUBLE` : undefined;
  const [facts = {}] = await connection.rows(
    number === undefined
      ? `select approx_count_distinct(${column}) as n from ${sample}`
      : `select approx_count_distinct(${column}) as n, avg(x) as mean, stddev_samp(x) as deviation, quantile_cont(x, [${QUANTILES.join(", ")}]) as quantiles, min(x) as low, max(x) as high
         from (select ${column}, case when isfinite(${number}) then ${number} end as x from ${sample})`,
  );
  const top = (await connection.rows(`select left(value::VARCHAR, 200) as value, n from (select ${column} as value, count(*) as n from ${sample} where ${column} is not null group by all) order by n desc, value limit ${TOP_VALUES}`)).map((row) => ({
    value: textOf(row["value"]),
    count: Number(row["n"]),
  }));
  const base = { distinctInSample: Number(facts["n"]), top };
  if (number === undefined || typeof facts["low"] !== "number" || typeof facts["high"] !== "number") return base;
  const histogram = await histogramOf(connection, sample, number, [facts["low"], facts["high"]]);
  if (!MEASURED.test(type)) return { ...base, histogram };
  const quantiles = Object.fromEntries(QUANTILES.map((quantile, index) => [String(quantile), Number((facts["quantiles"] as readonly JsonCell[])[index])]));
  return { ...base, histogram, quantiles, ...(typeof facts["mean"] === "number" ? { mean: facts["mean"] } : {}), ...(typeof facts["deviation"] === "number" ? { standardDeviation: facts["deviation"] } : {}) };
}

async function histogramOf(connection: AnalyticsConnection, sample: string, number: string, [low, high]: readonly [number, number]): Promise<{ edges: number[]; counts: number[] }> {
  const width = (high - low) / BINS;
  if (width === 0) {
    const [row] = await connection.rows(`select count(*) as n from ${sample} where ${number} is not null`);
    return { edges: [low, high], counts: [Number(row?.["n"])] };
  }
  const rows = await connection.rows(`select least(floor((x - ${low}) / ${width}), ${BINS - 1})::INTEGER as bin, count(*) as n from (select ${number} as x from ${sample}) where isfinite(x) group by bin`);
  const counts = Array.from({ length: BINS }, () => 0);
  for (const row of rows) counts[Number(row["bin"])] = Number(row["n"]);
  return { edges: Array.from({ length: BINS + 1 }, (_, index) => (index === BINS ? high : low + index * width)), counts };
}
