import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { canonicalJson, digestOfJson, type Json } from "#base";
import type { Observation } from "#pipeline";
import { type DatabaseDependencies, openDatabase } from "../capture/sources/database-sources.ts";
import type {
  MysqlDeclaration,
  PostgresDeclaration,
  SqliteDeclaration,
} from "../capture/sources/database-declaration.ts";
import { sensorTooMany } from "../source-errors.ts";
import { queryDatasets, type SqlSessionDependencies } from "../query/sql-session.ts";

const MOST_ROWS = 1000;
const ROWS_TOLD = 100;

type Named<Declaration> = Omit<Declaration, "table" | "query" | "columns" | "cursor" | "types">;

/** One of them. */
export interface RowsFrom {
  readonly postgres?: Named<PostgresDeclaration> | undefined;
  readonly mysql?: Named<MysqlDeclaration> | undefined;
  readonly sqlite?: Named<SqliteDeclaration> | undefined;
}

type Row = Readonly<Record<string, Json>>;

/**
 * The rows that a query gives now: of a database, values as text, or of the project's datasets.
 *
 * @throws DATA_SENSOR_TOO_MANY, and what tells that the query cannot be answered
 */
export async function lookAtRows(
  { sql, from }: { readonly sql: string; readonly from: RowsFrom | undefined },
  dependencies: SqlSessionDependencies & { readonly project: string; readonly projectFolder: string },
  of: {
    readonly databases: Omit<DatabaseDependencies, "analytics">;
    /** Absolute, for what is read. */
    readonly folder: string;
    readonly signal: AbortSignal;
  },
): Promise<Observation> {
  const { signal } = of;
  const rows =
    from === undefined
      ? await datasetRows(dependencies, sql, signal)
      : await databaseRows({ sql, from }, { ...of, projectFolder: dependencies.projectFolder });
  if (rows.length > MOST_ROWS) throw sensorTooMany({ what: "rows", count: rows.length, most: MOST_ROWS, at: sql });
  const texts = rows.map((row) => canonicalJson(row)).toSorted();
  return { kind: "rows", digest: digestOfJson(texts), count: rows.length, rows: rows.slice(0, ROWS_TOLD) };
}

async function datasetRows(
  dependencies: SqlSessionDependencies & { readonly project: string },
  sql: string,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const { project } = dependencies;
  const { rows } = await queryDatasets(dependencies, { project, sql, limit: MOST_ROWS + 1, signal });
  // Dates and big numbers become the texts that they are shown as.
  return rows.map((row): Row => JSON.parse(JSON.stringify(row)));
}

async function databaseRows(
  { sql, from }: { readonly sql: string; readonly from: RowsFrom },
  of: {
    readonly databases: Omit<DatabaseDependencies, "analytics">;
    readonly folder: string;
    readonly projectFolder: string;
    readonly signal: AbortSignal;
  },
): Promise<readonly Row[]> {
  const query = `select * from (\n${sql.trim().replace(/;\s*$/, "")}\n) as sensed limit ${MOST_ROWS + 1}`;
  const { postgres, mysql, sqlite } = from;
  const database = await openDatabase(
    {
      ...(postgres === undefined ? {} : { postgres: { ...postgres, query } }),
      ...(mysql === undefined ? {} : { mysql: { ...mysql, query } }),
      ...(sqlite === undefined ? {} : { sqlite: { ...sqlite, query } }),
    },
    of.databases,
    of,
  );
  try {
    const columns = await database.columns();
    const path = join(of.folder, "rows.csv");
    await database.dump(columns, { path, where: undefined });
    const names = columns.map(({ name }) => name);
    return parseRows(await readFile(path, "utf8")).map((values) =>
      Object.fromEntries(names.map((name, index) => [name, values[index] ?? null])),
    );
  } finally {
    await database.close();
  }
}

/** Rows as a database dumps them: CSV without a header, an absent value empty and not quoted. */
export function parseRows(text: string): readonly (readonly (string | null)[])[] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  for (const [, quoted, plain = "", end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    if (end === "" && row.length === 0 && quoted === undefined && plain === "") break;
    row.push(quoted === undefined ? (plain === "" ? null : plain) : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    rows.push(row);
    row = [];
    if (end === "") break;
  }
  return rows;
}
