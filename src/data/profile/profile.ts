import type { Analytics, AnalyticsConnection } from "../analytics/analytics.ts";
import type { JsonCell } from "../analytics/rows.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { relationOf } from "../delta/relation.ts";
import type { TableSnapshot } from "../delta/snapshot.ts";
import { type ColumnFacts, type Counted, describeColumn, factsOf } from "./column-facts.ts";
import { countValues } from "./counted-values.ts";
import { fetchColumns, fetchCounts, type RelationOfColumns, rowsOf } from "./fetch-values.ts";
import { measureColumn, type MeasuredColumn } from "./measured-column.ts";
import { scanFacts } from "./scan-facts.ts";

/**
 * A version of no more cells is looked at as a whole; of a larger one a sample of rows gives quantiles and frequent
 * values.
 */
export const SAMPLE_CELLS = 4_000_000;
const [FEWEST_SAMPLE_ROWS, MOST_SAMPLE_ROWS] = [4_096, 32_768];
/** A column with no more values than this is counted value by value. */
const FEW_VALUES = 50_000;

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

export function measuredColumns(snapshot: TableSnapshot): readonly MeasuredColumn[] {
  return snapshot.columns.map(({ name, type }, place) => measureColumn({ name, type }, place));
}

/** Profile of all rows of a table's snapshot, all columns. */
export async function computeProfile(
  analytics: Analytics,
  snapshot: TableSnapshot,
  rowCount: number,
): Promise<Profile> {
  const columns = measuredColumns(snapshot);
  if (rowCount === 0 || columns.length === 0)
    return {
      format: "profile/2",
      rowCount,
      columns: columns.map(({ name, type }) => ({
        name,
        type,
        nullCount: 0,
        distinct: { count: 0, error: 0 },
        top: [],
      })),
    };
  const connection = await analytics.connect();
  try {
    const looked = await lookAt(connection, snapshot, { columns, rowCount });
    return {
      format: "profile/2",
      rowCount,
      columns: looked.map(({ column, facts, counted }) => describeColumn(column, facts, counted)),
    };
  } finally {
    connection.close();
  }
}

/** A column, and what was found of it. */
export interface Looked {
  readonly column: MeasuredColumn;
  readonly facts: ColumnFacts;
  readonly counted: Counted;
}

/** Columns of a version, and its rows. */
export interface Measured {
  readonly columns: readonly MeasuredColumn[];
  readonly rowCount: number;
}

/** Looks at all rows. */
export async function lookAt(
  connection: AnalyticsConnection,
  snapshot: TableSnapshot,
  of: Measured,
): Promise<readonly Looked[]> {
  const sampleRows = Math.min(
    of.rowCount,
    Math.max(FEWEST_SAMPLE_ROWS, Math.min(MOST_SAMPLE_ROWS, Math.floor(SAMPLE_CELLS / of.columns.length))),
  );
  if (sampleRows < of.rowCount) return lookAtSample(connection, snapshot, { ...of, sampleRows });
  const kept = await keepRows(connection, snapshot, of);
  try {
    const looked: Looked[] = [];
    await fetchColumns(connection, kept.relation, {
      ...of,
      seen: (column, fetched) => {
        const values = countValues(column, fetched);
        looked.push({
          column,
          facts: factsOf(column, values),
          counted: { values, sampleRows: undefined, distinct: undefined },
        });
      },
    });
    return looked;
  } finally {
    await kept.drop();
  }
}

const SAMPLE = '"__profile_sample"';

const KEPT = '"__profile_rows"';
/** Every statement opens all files again; the rows of more of them are cheaper to read once and keep. */
const MOST_FILES_READ_AGAIN = 8;

interface KeptRows {
  readonly relation: RelationOfColumns;
  readonly drop: () => Promise<void>;
}

async function keepRows(
  connection: AnalyticsConnection,
  snapshot: TableSnapshot,
  { columns, rowCount }: Measured,
): Promise<KeptRows> {
  if (snapshot.files.size <= MOST_FILES_READ_AGAIN || rowCount * columns.length > SAMPLE_CELLS)
    return { relation: rowsOf(snapshot), drop: async () => {} };
  return keepAs(connection, KEPT, `select ${namesOf(columns)} from ${relationOf(snapshot)}`);
}

async function keepAs(connection: AnalyticsConnection, name: string, select: string): Promise<KeptRows> {
  await connection.run(`create or replace temp table ${name} as ${select}`);
  return { relation: () => name, drop: () => connection.run(`drop table if exists ${name}`) };
}

function namesOf(columns: readonly MeasuredColumn[]): string {
  return columns.map(({ name }) => quoteName(name)).join(", ");
}

interface Sampled extends Measured {
  readonly sampleRows: number;
}

/** Every row has a number that is as good as random; the rows with the smallest ones are the sample. */
function sampleOf(snapshot: TableSnapshot, { columns, sampleRows, rowCount }: Sampled): string {
  const names = namesOf(columns);
  // Foreign tables with partitions have no row numbers here.
  if (snapshot.metadata.partitionColumns.length > 0)
    return `select ${names} from ${relationOf(snapshot)} using sample reservoir(${sampleRows} rows) repeatable (1)`;
  const random = "hash(filename, file_row_number)";
  // More than twice the deviation of a binomial count above the wanted number: the limit then cuts to exactly that.
  const share = (sampleRows + 8 * Math.sqrt(sampleRows)) / rowCount;
  const among = share >= 1 ? "" : ` where ${random} < ${BigInt(Math.floor(share * 2 ** 53)) * 2n ** 11n}`;
  return `select ${names} from ${relationOf(snapshot, ["filename", "file_row_number"])}${among} order by ${random} limit ${sampleRows}`;
}

/** Columns with few values are counted over all rows, the others scanned; which is which, the sample tells. */
async function lookAtSample(
  connection: AnalyticsConnection,
  snapshot: TableSnapshot,
  of: Sampled,
): Promise<readonly Looked[]> {
  const { columns, sampleRows, rowCount } = of;
  const sample = await keepAs(connection, SAMPLE, sampleOf(snapshot, of));
  const seen: { readonly column: MeasuredColumn; readonly counted: Counted; readonly guess: number }[] = [];
  try {
    await fetchColumns(connection, sample.relation, {
      columns,
      rowCount: sampleRows,
      seen: (column, fetched) => {
        const values = countValues(column, fetched);
        const once = values.counts.reduce((sum, count) => sum + (count === 1 ? 1 : 0), 0);
        // Guaranteed-error estimator: what came once in the sample stands for others like it (Charikar et al. 2000).
        const guess = Math.min(rowCount, Math.sqrt(rowCount / sampleRows) * once + values.counts.length - once);
        seen.push({ column, counted: { values, sampleRows, distinct: undefined }, guess });
      },
    });
  } finally {
    await sample.drop();
  }
  const relation = rowsOf(snapshot);
  const looked = new Map<number, Looked>();
  for (const { column, guess } of seen) {
    if (guess > FEW_VALUES) continue;
    const values = countValues(column, await fetchCounts(connection, relation, column));
    looked.set(column.place, {
      column,
      facts: factsOf(column, values),
      counted: { values, sampleRows: undefined, distinct: undefined },
    });
  }
  const many = seen.filter(({ guess }) => guess > FEW_VALUES);
  const scanned = await scanFacts(connection, relationOf(snapshot), many);
  for (const { column, counted } of many) {
    const scan = scanned.get(column.place);
    if (scan !== undefined)
      looked.set(column.place, { column, facts: scan.facts, counted: { ...counted, distinct: scan.distinct } });
  }
  return columns.flatMap(({ place }) => looked.get(place) ?? []);
}
