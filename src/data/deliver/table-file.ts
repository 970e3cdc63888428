import { rename, rm, stat } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { isEsteiraError, messageOf, newId } from "#base";
import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { quotePath, quoteText } from "../analytics/sql-text.ts";
import { tableFileUnreadable, tableFileUnwritable } from "../errors.ts";

/** A file as a table. */
export interface TableFile {
  /** For messages. */
  readonly title: string;
  readonly columns: readonly Column[];
  /** For the FROM clause. */
  readonly relation: string;
}

/** What a file is read with, by the end of its name. Names of hive partitions are no columns of ours. */
const READERS: readonly { readonly end: RegExp; readonly read: (path: string, texts: string) => string }[] = [
  { end: /\.parquet$/i, read: (path) => `read_parquet(${path}, hive_partitioning = false)` },
  { end: /\.csv(\.gz)?$/i, read: (path, texts) => `read_csv(${path}, hive_partitioning = false${texts})` },
  {
    end: /\.tsv(\.gz)?$/i,
    read: (path, texts) => `read_csv(${path}, delim = '\t', hive_partitioning = false${texts})`,
  },
  { end: /\.(ndjson|jsonl)(\.gz)?$/i, read: (path) => `read_ndjson(${path}, hive_partitioning = false)` },
  { end: /\.json(\.gz)?$/i, read: (path) => `read_json(${path}, hive_partitioning = false)` },
];

/** How a file is written, by the end of its name. */
const WRITERS: readonly { readonly end: RegExp; readonly options: string }[] = [
  { end: /\.parquet$/i, options: "format parquet, compression zstd" },
  { end: /\.csv$/i, options: "format csv, header" },
  { end: /\.(ndjson|jsonl)$/i, options: "format json" },
];

/** True of what is named like a file of a form that is read. */
export function isTableFile(name: string): boolean {
  return READERS.some(({ end }) => end.test(name));
}

/**
 * Opens a file. Of CSV nothing is guessed: columns are texts, unless `csvTypes` says otherwise.
 *
 * @param path absolute
 * @param csvTypes DuckDB's types of columns of a CSV file, by their names
 * @throws DATA_TABLE_FILE_UNREADABLE
 */
export async function openTableFile(
  connection: AnalyticsConnection,
  path: string,
  csvTypes: ReadonlyMap<string, string> = new Map(),
): Promise<TableFile> {
  const title = basename(path);
  const facts = await stat(path).catch(() => undefined);
  if (facts?.isFile() !== true)
    throw tableFileUnreadable({ file: path, problem: facts === undefined ? "it is not there" : "it is no file" });
  const reader = READERS.find(({ end }) => end.test(path));
  if (reader === undefined) throw tableFileUnreadable({ file: path, problem: "its name does not say what is in it" });
  const quoted = quotePath(path);
  return reading(title, async () => {
    const found = await connection.describe(`select * from ${reader.read(quoted, ", all_varchar = true")}`);
    const types = found.map(({ name }) => `${quoteText(name)}: ${quoteText(csvTypes.get(name) ?? "VARCHAR")}`);
    const relation = reader.read(quoted, `, types = {${types.join(", ")}}`);
    return { title, relation, columns: await connection.describe(`select * from ${relation}`) };
  });
}

/** Runs what reads a file, and tells its failure without the SQL. @throws DATA_TABLE_FILE_UNREADABLE */
export async function reading<Result>(file: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    const problem = String(error.context["reason"]).split("\n").slice(0, 3).join(" ").slice(0, 500);
    throw tableFileUnreadable({ file, problem, advice: "Correct the value that the message names." }, error);
  }
}

/**
 * Whether a file can be written there, before anything is computed.
 *
 * @param out absolute
 * @param source a file that must stay as it is
 * @throws DATA_TABLE_FILE_UNWRITABLE
 */
export async function checkTableFile(out: string, source?: string): Promise<void> {
  const refuse = (problem: string): Error => tableFileUnwritable({ path: out, problem });
  if (!WRITERS.some(({ end }) => end.test(out))) throw refuse("the end of its name says no form that can be written");
  if (source !== undefined && resolve(source) === resolve(out)) throw refuse("it is the file with the data");
  const folder = await stat(dirname(out)).catch(() => undefined);
  if (folder?.isDirectory() !== true) throw refuse(`the folder ${dirname(out)} is not there`);
  if ((await stat(out).catch(() => undefined))?.isDirectory() === true) throw refuse("it is a folder");
}

/**
 * Writes the rows of a SELECT beside the place first: whoever reads the file meanwhile finds what was there, or all.
 *
 * @throws DATA_TABLE_FILE_UNWRITABLE, DATA_QUERY_CANCELLED
 */
export async function writeTableFile(connection: AnalyticsConnection, select: string, out: string): Promise<void> {
  const options = WRITERS.find(({ end }) => end.test(out))?.options ?? "";
  const part = `${out}.${newId()}.part`;
  try {
    await connection.run(`copy (${select}) to ${quoteText(part)} (${options})`);
    await rename(part, out);
  } catch (error) {
    await rm(part, { force: true });
    if (isEsteiraError(error, "DATA_QUERY_CANCELLED")) throw error;
    throw tableFileUnwritable({ path: out, problem: messageOf(error) }, error);
  }
}
