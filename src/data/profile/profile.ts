import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { type JsonCell, type Row, textOf } from "../analytics/rows.ts";
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
    const described = await describeSample(connection, sample, shown);
    const columns = shown.map((column, index) => ({ name: column.name, type: column.type, ...(exact.get(column.name) ?? { nullCount: 0 }), ...described.columns[index] }) as ColumnProfile);
    return { format: "profile/1", rowCount, sampleRows: described.rowCount, columns };
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

type SampleFacts = Pick<ColumnProfile, "distinctInSample" | "mean" | "standardDeviation" | "quantiles" | "histogram" | "top">;

/** All columns in three queries: what each holds, its most frequent values, its histogram. */
async function describeSample(connection: AnalyticsConnection, sample: string, columns: readonly Column[]): Promise<{ readonly rowCount: number; readonly columns: readonly SampleFacts[] }> {
  const measures = columns.map(({ name, type }) => measureOf(quoteName(name), type));
  const facts = columns.flatMap(({ name }, index) => {
    const [column, x] = [quoteName(name), measures[index]];
    const distinct = `approx_count_distinct(${column}) as n${index}`;
    return x === undefined ? [distinct] : [distinct, `avg(${x}) as mean${index}`, `stddev_samp(${x}) as deviation${index}`, `quantile_cont(${x}, [${QUANTILES.join(", ")}]) as quantiles${index}`, `min(${x}) as low${index}`, `max(${x}) as high${index}`];
  });
  const [row = {}] = await connection.rows(`select count(*) as row_count, ${facts.join(", ")} from ${sample}`);
  const top = await topValues(connection, sample, columns);
  const bounds = columns.flatMap((_, index) => {
    const [x, low, high] = [measures[index], row[`low${index}`], row[`high${index}`]];
    return x === undefined || typeof low !== "number" || typeof high !== "number" ? [] : [{ index, x, low, high }];
  });
  const histograms = await histogramsOf(connection, sample, bounds);
  return {
    rowCount: Number(row["row_count"]),
    columns: columns.map(({ type }, index): SampleFacts => {
      const base = { distinctInSample: Number(row[`n${index}`]), top: top.get(index) ?? [] };
      const histogram = histograms.get(index);
      if (histogram === undefined) return base;
      if (!MEASURED.test(type)) return { ...base, histogram };
      const [mean, deviation] = [row[`mean${index}`], row[`deviation${index}`]];
      const quantiles = Object.fromEntries(QUANTILES.map((quantile, place) => [String(quantile), Number((row[`quantiles${index}`] as readonly JsonCell[])[place])]));
      return { ...base, histogram, quantiles, ...(typeof mean === "number" ? { mean } : {}), ...(typeof deviation === "number" ? { standardDeviation: deviation } : {}) };
    }),
  };
}

/** SQL of a column's finite values as numbers; undefined for what cannot be measured. */
function measureOf(column: string, type: string): string | undefined {
  const number = MEASURED.test(type) ? `${column}::DOUBLE` : TIMES.test(type) ? `epoch_ms(${column}::TIMESTAMP)::DOUBLE` : undefined;
  return number === undefined ? undefined : `(case when isfinite(${number}) then ${number} end)`;
}

async function topValues(connection: AnalyticsConnection, sample: string, columns: readonly Column[]): Promise<ReadonlyMap<number, ColumnProfile["top"]>> {
  const selects = columns.map(({ name }, index) => `(select ${index} as place, left(value::VARCHAR, 200) as value, n from (select ${quoteName(name)} as value, count(*) as n from ${sample} where ${quoteName(name)} is not null group by all) order by n desc, value limit ${TOP_VALUES})`);
  const rows = await connection.rows(`select * from (${selects.join(" union all ")}) order by place, n desc, value`);
  return grouped(rows, (row) => ({ value: textOf(row["value"]), count: Number(row["n"]) }));
}

interface Bounded {
  readonly index: number;
  /** SQL of the value. */
  readonly x: string;
  readonly low: number;
  readonly high: number;
}

async function histogramsOf(connection: AnalyticsConnection, sample: string, columns: readonly Bounded[]): Promise<ReadonlyMap<number, { readonly edges: number[]; readonly counts: number[] }>> {
  if (columns.length === 0) return new Map();
  const binOf = ({ x, low, high }: Bounded): string => (high === low ? `case when ${x} is not null then 0 end` : `least(floor((${x} - ${low}) / ${(high - low) / BINS}), ${BINS - 1})::INTEGER`);
  const selects = columns.map((column) => `select ${column.index} as place, ${binOf(column)} as bin, count(*) as n from ${sample} group by bin`);
  const rows = grouped(await connection.rows(`select * from (${selects.join(" union all ")}) where bin is not null`), (row) => ({ bin: Number(row["bin"]), count: Number(row["n"]) }));
  return new Map(
    columns.map(({ index, low, high }) => {
      const bins = high === low ? 1 : BINS;
      const counts = Array.from({ length: bins }, () => 0);
      for (const { bin, count } of rows.get(index) ?? []) counts[bin] = count;
      const width = (high - low) / bins;
      return [index, { edges: Array.from({ length: bins + 1 }, (_, edge) => (edge === bins ? high : low + edge * width)), counts }];
    }),
  );
}

function grouped<Value>(rows: readonly Row[], read: (row: Row) => Value): ReadonlyMap<number, Value[]> {
  const groups = new Map<number, Value[]>();
  for (const row of rows) groups.set(Number(row["place"]), [...(groups.get(Number(row["place"])) ?? []), read(row)]);
  return groups;
}
