import { join } from "node:path";
import { stat } from "node:fs/promises";
import { digestOf, formatQuantity, type Json } from "#base";
import type { Problem } from "#pipeline";
import type { Analytics, AnalyticsConnection } from "../../analytics/analytics.ts";
import { sourceChanged, sourceColumnUnfit, sourceCursorUnfit } from "../../source-errors.ts";
import { deletesMissing, isReplacing } from "../../write-disposition.ts";
import type { IdentifiedFile } from "../capture.ts";
import { isAsCaptured } from "../ledger.ts";
import type { CaptureDeclaration } from "../capture-declaration.ts";
import type { Database, DatabaseColumn } from "./database.ts";
import type { CursorDeclaration, TableDeclaration } from "./database-declaration.ts";
import { lowerBound, type TableCursor, toTableCursor, nextCursor } from "./table-cursor.ts";
import { type Dump, readDump, type ReadDump } from "./read-dump.ts";
import type { OpenSource, Source, SourceContext, SourceReader, SourceReading } from "./source.ts";

/** A table or query of a database, as a source. */
export interface TableSource {
  /** Key below `capture`. */
  readonly name: string;
  /** Where the database is, for people. */
  readonly place: string;
  readonly declaration: TableDeclaration;
  readonly write: CaptureDeclaration["write"];
  readonly analytics: Analytics;
  /** Problems of what is not the same for all databases. */
  readonly problems: () => Promise<readonly Problem[]>;
  readonly connect: (context: SourceContext, signal: AbortSignal) => Promise<Database>;
}

/** Everything that databases have in common: what is new, and where the next run goes on. */
export function createTableSource(table: TableSource): Source {
  const { declaration } = table;
  const description = `${table.place} ${whatOf(declaration)}`;
  return {
    description,
    write: declaration.cursor === undefined ? "replace" : "append",
    async analyse() {
      return { problems: [...tableProblems(table), ...(await table.problems())], fingerprint: undefined };
    },
    async preview({ position }) {
      const { cursor } = declaration;
      if (cursor === undefined) return `${description}: all rows`;
      const last = toTableCursor(await position.cursor());
      return last === undefined
        ? `${description}: all rows${cursor.start === undefined ? "" : ` with ${cursor.column} from ${cursor.start}`}`
        : `${description}: rows with ${cursor.column} from ${last.value}${cursor.lookback === undefined ? "" : ` less ${cursor.lookback}`}`;
    },
    open: (context) => Promise.resolve(openTable(table, description, context)),
  };
}

function whatOf({ table, query }: TableDeclaration): string {
  return table ?? `query ${digestOf(query ?? "").slice(7, 15)}`;
}

function tableProblems({
  name,
  declaration,
  write = declaration.cursor === undefined ? "replace" : "append",
}: TableSource): Problem[] {
  const { table, query, cursor } = declaration;
  const problems: Problem[] = [];
  const add = (path: readonly string[], message: string, hint?: string): void =>
    void problems.push({ path, message, ...(hint === undefined ? {} : { hint }) });
  if ((table === undefined) === (query === undefined))
    add(
      ["capture", name],
      `${name} is given ${table === undefined ? "neither" : "both"} table and query; one of them says what is read`,
    );
  if (cursor === undefined) {
    if (write === "append")
      add(
        ["write"],
        "every run would add all rows of the source again",
        "Use write: replace or { merge: KEY }, or name a cursor, by which only new rows are read.",
      );
    return problems;
  }
  if (write === "replace")
    add(
      ["write"],
      "a run would leave only the rows that are new by the cursor",
      "Use write: append or { merge: KEY }, or take out the cursor.",
    );
  const needsKey = [
    ...(cursor.lookback === undefined ? [] : ["lookback"]),
    ...(cursor.missing === "include" ? ["missing"] : []),
  ];
  if (typeof write !== "object")
    for (const key of needsKey)
      add(
        ["capture", name, "cursor", key],
        "rows that were read before are read again, and would be there twice",
        "Say by what they are the same: write: { merge: KEY }.",
      );
  return problems;
}

function openTable(table: TableSource, description: string, context: SourceContext): OpenSource {
  let database: Database | undefined;
  return {
    async read(reader) {
      const last = await lastCursor(table, description, context);
      database = await table.connect(context, reader.signal);
      return readTable(table, { description, context, reader, database, last });
    },
    close: async () => database?.close(),
  };
}

/** @throws DATA_SOURCE_CHANGED */
async function lastCursor(
  { declaration: { cursor } }: TableSource,
  description: string,
  { position, step }: SourceContext,
): Promise<TableCursor | undefined> {
  if (cursor === undefined) return undefined;
  const saved = await position.cursor();
  const last = toTableCursor(saved);
  if (saved !== undefined && (last === undefined || last.source !== description || last.column !== cursor.column))
    throw sourceChanged({
      dataset: step,
      before: last === undefined ? "another kind of source" : `${last.source} by ${last.column}`,
      now: `${description} by ${cursor.column}`,
    });
  return last;
}

interface TableReading {
  readonly description: string;
  readonly context: SourceContext;
  readonly reader: SourceReader;
  readonly database: Database;
  readonly last: TableCursor | undefined;
}

async function readTable(table: TableSource, reading: TableReading): Promise<SourceReading> {
  const { reader, database, description } = reading;
  const columns = chosenColumns(table.declaration, description, await database.columns());
  const connection = await table.analytics.sandbox({
    files: [],
    folders: [reader.workFolder],
    memoryBytes: MEMORY_BYTES,
  });
  const stopWatching = connection.interruptOn(reader.signal);
  try {
    const { cursor } = table.declaration;
    return cursor === undefined
      ? await readWhole(reading, columns, connection)
      : await readByCursor(reading, columns, { connection, cursor });
  } finally {
    stopWatching();
    connection.close();
  }
}

async function readWhole(
  reading: TableReading,
  columns: readonly DatabaseColumn[],
  connection: AnalyticsConnection,
): Promise<SourceReading> {
  const dump = await dumpRows(reading, columns, undefined);
  const read = await readDump(connection, dump, { by: undefined, seen: undefined });
  const file = await identify(reading.description, dump, read);
  return toReading(reading, { file, rows: read.rows, cursor: undefined, from: "" });
}

async function readByCursor(
  reading: TableReading,
  columns: readonly DatabaseColumn[],
  { connection, cursor }: { readonly connection: AnalyticsConnection; readonly cursor: CursorDeclaration },
): Promise<SourceReading> {
  const { database, description, last, context } = reading;
  const by = cursorColumn(columns, cursor.column, description);
  const from = await lowerBound(connection, { cursor, last, column: by, source: description });
  const takesMissing = cursor.missing !== "exclude";
  const where =
    from !== undefined
      ? whereOf(database, by, { ...from, takesMissing })
      : takesMissing
        ? undefined
        : `${by.quoted} is not null`;
  const dump = await dumpRows(reading, columns, where);
  const seen = from?.isClosed === true ? last : undefined;
  const read = await readDump(connection, dump, { by, seen });
  const next = await nextCursor(connection, {
    ...dump,
    ...read,
    by,
    cursor,
    last,
    write: context.disposition,
    knowsMoments: database.knowsMoments,
  });
  const file = await identify(`${description}${last === undefined ? "" : ` after ${last.value}`}`, dump, read, seen);
  return toReading(reading, {
    file,
    rows: read.rows,
    cursor: next,
    from: from === undefined ? "" : ` with ${by.name} ${from.isClosed ? "from" : "after"} ${from.value}`,
  });
}

async function dumpRows(
  { reader, database, description }: TableReading,
  columns: readonly DatabaseColumn[],
  where: string | undefined,
): Promise<Dump> {
  const path = join(reader.workFolder, "source.csv");
  const dumped = await database.dump(columns, { path, where });
  reader.progress(dumped.rows, undefined, "rows");
  return { path, dumped, columns, target: join(reader.workFolder, "source.parquet"), source: description };
}

/** The same rows as before are nothing new; that there are none any more is, where the dataset is replaced. */
function toReading(
  { context: { position, disposition }, description }: TableReading,
  of: {
    readonly file: IdentifiedFile;
    readonly rows: number;
    readonly cursor: Json | undefined;
    readonly from: string;
  },
): SourceReading {
  const { file, rows, cursor, from } = of;
  const { ledger, latest } = position;
  const isAnew = ledger.some(({ state }) => state === "anew" || state === "again");
  const isWhole = isReplacing(disposition) || deletesMissing(disposition);
  const isNothing =
    latest !== undefined && !isAnew && (isAsCaptured(ledger, file, disposition) || (rows === 0 && !isWhole));
  return {
    files: isNothing ? [] : [file],
    cursor,
    moved: [],
    notes: [`${description}: ${formatQuantity(rows, "row")}${from}`],
    nothingNew: `nothing new in ${description}`,
  };
}

const MEMORY_BYTES = 512 << 20;

function whereOf(
  database: Database,
  by: DatabaseColumn,
  from: { readonly value: string; readonly isClosed: boolean; readonly takesMissing: boolean },
): string {
  const { column, value } = database.compare(by, from.value);
  const condition = `${column} ${from.isClosed ? ">=" : ">"} ${value}`;
  return from.takesMissing ? `(${condition} or ${by.quoted} is null)` : condition;
}

async function identify(
  path: string,
  { target, dumped, columns }: Dump,
  { isText }: ReadDump,
  seen?: TableCursor,
): Promise<IdentifiedFile> {
  const { size, mtimeMs } = await stat(target);
  const types = columns.map(({ name, type }) => ({ name, type }));
  return {
    path,
    absolute: target,
    sizeBytes: size,
    mtimeMs: Math.floor(mtimeMs),
    digest: digestOf(JSON.stringify([dumped.digest, types, seen?.seen ?? []])),
    lineFeeds: undefined,
    supersedes: [],
    format: "parquet",
    ...(isText ? { texts: types } : {}),
  };
}

/** @throws DATA_SOURCE_COLUMN_UNFIT */
export function chosenColumns(
  { columns: wanted, types = {} }: TableDeclaration,
  source: string,
  all: readonly DatabaseColumn[],
): readonly DatabaseColumn[] {
  const names = all.map(({ name }) => name);
  const find = (column: string): DatabaseColumn => {
    const found = all.find(({ name }) => name === column);
    if (found === undefined) throw sourceColumnUnfit({ source, column, problem: "is not there", columns: names });
    return found;
  };
  for (const column of Object.keys(types)) find(column);
  const seen = new Set<string>();
  for (const { name } of all) {
    if (seen.has(name.toLowerCase()))
      throw sourceColumnUnfit({
        source,
        column: name,
        problem: "is there twice: give one another name with AS",
        columns: [],
      });
    seen.add(name.toLowerCase());
  }
  return (wanted === undefined ? all : wanted.map(find)).map((column) => {
    const type = types[column.name];
    if (type === undefined) return column;
    const { name, quoted, select } = column;
    return { name, quoted, select, type };
  });
}

const CURSOR_TYPES = /^(TINYINT|SMALLINT|INTEGER|BIGINT|DECIMAL.*|DATE|TIMESTAMP.*|VARCHAR|DOUBLE)$/;

function cursorColumn(columns: readonly DatabaseColumn[], name: string, source: string): DatabaseColumn {
  const found = columns.find((column) => column.name === name);
  if (found === undefined)
    throw sourceColumnUnfit({
      source,
      column: name,
      problem: "is the cursor and is not there",
      columns: columns.map((column) => column.name),
    });
  if (!CURSOR_TYPES.test(found.type))
    throw sourceCursorUnfit({
      source,
      column: name,
      problem: `its type is ${found.type}`,
      remedy: "Name a column with numbers, days, moments or texts that only grow.",
    });
  return found;
}
