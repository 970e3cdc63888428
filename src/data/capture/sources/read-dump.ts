import { isEsteiraError } from "#base";
import type { AnalyticsConnection } from "../../analytics/analytics.ts";
import { quoteList, quoteName, quotePath, quoteText } from "../../analytics/sql-text.ts";
import { rowsLost } from "../../errors.ts";
import { lineLimits } from "../formats/csv.ts";
import type { DatabaseColumn, Dumped } from "./database.ts";
import type { TableCursor } from "./table-cursor.ts";

/** Rows of a database as they were dumped. */
export interface Dump {
  readonly path: string;
  readonly dumped: Dumped;
  readonly columns: readonly DatabaseColumn[];
  /** Parquet file that they become. */
  readonly target: string;
  readonly source: string;
}

export interface ReadDump {
  readonly rows: number;
  /** Some value is not of its column's type: all are texts, so that each is looked at by itself. */
  readonly isText: boolean;
}

/**
 * Makes a Parquet file of a dump: typed where every value is of its column's type, else of texts.
 *
 * @param seen rows that were read before are left out
 */
export async function readDump(
  connection: AnalyticsConnection,
  dump: Dump,
  { by, seen }: { readonly by: DatabaseColumn | undefined; readonly seen: TableCursor | undefined },
): Promise<ReadDump> {
  const left = by === undefined || seen === undefined ? "" : ` where ${notSeen(dump, by, seen)}`;
  const isText = !(await writeParquet(connection, dump, { left, isText: false }));
  if (isText) await writeParquet(connection, dump, { left, isText });
  const [written] = await connection.rows(`select num_rows as n from parquet_file_metadata(${quotePath(dump.target)})`);
  const rows = Number(written?.["n"]);
  const found = left === "" ? rows : await countRows(connection, dump);
  if (found !== dump.dumped.rows)
    throw rowsLost({ dataset: dump.source, read: dump.dumped.rows, published: found, quarantined: 0 });
  return { rows, isText };
}

async function countRows(connection: AnalyticsConnection, dump: Dump): Promise<number> {
  const [counted] = await connection.rows(`select count(*) as n from ${dumpRelation(dump)}`);
  return Number(counted?.["n"]);
}

/** SQL of the dumped rows: texts `c0`, `c1`, … */
export function dumpRelation({ path, dumped, columns }: Dump): string {
  const names = [...(columns.length === 1 ? ["lead"] : []), ...columns.map((_, index) => `c${index}`)];
  return `read_csv(${quotePath(path)}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', nullstr = ${quoteList([""])}, allow_quoted_nulls = false, new_line = '\\n',
    ${lineLimits([{ path, sizeBytes: dumped.sizeBytes }])}, parallel = ${dumped.isByLine}, columns = {${names.map((name) => `'${name}': 'VARCHAR'`).join(", ")}})`;
}

/** SQL of the digest of a row, of these of its columns: the same for the same texts. */
export function rowDigest(columns: readonly DatabaseColumn[], names: readonly string[]): string | undefined {
  const places = names.map((name) => columns.findIndex((column) => column.name === name));
  return places.includes(-1)
    ? undefined
    : `left(md5(to_json([${places.map((place) => `c${place}`).join(", ")}])::VARCHAR), 16)`;
}

function notSeen({ columns }: Dump, by: DatabaseColumn, seen: TableCursor): string {
  const column = `c${columns.indexOf(by)}`;
  const isLast = `${column} is not null and ${typedValue(by, column)} = ${typedValue(by, quoteText(seen.value))}`;
  const digest = rowDigest(columns, seen.columns);
  const isSeen = digest === undefined ? "true" : `${digest} in (${seen.seen.map(quoteText).join(", ")})`;
  return seen.seen.length === 0 ? "true" : `case when ${isLast} then not (${isSeen}) else true end`;
}

/** SQL of a dumped text as its column's type; fails where it is none. */
export function typedValue({ type, read }: DatabaseColumn, text: string): string {
  if (read !== undefined) return read(text);
  if (type === "VARCHAR") return text;
  const cast = `cast(${text} as ${type})`;
  // Tables have no place for what never ends, nor for digits that the type would cut off.
  if (/^(DATE|TIMESTAMP)/.test(type))
    return `case when not isfinite(${cast}) then error('not finite') else ${cast} end`;
  const scale = /^DECIMAL\(\d+,\s*(\d+)\)$/.exec(type)?.[1];
  return scale === undefined
    ? cast
    : `case when regexp_matches(${text}, '[.][0-9]{${scale}}[0-9]*[1-9]') then error('too many digits') else ${cast} end`;
}

/** SQL of a dumped text as a text that is read as its column's type later, or not. */
export function textValue({ type, read }: DatabaseColumn, text: string): string {
  return type === "BLOB" && read !== undefined ? `cast(${read(text)} as VARCHAR)` : text;
}

async function writeParquet(
  connection: AnalyticsConnection,
  dump: Dump,
  { left, isText }: { readonly left: string; readonly isText: boolean },
): Promise<boolean> {
  const values = dump.columns.map((column, index) => {
    const value = isText ? textValue(column, `c${index}`) : typedValue(column, `c${index}`);
    return `${value} as ${quoteName(column.name)}`;
  });
  try {
    await connection.run(
      `copy (select ${values.join(", ")} from ${dumpRelation(dump)}${left}) to ${quoteText(dump.target)} (format parquet)`,
    );
    return true;
  } catch (error) {
    if (isText || !isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    return false;
  }
}
