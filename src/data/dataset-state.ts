import { type Digest, digestOfJson } from "#base";
import type { AnalyticsConnection, Column } from "./analytics/analytics.ts";
import { quoteName, quoteText } from "./analytics/sql-text.ts";
import type {
  DatasetSlices,
  GoneKeys,
  HistoryDisposition,
  MergeDisposition,
  MergedKeys,
  WholeSource,
  WriteDisposition,
} from "./dataset.ts";
import type { AddFile } from "./delta/actions.ts";
import { digestFile, writeDataFile } from "./delta/data-file.ts";
import { filesRelation } from "./delta/relation.ts";
import type { TableSnapshot } from "./delta/snapshot.ts";
import { absolutePath, DIGEST_TAG, fetchFiles, type Table } from "./delta/table.ts";
import { rowCountOf } from "./delta/statistics.ts";
import { intervalTimeMissing, sourceRowsUnknown } from "./errors.ts";
import { historyState } from "./history-state.ts";
import { assertKeyPresent, assertKeyUnique } from "./merge-source.ts";
import { mergedState } from "./merged-state.ts";
import { alignSelect, evolveColumns } from "./row-alignment.ts";
import { isHistory, isKeyed, neededColumns } from "./write-disposition.ts";
import { isWhollyKnown, type RowSources, splitRowSources, sumOf, unknownSources } from "./row-sources.ts";
import { textOf } from "./analytics/rows.ts";

/** What a dataset holds: columns and live files. A write computes the next state from the one before. */
export interface DatasetState {
  readonly columns: readonly Column[];
  readonly files: readonly AddFile[];
}

/** What a write needs to compute the next state. */
export interface StateChange {
  readonly connection: AnalyticsConnection;
  readonly table: Table;
  readonly asset: string;
  readonly disposition: WriteDisposition;
  /** New rows in stored types. */
  readonly select: string;
  readonly columns: readonly Column[];
  readonly atMs: number;
  /** Sources whose rows go, with an append: in the same change that brings the new ones. */
  readonly supersedes?: Superseding | undefined;
  /** Spans of time that the new rows fill. */
  readonly slices?: DatasetSlices | undefined;
  /** What is known of new rows that are all that their source has. */
  readonly whole?: WholeSource | undefined;
  readonly gone?: GoneKeys | undefined;
  /** For people. */
  readonly log?: ((text: string) => void) | undefined;
}

export interface Superseding {
  readonly sources: readonly SupersededSource[];
  readonly sourcesOf: (file: AddFile) => RowSources | undefined;
}

/** A source whose rows go, and how many it brought, as far as is known. */
export interface SupersededSource {
  readonly key: string;
  readonly path: string;
  readonly rows: number;
}

/** The next state, and how many rows the write brought. */
export interface NextState extends DatasetState {
  readonly rowCount: number;
  /** Rows of these that later ones of the same write replaced; default 0. */
  readonly overtaken?: number;
  /** Files written for it; orphans when the commit fails. */
  readonly written: readonly AddFile[];
  /** Sources of the rows that were there before and stand first in the written file. */
  readonly kept: RowSources;
  /** Rows that were taken out because their source was superseded. */
  readonly superseded: number;
  /** New rows of no slice. */
  readonly outside?: number;
  /** What a merge did. */
  readonly merged?: MergedKeys;
}

/** @throws DATA_SCHEMA_CONFLICT, DATA_MERGE_KEY_INVALID, DATA_QUERY_FAILED, DATA_STORAGE_FAILED */
export async function nextState(before: DatasetState, change: StateChange): Promise<NextState> {
  if (change.slices !== undefined)
    return slicedState(change.disposition === "replace" ? { columns: [], files: [] } : before, change, change.slices);
  if (change.disposition === "replace") {
    const part = await writeDataFile(change.connection, change.table, change, change.atMs);
    return { columns: change.columns, files: part === undefined ? [] : [part.add], ...onlyNew(part) };
  }
  if (isKeyed(change.disposition))
    return keyedState(
      change.disposition.anew === true ? { columns: [], files: [] } : before,
      change,
      change.disposition,
    );
  const columns = before.columns.length === 0 ? change.columns : evolveColumns(before.columns, change);
  const select = alignSelect(change.select, change.columns, columns);
  if (change.supersedes !== undefined)
    return supersededState(before, { ...change, select, columns }, change.supersedes);
  const part = await writeDataFile(change.connection, change.table, { select, columns }, change.atMs);
  return { columns, files: part === undefined ? before.files : [...before.files, part.add], ...onlyNew(part) };
}

async function keyedState(
  before: DatasetState,
  change: StateChange,
  disposition: MergeDisposition | HistoryDisposition,
): Promise<NextState> {
  assertKeyPresent(neededColumns(disposition), change);
  if (isHistory(disposition)) return historyState(before, change, disposition);
  const columns = before.columns.length === 0 ? change.columns : evolveColumns(before.columns, change);
  const aligned = { ...change, columns, select: alignSelect(change.select, change.columns, columns) };
  const { duplicates, updated_at: time, delete_when: condition } = disposition;
  if (before.files.length > 0 || duplicates !== undefined || time !== undefined || condition !== undefined)
    return mergedState(before, aligned, disposition);
  await assertKeyUnique(change.connection, `(${aligned.select})`, disposition.merge, change.asset);
  const part = await writeDataFile(change.connection, change.table, aligned, change.atMs);
  const merged = { added: part?.rowCount ?? 0, changed: 0, deleted: 0, unchanged: 0 };
  return { columns, files: part === undefined ? [] : [part.add], ...onlyNew(part), merged };
}

type WrittenPart = Awaited<ReturnType<typeof writeDataFile>>;

function onlyNew(part: WrittenPart): Pick<NextState, "rowCount" | "written" | "kept" | "superseded"> {
  return { rowCount: part?.rowCount ?? 0, written: part === undefined ? [] : [part.add], kept: [], superseded: 0 };
}

/**
 * Copy-on-write: data files that hold rows of the superseded sources are written again without them, with the new rows
 * behind.
 */
async function supersededState(
  before: DatasetState,
  change: StateChange,
  { sources, sourcesOf }: Superseding,
): Promise<NextState> {
  const gone = new Set(sources.map(({ key }) => key));
  const split = new Map(
    before.files.map((file) => [
      file,
      splitRowSources(sourcesOf(file) ?? unknownSources(rowCountOf(file.stats) ?? 0), gone),
    ]),
  );
  const superseded = [...split.values()].reduce(
    (sum, { ranges }) => sum + ranges.reduce((rows, [first, last]) => rows + last - first + 1, 0),
    0,
  );
  if (!before.files.every((file) => isWhollyKnown(sourcesOf(file)))) assertAllFound(change, { sources, superseded });
  const touched = before.files.filter((file) => split.get(file)?.ranges.length !== 0);
  await fetchFiles(change.table, touched);
  const selects = touched.flatMap((file) => {
    const { ranges = [], kept = [] } = split.get(file) ?? {};
    if (kept.length === 0) return [];
    const columns = change.columns.map(({ name }) => quoteName(name)).join(", ");
    const out = ranges.map(([first, last]) => `file_row_number between ${first} and ${last}`).join(" or ");
    return [
      `select ${columns} from ${filesRelation([absolutePath(change.table, file.path)], change.columns, ["file_row_number"])} where not (${out})`,
    ];
  });
  const part = await writeDataFile(
    change.connection,
    change.table,
    { select: [...selects, `select * from (${change.select})`].join(" union all "), columns: change.columns },
    change.atMs,
  );
  const kept = touched.flatMap((file) => split.get(file)?.kept ?? []);
  const untouched = before.files.filter((file) => !touched.includes(file));
  const written = part === undefined ? [] : [part.add];
  return {
    columns: change.columns,
    files: [...untouched, ...written],
    rowCount: (part?.rowCount ?? 0) - sumOf(kept),
    written,
    kept,
    superseded,
  };
}

/**
 * Where some rows have no known source, those to take out must all be among the known ones: else some would stay, and
 * stand there twice.
 */
function assertAllFound(
  change: StateChange,
  found: { readonly sources: readonly SupersededSource[]; readonly superseded: number },
): void {
  const expected = found.sources.reduce((sum, { rows }) => sum + rows, 0);
  if (found.superseded < expected)
    throw sourceRowsUnknown({
      dataset: change.asset,
      paths: [...new Set(found.sources.map(({ path }) => path))],
      expected,
      found: found.superseded,
    });
}

const SOURCE = '"__esteira_slices_source"';

/** Rows of the slices go, and the new rows of the slices come; data files without rows of them stay as they are. */
async function slicedState(before: DatasetState, change: StateChange, slices: DatasetSlices): Promise<NextState> {
  const { connection, table, atMs } = change;
  const columns = before.columns.length === 0 ? change.columns : evolveColumns(before.columns, change);
  assertSliceColumns(change, columns, slices);
  await connection.run(
    `create or replace temp table ${SOURCE} as ${alignSelect(change.select, change.columns, columns)}`,
  );
  try {
    const isIn = inSlices(columns, slices, slices.spans);
    const outside = await countOutside(change, slices, isIn);
    await fetchFiles(table, before.files);
    const paths = new Map(before.files.map((file) => [absolutePath(table, file.path), file]));
    const isOut = inSlices(columns, slices, [...slices.spans, ...slices.emptied]);
    const touchedRows =
      paths.size === 0
        ? []
        : await connection.rows(
            `select distinct filename as path from ${filesRelation([...paths.keys()], columns, ["filename"])} where ${isOut}`,
          );
    const touched = new Set(touchedRows.map((row) => textOf(row["path"])));
    const added = await writeDataFile(
      connection,
      table,
      { select: `select * from ${SOURCE} where ${isIn}`, columns },
      atMs,
    );
    const kept =
      touched.size === 0
        ? undefined
        : await writeDataFile(
            connection,
            table,
            {
              select: `select * from ${filesRelation([...touched], columns)} where (${isOut}) is not true`,
              columns,
            },
            atMs,
          );
    const untouched = [...paths].flatMap(([path, file]) => (touched.has(path) ? [] : [file]));
    const written = [added, kept].flatMap((part) => (part === undefined ? [] : [part.add]));
    const rowsOf = (files: Iterable<AddFile>): number =>
      [...files].reduce((sum, file) => sum + (rowCountOf(file.stats) ?? 0), 0);
    const gone = [...paths].flatMap(([path, file]) => (touched.has(path) ? [file] : []));
    return {
      columns,
      // The same rows once more: their place among the files is no difference.
      files:
        isSameFile(gone, added, kept) && columns === before.columns
          ? before.files
          : [...untouched, ...(kept === undefined ? [] : [kept.add]), ...(added === undefined ? [] : [added.add])],
      rowCount: added?.rowCount ?? 0,
      written,
      kept: [],
      superseded: rowsOf(gone) - (kept?.rowCount ?? 0),
      outside,
    };
  } finally {
    await connection.run(`drop table if exists ${SOURCE}`);
  }
}

/** How many new rows are of no slice. @throws DATA_INTERVAL_TIME_MISSING */
async function countOutside(
  { connection, asset }: StateChange,
  { column }: DatasetSlices,
  isIn: string,
): Promise<number> {
  const isEmpty = column === undefined ? "false" : `${quoteName(column)} is null`;
  const [counts] = await connection.rows(
    `select count(*) filter (where ${isEmpty}) as empty, count(*) filter (where (${isIn}) is not true) as outside from ${SOURCE}`,
  );
  const empty = Number(counts?.["empty"]);
  if (empty > 0) throw intervalTimeMissing({ dataset: asset, column: column ?? "", rows: empty });
  return Number(counts?.["outside"]);
}

/** One file goes, and one with the same bytes comes. */
function isSameFile(gone: readonly AddFile[], added: WrittenPart, kept: WrittenPart): boolean {
  const [file, ...others] = gone;
  const digest = file?.tags?.[DIGEST_TAG];
  return kept === undefined && others.length === 0 && digest !== undefined && digest === added?.add.tags?.[DIGEST_TAG];
}

/** @throws DATA_MERGE_KEY_INVALID when a column that tells the slices apart is not there */
function assertSliceColumns(change: StateChange, columns: readonly Column[], { column, key }: DatasetSlices): void {
  const known = new Set(columns.map(({ name }) => name.toLowerCase()));
  for (const name of [column, key?.column])
    if (name !== undefined && !known.has(name.toLowerCase())) assertKeyPresent([name], { ...change, columns });
}

/** SQL: a row is of one of the spans, and of the key. */
function inSlices(
  columns: readonly Column[],
  { column, dates, key }: DatasetSlices,
  spans: DatasetSlices["spans"],
): string {
  const conditions: string[] = [];
  const type = columns.find(({ name }) => name.toLowerCase() === column?.toLowerCase())?.type;
  if (column !== undefined)
    conditions.push(
      dates !== undefined && type === "DATE" ? inDates(quoteName(column), dates) : inSpans(quoteName(column), spans),
    );
  if (key !== undefined) conditions.push(`CAST(${quoteName(key.column)} AS VARCHAR) = ${quoteText(key.value)}`);
  return conditions.length === 0 ? "false" : conditions.map((condition) => `(${condition})`).join(" and ");
}

function inDates(column: string, dates: NonNullable<DatasetSlices["dates"]>): string {
  return dates
    .map(([from, to]) => `${column} >= DATE ${quoteText(from)} and ${column} < DATE ${quoteText(to)}`)
    .join(" or ");
}

/** SQL: a moment of the column lies in one of the spans. */
function inSpans(column: string, spans: DatasetSlices["spans"]): string {
  const moment = (ms: number): string => `TIMESTAMPTZ ${quoteText(new Date(ms).toISOString())}`;
  if (spans.length === 0) return "false";
  return spans.map(([from, to]) => `${column} >= ${moment(from)} and ${column} < ${moment(to)}`).join(" or ");
}

const foreignDigests = new WeakMap<AddFile, Promise<Digest>>();

/** Digest of a state: equal columns and equal data files in equal order give equal digests. */
export async function digestOfState(table: Table, state: DatasetState): Promise<Digest> {
  const files = await Promise.all(state.files.map(async (file) => fileDigest(table, file)));
  return digestOfJson({ format: "delta/1", columns: state.columns.map(({ name, type }) => ({ name, type })), files });
}

/** Other writers' files carry no digest: they are read once. */
function fileDigest(table: Table, file: AddFile): Promise<Digest> | string {
  const tagged = file.tags?.[DIGEST_TAG];
  if (tagged !== undefined) return tagged;
  const known = foreignDigests.get(file) ?? digestForeign(table, file);
  foreignDigests.set(file, known);
  return known;
}

async function digestForeign(table: Table, file: AddFile): Promise<Digest> {
  await fetchFiles(table, [file]);
  return digestFile(absolutePath(table, file.path));
}

/** What must be added to and removed from a snapshot's files to get the state. */
export function differenceOf(
  snapshot: TableSnapshot,
  state: DatasetState,
): { readonly adds: readonly AddFile[]; readonly removes: readonly AddFile[] } {
  const live = new Map([...snapshot.files.values()].map((file) => [file.path, file]));
  const wanted = new Set(state.files.map((file) => file.path));
  return {
    adds: state.files.filter((file) => !live.has(file.path)),
    removes: [...live.values()].filter((file) => !wanted.has(file.path)),
  };
}
