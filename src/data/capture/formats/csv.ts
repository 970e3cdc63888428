import { isEsteiraError } from "#base";
import type { AnalyticsConnection } from "../../analytics/analytics.ts";
import { quoteList, quoteName, quotePath, quoteText } from "../../analytics/sql-text.ts";
import { inferTextTypes, SAMPLE_ROWS } from "./infer-types.ts";
import type { SourceFile } from "../source-file.ts";
import { type CsvHeader, readHeader } from "./csv-header.ts";
import { type CsvOptions, type OpenFile, type SourceRows, UnreadableFile } from "./source-rows.ts";

const MOST_LINE_SHIFTS = 1000;

/**
 * CSV: every value is staged as text, so that a bad one is quarantined as it was received.
 * The dialect is never guessed from the rows: one broken line must not change how the others are read.
 */
export async function openCsv(source: OpenFile): Promise<SourceRows> {
  const { connection, file, csv, number } = source;
  const header = await readHeader(source);
  const { names, originals } = header;
  const staged = `"__staged_${number}"`;
  const rejects = `"__rejects_${number}_lines"`;
  const isStaged = await stageWhole(source, header);
  if (!isStaged) {
    await stageCsv(connection, stagingOf(staged, csvRelation([file], { header, csv, number })));
    await collectRejects(connection, number);
  }
  const [counts] = await connection.rows(
    `select (select count(*) from ${staged}) as staged, ${isStaged ? "0" : `(select count(*) from ${rejects})`} as rejected`,
  );
  const [read, refused] = [Number(counts?.["staged"]), Number(counts?.["rejected"])];
  const lines = refused === 0 ? [] : await connection.rows(`select line from ${rejects} order by line`);
  return {
    format: "csv",
    columns: await inferTextTypes(connection, staged, names, { guesses: csv.guess !== false }),
    originals,
    isText: true,
    isWhollyTyped: read <= SAMPLE_ROWS,
    relation: staged,
    value: quoteName,
    fileNumber: String(number),
    rowJson: rowJsonOf(names),
    line: lineExpression({
      lineFeeds: source.lineFeeds,
      header: header.line,
      read,
      rejected: lines.map((row) => Number(row["line"])),
    }),
    total: read + refused,
    rejects: isStaged ? undefined : { table: rejects, count: refused },
    close: () => connection.run(`drop table if exists ${staged}; drop table if exists ${rejects}`),
  };
}

/** Keeping what is wrong with lines costs a fifth of reading a wide file; a larger one is not read twice. */
const LARGEST_READ_TWICE = 64 << 20;

/** False when a line cannot be read, or none was tried. */
async function stageWhole({ connection, file, csv, number }: OpenFile, header: CsvHeader): Promise<boolean> {
  if (file.sizeBytes > LARGEST_READ_TWICE || /\.(gz|zst)$/i.test(file.path)) return false;
  const relation = csvRelation([file], { header, csv, number, keepsRejects: false });
  try {
    await connection.run(stagingOf(`"__staged_${number}"`, relation));
    return true;
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    return false;
  }
}

function stagingOf(table: string, relation: string): string {
  return `create temp table ${table} as select (row_number() over ()) - 1 as "__record", * from ${relation}`;
}

export function rowJsonOf(names: readonly string[]): string {
  return `to_json({${names.map((name) => `${quoteName(name)}: ${quoteName(name)}`).join(", ")}})::VARCHAR`;
}

/**
 * SQL of the rows of files with one header, all values as text. Bad lines go to the tables of rejects, or fail the
 * statement when these are not kept.
 */
export function csvRelation(
  files: readonly SourceFile[],
  {
    header,
    csv,
    number,
    keepsRejects = true,
  }: {
    readonly header: CsvHeader;
    readonly csv: CsvOptions;
    readonly number: number;
    readonly keepsRejects?: boolean;
  },
): string {
  const rejected = `__rejects_${number}`;
  const options = [
    `auto_detect = false, header = false, skip = ${header.line}, hive_partitioning = false`,
    lineLimits(files),
    `delim = ${quoteText(header.delimiter)}, quote = ${quoteText(csv.quote ?? '"')}, escape = ${quoteText(csv.escape ?? '"')}, nullstr = ${quoteList(csv.nulls ?? [""])}`,
    `encoding = ${quoteText(csv.encoding ?? "utf-8")}`,
    ...(keepsRejects
      ? [
          `store_rejects = true, rejects_table = ${quoteText(rejected)}, rejects_scan = ${quoteText(`${rejected}_scan`)}`,
        ]
      : []),
    `columns = {${header.names.map((name) => `${quoteText(name)}: 'VARCHAR'`).join(", ")}}`,
  ];
  return `read_csv([${files.map(({ absolute }) => quotePath(absolute)).join(", ")}], ${options.join(", ")})`;
}

/** @throws UnreadableFile */
export async function stageCsv(connection: AnalyticsConnection, sql: string): Promise<void> {
  try {
    await connection.run(sql);
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    throw new UnreadableFile(`not readable as CSV (${String(error.context["reason"]).split("\n", 1)[0]})`);
  }
}

/** One line can have several errors; it is one row. Lines keep their first byte. */
export async function collectRejects(connection: AnalyticsConnection, number: number): Promise<void> {
  const rejected = `__rejects_${number}`;
  await connection.run(`create or replace temp table "${rejected}_lines" as
    select file_id as "__file", line, min(line_byte_position) as byte, to_json(first(csv_line))::VARCHAR as row,
      list(distinct 'csv:' || lower(replace(error_type::VARCHAR, ' ', '_'))) as rules, list(distinct concat('line ', line, ': ', error_message)) as messages
    from ${quoteName(rejected)} group by file_id, line order by file_id, line;
    drop table ${quoteName(rejected)}; drop table ${quoteName(`${rejected}_scan`)}`);
}

const LONGEST_LINE_BYTES = 16_777_216;
const SMALLEST_LIMIT_BYTES = 65_536;

/**
 * The reader's default buffer is sixteen longest lines, for each thread: 256 MB of which a small file needs none and a
 * large one little.
 */
export function lineLimits(files: readonly Pick<SourceFile, "path" | "sizeBytes">[]): string {
  const longest = Math.max(
    ...files.map(({ path, sizeBytes }) => (/\.(gz|zst)$/i.test(path) ? LONGEST_LINE_BYTES : sizeBytes + 1)),
  );
  const bytes = Math.min(LONGEST_LINE_BYTES, Math.max(SMALLEST_LIMIT_BYTES, longest));
  return `max_line_size = ${bytes}, buffer_size = ${2 * bytes}`;
}

/**
 * SQL of a record's line, which is known when no line is blank and no value holds a line break: then the lines add up.
 *
 * @param of.rejected lines that are no records, in order
 */
export function lineExpression(of: {
  readonly lineFeeds: number | undefined;
  /** Lines down to the header. */
  readonly header: number;
  readonly read: number;
  readonly rejected: readonly number[];
}): string {
  const { lineFeeds, header, read, rejected } = of;
  const first = header + 1;
  const lines = header + read + rejected.length;
  if (lineFeeds === undefined || (lineFeeds !== lines && lineFeeds !== lines - 1) || rejected.length > MOST_LINE_SHIFTS)
    return "NULL::BIGINT";
  const thresholds = rejected.map((line, index) => line - index);
  return `("__record" + ${first} + len(list_filter([${thresholds.join(", ")}]::BIGINT[], lambda t: t <= "__record" + ${first})))`;
}
