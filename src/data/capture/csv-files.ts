import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import {
  collectRejects,
  type CsvHeader,
  csvRelation,
  lineExpression,
  readHeader,
  rowJsonOf,
  stageCsv,
} from "./csv-source.ts";
import { inferTextTypes } from "./infer-types.ts";
import { type CsvOptions, type OpenSource, type SourceRows, UnreadableFile } from "./source-rows.ts";

/** Beyond, a file has enough rows of its own for what each statement costs. */
const LARGEST_TOGETHER_BYTES = 8 << 20;
/** So many are read again, half by half, when one of them cannot be read. */
const MOST_TOGETHER = 1000;

/** CSV files with one header, staged in one table: what a statement costs is paid once for all of them. */
export interface CsvFiles {
  /** Rows of one file, as if it had been opened alone; its columns have no types but VARCHAR. */
  rowsOf(number: number): SourceRows;
  /** Rows of several files, in order. */
  rowsOfAll(numbers: readonly number[]): SourceRows;
  /** What the columns of a relation of these rows look like. */
  inferTypes(rows: SourceRows): Promise<readonly Column[]>;
}

/** How many files from the first one on have the same header and are small. */
export async function countTogether(
  files: readonly Pick<OpenSource, "file">[],
  csv: CsvOptions,
): Promise<{ readonly count: number; readonly header: CsvHeader | undefined }> {
  const header = await headerOf(files[0], csv);
  let count = 1;
  if (header === undefined) return { count, header };
  const text = headerText(header);
  while (count < Math.min(files.length, MOST_TOGETHER)) {
    const next = await headerOf(files[count], csv);
    if (next === undefined || headerText(next) !== text) break;
    count++;
  }
  return { count, header };
}

/** Undefined for a file that is better read alone. */
async function headerOf(one: Pick<OpenSource, "file"> | undefined, csv: CsvOptions): Promise<CsvHeader | undefined> {
  if (one === undefined || one.file.sizeBytes > LARGEST_TOGETHER_BYTES) return undefined;
  try {
    const header = await readHeader({ ...one, csv });
    // Columns of the staging table itself.
    return header.names.some((name) => /^(__.*|file_index)$/i.test(name)) ? undefined : header;
  } catch (error) {
    if (error instanceof UnreadableFile) return undefined;
    throw error;
  }
}

function headerText({ names, originals, delimiter }: CsvHeader): string {
  return JSON.stringify([names, [...originals], delimiter]);
}

interface StagedFile {
  readonly firstRow: number;
  readonly read: number;
  readonly rejected: readonly number[];
}

/** @throws UnreadableFile when one of the files cannot be read */
export async function openCsvFiles(
  sources: readonly OpenSource[],
  header: CsvHeader,
): Promise<CsvFiles & Pick<SourceRows, "close">> {
  const [{ connection, csv, number: first }] = sources as [OpenSource];
  const [staged, rejects] = [`"__staged_${first}"`, `"__rejects_${first}_lines"`];
  const close = (): Promise<void> => connection.run(`drop table if exists ${staged}; drop table if exists ${rejects}`);
  const relation = csvRelation(
    sources.map(({ file }) => file),
    { header, csv, number: first },
  );
  await stageCsv(
    connection,
    `create temp table ${staged} as select (row_number() over ()) - 1 as "__row", file_index::INTEGER as "__file", * from ${relation}`,
  );
  try {
    await collectRejects(connection, first);
    const files = await countRows(connection, { staged, rejects, count: sources.length });
    return { ...describeFiles(sources, { header, files, staged, rejects, close }), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function countRows(
  connection: AnalyticsConnection,
  of: { readonly staged: string; readonly rejects: string; readonly count: number },
): Promise<readonly StagedFile[]> {
  const counts = await connection.rows(
    `select "__file" as file, count(*) as read, min("__row") as first, max("__row") as last from ${of.staged} group by "__file"`,
  );
  const rejected = Map.groupBy(
    await connection.rows(`select "__file" as file, line from ${of.rejects} order by file, line`),
    (row) => Number(row["file"]),
  );
  const byFile = new Map(counts.map((row) => [Number(row["file"]), row]));
  return Array.from({ length: of.count }, (_, index) => {
    const row = byFile.get(index);
    const [read, firstRow] = [Number(row?.["read"] ?? 0), Number(row?.["first"] ?? 0)];
    if (row !== undefined && Number(row["last"]) - firstRow + 1 !== read)
      throw new UnreadableFile("the rows of the files are mixed");
    return { read, firstRow, rejected: (rejected.get(index) ?? []).map(({ line }) => Number(line)) };
  });
}

function describeFiles(
  sources: readonly OpenSource[],
  of: {
    readonly header: CsvHeader;
    readonly files: readonly StagedFile[];
    readonly staged: string;
    readonly rejects: string;
    readonly close: () => Promise<void>;
  },
): CsvFiles {
  const { header, files, staged, close } = of;
  const [{ connection, number: first }] = sources as [OpenSource];
  const common = {
    format: "csv",
    columns: header.names.map((name) => ({ name, type: "VARCHAR" })),
    originals: header.originals,
    isText: true,
    fileNumber: `("__file" + ${first})`,
    value: quoteName,
    rowJson: rowJsonOf(header.names),
    close,
  } as const;
  const firstRows = `[${files.map(({ firstRow }) => firstRow).join(", ")}]`;
  return {
    rowsOf(number) {
      const index = number - first;
      const { firstRow, read, rejected } = files[index] as StagedFile;
      return {
        ...common,
        relation: `(select *, "__row" - ${firstRow} as "__record" from ${staged} where "__file" = ${index})`,
        line: lineExpression({ lineFeeds: sources[index]?.lineFeeds, read, rejected }),
        total: read + rejected.length,
        rejects: { table: `(from ${of.rejects} where "__file" = ${index})`, count: rejected.length },
      };
    },
    rowsOfAll(numbers) {
      const among =
        numbers.length === files.length
          ? ""
          : ` where "__file" in (${numbers.map((number) => number - first).join(", ")})`;
      const chosen = numbers.flatMap((number) => files[number - first] ?? []);
      return {
        ...common,
        relation: `(select *, "__row" - ${firstRows}["__file" + 1] as "__record" from ${staged}${among})`,
        line: "NULL::BIGINT",
        total: chosen.reduce((sum, { read, rejected }) => sum + read + rejected.length, 0),
        rejects: undefined,
      };
    },
    inferTypes: (rows) => inferTextTypes(connection, rows.relation, header.names),
  };
}
