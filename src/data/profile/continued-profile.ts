import { digestOf } from "#base";
import type { Analytics, AnalyticsConnection } from "../analytics/analytics.ts";
import { textOf } from "../analytics/rows.ts";
import { quoteName } from "../analytics/sql-text.ts";
import type { AddFile } from "../delta/actions.ts";
import { isCompaction } from "../delta/compaction.ts";
import { readLogEntry } from "../delta/log-entry.ts";
import { relationOf } from "../delta/relation.ts";
import type { TableSnapshot } from "../delta/snapshot.ts";
import { decodePath, fetchFiles, type Table } from "../delta/table.ts";
import { rowCountOf } from "../delta/statistics.ts";
import { addedBins, type ColumnFacts, type Counted, describeColumn, factsOf, joinLengths } from "./column-facts.ts";
import {
  compareExactly,
  countValues,
  type CountedValues,
  distinctOf,
  expandCounted,
  type FetchedValues,
  mergeCounted,
} from "./counted-values.ts";
import { addHash, addRegister, emptySketch, estimateDistinct, registersSql, SKETCH_ERROR } from "./distinct-sketch.ts";
import { fetchColumns, type FetchedHashes, fetchHashes, rowsOf } from "./fetch-values.ts";
import type { MeasuredColumn } from "./measured-column.ts";
import { momentsOf } from "./moments.ts";
import { lookAt, type Looked, measuredColumns, type Profile, SAMPLE_CELLS } from "./profile.ts";
import { type ColumnState, HASHES, type ProfileState, readProfileState, writeProfileState } from "./profile-state.ts";
import { drawRows, drawShares, joinRows, pickRows, randomFrom } from "./row-sample.ts";

/** So many values of a column are kept with their counts; of more, a sketch and a sample. */
const VALUES_KEPT = 4_096;
const SAMPLE_VALUES = 2_000_000;
const [FEWEST_SAMPLE_ROWS, MOST_SAMPLE_ROWS] = [2_048, 8_192];
/** Of more log entries the rows are read all. */
const MOST_ENTRIES = 32;

/**
 * Profile of a table that grows by appends: rows that were added are looked at, and what was found of the others is
 * taken from the profile before. Where rows went, or it cannot be told, all are read.
 */
export async function continueProfile(
  analytics: Analytics,
  snapshot: TableSnapshot,
  rowCount: number,
): Promise<Profile> {
  const connection = await analytics.connect();
  try {
    const [probe] = await connection.rows(`select ${HASHES} as hashes`);
    const of = { columns: measuredColumns(snapshot), rowCount, hashes: textOf(probe?.["hashes"]) };
    const known = await readProfileState(snapshot.table.folder);
    const added = known === undefined ? undefined : await addedFiles(snapshot, known, of);
    await fetchFiles(snapshot.table, (added ?? snapshot.files).values());
    const state =
      (known === undefined || added === undefined
        ? undefined
        : await mergeRows(connection, { ...snapshot, files: added }, { known, ...of })) ??
      (await startAnew(connection, snapshot, of));
    const logDigest = snapshot.logDigest ?? (await digestOfEntry(snapshot.table, snapshot.version)) ?? "";
    await writeProfileState(snapshot.table.folder, { ...state, deltaVersion: snapshot.version, logDigest });
    return {
      format: "profile/2",
      rowCount,
      columns: of.columns.map((column, place) => describeState(column, state, state.columns[place])),
    };
  } finally {
    connection.close();
  }
}

async function startAnew(...start: Parameters<typeof startState>): ReturnType<typeof startState> {
  const [, snapshot] = start;
  await fetchFiles(snapshot.table, snapshot.files.values());
  return startState(...start);
}

async function digestOfEntry(table: Table, version: number): Promise<string | undefined> {
  const entry = await readLogEntry(table, version);
  return entry === undefined ? undefined : digestOf(entry.text);
}

interface Continued {
  readonly columns: readonly MeasuredColumn[];
  readonly rowCount: number;
  readonly hashes: string;
}

/** Files that came since; undefined when more than that happened. */
async function addedFiles(
  snapshot: TableSnapshot,
  known: ProfileState,
  of: Continued,
): Promise<ReadonlyMap<string, AddFile> | undefined> {
  const { table, version } = snapshot;
  if (!isOfTable(known, snapshot) || known.hashes !== of.hashes) return undefined;
  if ((await digestOfEntry(table, known.deltaVersion)) !== known.logDigest) return undefined;
  const files = new Map<string, AddFile>();
  for (let next = known.deltaVersion + 1; next <= version; next++) {
    const { actions = [] } = (await readLogEntry(table, next)) ?? {};
    if (actions.length > 0 && isCompaction(actions)) continue;
    if (actions.length === 0 || actions.some(({ remove }) => remove !== undefined)) return undefined;
    for (const { add } of actions) if (add !== undefined) files.set(decodePath(add.path), add);
  }
  const rows = [...files.values()].reduce((sum, { stats }) => sum + (rowCountOf(stats) ?? Number.NaN), 0);
  return rows === of.rowCount - known.rowCount && rows * of.columns.length <= SAMPLE_CELLS ? files : undefined;
}

function isOfTable(known: ProfileState, { version, columns }: TableSnapshot): boolean {
  const entries = version - known.deltaVersion;
  const isSame = known.columns.every(({ name, type }, place) => {
    const column = columns[place];
    return column?.name === name && column.type === type;
  });
  return isSame && entries >= 0 && entries <= MOST_ENTRIES;
}

type NewState = Pick<ProfileState, "hashes" | "rowCount" | "sampleRows" | "columns">;

/** Reads all rows. */
async function startState(connection: AnalyticsConnection, snapshot: TableSnapshot, of: Continued): Promise<NewState> {
  const looked = of.rowCount === 0 ? of.columns.map(emptyColumn) : await lookAt(connection, snapshot, of);
  const random = randomFrom(of.rowCount);
  const sampleRows = Math.min(sampleSize(of), ...looked.map(({ counted }) => counted.sampleRows ?? of.rowCount));
  const columns: ColumnState[] = [];
  for (const { column, facts, counted } of looked) {
    const { name, type } = column;
    if (counted.sampleRows === undefined && distinctOf(counted.values) <= VALUES_KEPT) {
      columns.push({ name, type, facts, counted: counted.values, many: undefined });
      continue;
    }
    const sample = expandCounted(column, counted.values);
    columns.push({
      name,
      type,
      facts,
      counted: undefined,
      many: {
        sketch: await sketchOf(connection, snapshot, column),
        sample: pickRows(sample, drawRows(sampleRows, sample.rows, random)),
      },
    });
  }
  return { hashes: of.hashes, rowCount: of.rowCount, sampleRows, columns };
}

function emptyColumn(column: MeasuredColumn): Looked {
  const values = countValues(column, {
    numbers: column.number === undefined ? undefined : new Float64Array(0),
    texts: column.number === undefined ? [] : undefined,
    valid: undefined,
    counts: undefined,
    rows: 0,
  });
  return { column, facts: factsOf(column, values), counted: { values, sampleRows: undefined, distinct: undefined } };
}

function sampleSize({ columns, rowCount }: Continued): number {
  const size = Math.floor(SAMPLE_VALUES / Math.max(1, columns.length));
  return Math.min(rowCount, Math.max(FEWEST_SAMPLE_ROWS, Math.min(MOST_SAMPLE_ROWS, size)));
}

async function sketchOf(
  connection: AnalyticsConnection,
  snapshot: TableSnapshot,
  { name, kind }: MeasuredColumn,
): Promise<Uint8Array> {
  const sketch = emptySketch();
  const column = quoteName(name);
  const condition =
    kind === "real" ? `${column} is not null and not isnan(${column}::DOUBLE)` : `${column} is not null`;
  const { values } = await connection.columns(registersSql(column, relationOf(snapshot), condition));
  const [register, rest] = [values["register"], values["rest"]];
  if (register?.kind !== "number" || rest?.kind !== "number") return sketch;
  for (let row = 0; row < register.values.length; row++)
    addRegister(sketch, register.values[row] ?? 0, rest.values[row] ?? 0);
  return sketch;
}

/** Undefined where a column has to be counted in another way than before. */
async function mergeRows(
  connection: AnalyticsConnection,
  added: TableSnapshot,
  of: Continued & { readonly known: ProfileState },
): Promise<NewState | undefined> {
  const { known, columns } = of;
  const rows = of.rowCount - known.rowCount;
  const states = columns.map((column, place) => known.columns[place] ?? missingColumn(column, known.rowCount));
  const relation = rowsOf(added);
  const fetched = new Map<number, FetchedValues>();
  const many = columns.filter(({ place }) => states[place]?.many !== undefined);
  let hashes: ReadonlyMap<number, FetchedHashes> = new Map();
  if (rows > 0) {
    await fetchColumns(connection, relation, {
      columns,
      rowCount: rows,
      isTexted: ({ place }) => isTexted(states[place]),
      seen: (column, values) => fetched.set(column.place, values),
    });
    hashes = await fetchHashes(connection, relation, { columns: many, rowCount: rows });
  }
  const random = randomFrom(of.rowCount);
  const shares = drawShares(sampleSize(of), [known.rowCount, rows], random);
  if (many.length > 0 && shares[0] > known.sampleRows) return undefined;
  const draw = [drawRows(shares[0], known.sampleRows, random), drawRows(shares[1], rows, random)] as const;
  const merged: ColumnState[] = [];
  for (const column of columns) {
    const state = states[column.place];
    if (state === undefined) return undefined;
    const values = fetched.get(column.place);
    const next =
      values === undefined ? state : mergeColumn(column, state, { values, hashes: hashes.get(column.place), draw });
    if (next === undefined) return undefined;
    merged.push(next);
  }
  return { hashes: of.hashes, rowCount: of.rowCount, sampleRows: shares[0] + shares[1], columns: merged };
}

function missingColumn(column: MeasuredColumn, rowCount: number): ColumnState {
  const { facts, counted } = emptyColumn(column);
  return {
    name: column.name,
    type: column.type,
    facts: { ...facts, nullCount: rowCount },
    counted: { ...counted.values, nullCount: rowCount },
    many: undefined,
  };
}

/** Whole numbers beyond 2^53 are known by their texts. */
function isTexted(state: ColumnState | undefined): boolean {
  return state?.facts.low?.text !== undefined;
}

interface AddedValues {
  readonly values: FetchedValues;
  readonly hashes: FetchedHashes | undefined;
  /** Rows of the known and of the added ones that are the sample of both. */
  readonly draw: readonly [readonly number[], readonly number[]];
}

function mergeColumn(column: MeasuredColumn, state: ColumnState, added: AddedValues): ColumnState | undefined {
  const counted = countValues(column, added.values);
  const isEmpty = state.facts.low === undefined;
  if (!isEmpty && counted.numbers.length > 0 && (counted.texts !== undefined) !== isTexted(state)) return undefined;
  const facts = mergeFacts(column, state.facts, counted);
  if (facts === undefined) return undefined;
  const { name, type } = state;
  if (state.counted !== undefined) {
    const both = mergeCounted(column, state.counted, counted);
    return distinctOf(both) > VALUES_KEPT ? undefined : { name, type, facts, counted: both, many: undefined };
  }
  if (state.many === undefined || added.hashes === undefined) return undefined;
  const sketch = state.many.sketch.slice();
  const { high, low } = added.hashes;
  for (let row = 0; row < added.values.rows; row++)
    if (hasValue(added.values, row)) addHash(sketch, high[row] ?? 0, low[row] ?? 0);
  const sample = joinRows(pickRows(state.many.sample, added.draw[0]), pickRows(added.values, added.draw[1]));
  return { name, type, facts, counted: undefined, many: { sketch, sample } };
}

function hasValue({ numbers, texts, valid }: FetchedValues, row: number): boolean {
  if (numbers === undefined) return (texts?.[row] ?? null) !== null;
  return (valid === undefined || valid[row] === 1) && !Number.isNaN(numbers[row]);
}

function mergeFacts(column: MeasuredColumn, known: ColumnFacts, counted: CountedValues): ColumnFacts | undefined {
  const more = factsOf(column, counted);
  const isFirst = known.moments === undefined || known.moments.count === 0;
  const moments = isFirst ? more.moments : momentsOf(counted, known.moments);
  if (column.sense === "number" && moments === undefined) return undefined;
  const least = (left: ColumnFacts["low"], right: ColumnFacts["low"], sign: number): ColumnFacts["low"] =>
    left === undefined || right === undefined
      ? (left ?? right)
      : compareExactly(left, right) * sign <= 0
        ? left
        : right;
  const [low, high] = [least(known.low, more.low, 1), least(known.high, more.high, -1)];
  return {
    nullCount: known.nullCount + more.nullCount,
    nanCount: known.nanCount + more.nanCount,
    positiveInfinityCount: known.positiveInfinityCount + more.positiveInfinityCount,
    negativeInfinityCount: known.negativeInfinityCount + more.negativeInfinityCount,
    finiteCount: known.finiteCount + more.finiteCount,
    low,
    high,
    moments,
    lengths: joinLengths(known.lengths, more.lengths),
    bins: addedBins(column, {
      low,
      high,
      counted,
      known: { low: known.low, bins: known.bins, count: known.finiteCount },
    }),
  };
}

function describeState(
  column: MeasuredColumn,
  { sampleRows, rowCount }: NewState,
  state: ColumnState | undefined,
): Profile["columns"][number] {
  const { facts, counted, many } = state ?? missingColumn(column, rowCount);
  if (many === undefined)
    return describeColumn(column, facts, {
      values: counted ?? emptyColumn(column).counted.values,
      sampleRows: undefined,
      distinct: undefined,
    });
  const found: Counted = {
    values: countValues(column, many.sample),
    sampleRows,
    distinct: {
      count: Math.min(rowCount - facts.nullCount - facts.nanCount, estimateDistinct(many.sketch)),
      error: SKETCH_ERROR,
    },
  };
  return describeColumn(column, facts, found);
}
