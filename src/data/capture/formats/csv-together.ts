import type { AnalyticsConnection } from "../../analytics/analytics.ts";
import { quoteName } from "../../analytics/sql-text.ts";
import { collectRejects, csvRelation, lineExpression, rowJsonOf, stageCsv } from "./csv.ts";
import { type CsvHeader, readHeader } from "./csv-header.ts";
import { inferTextTypes } from "./infer-types.ts";
import { type FilesTogether, LARGEST_TOGETHER_BYTES, MOST_TOGETHER, type Together } from "./files-together.ts";
import { type CsvOptions, type OpenFile, UnreadableFile } from "./source-rows.ts";

/** CSV files from the first one on that have its header and are small; undefined when it is better read alone. */
export async function csvTogether(
  files: readonly Pick<OpenFile, "file">[],
  csv: CsvOptions,
): Promise<Together | undefined> {
  const header = await headerOf(files[0], csv);
  if (header === undefined) return undefined;
  const text = headerText(header);
  let count = 1;
  while (count < Math.min(files.length, MOST_TOGETHER)) {
    const next = await headerOf(files[count], csv);
    if (next === undefined || headerText(next) !== text) break;
    count++;
  }
  return { count, open: (sources) => openCsvFiles(sources, header) };
}

/** Undefined for a file that is better read alone. */
async function headerOf(one: Pick<OpenFile, "file"> | undefined, csv: CsvOptions): Promise<CsvHeader | undefined> {
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

function headerText({ names, originals, delimiter, line }: CsvHeader): string {
  return JSON.stringify([names, [...originals], delimiter, line]);
}

interface StagedFile {
  readonly firstRow: number;
  readonly read: number;
  readonly rejected: readonly number[];
}

/** @throws UnreadableFile when one of the files cannot be read */
async function openCsvFiles(sources: readonly OpenFile[], header: CsvHeader): Promise<FilesTogether> {
  const [{ connection, csv, number: first }] = sources as [OpenFile];
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
    return describeFiles(sources, { header, files, staged, rejects, close });
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
  sources: readonly OpenFile[],
  of: {
    readonly header: CsvHeader;
    readonly files: readonly StagedFile[];
    readonly staged: string;
    readonly rejects: string;
    readonly close: () => Promise<void>;
  },
): FilesTogether {
  const { header, files, staged, close } = of;
  const [{ connection, csv, number: first }] = sources as [OpenFile];
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
    close,
    rowsOf(number) {
      const index = number - first;
      const { firstRow, read, rejected } = files[index] as StagedFile;
      return {
        ...common,
        relation: `(select *, "__row" - ${firstRow} as "__record" from ${staged} where "__file" = ${index})`,
        line: lineExpression({ lineFeeds: sources[index]?.lineFeeds, header: header.line, read, rejected }),
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
    inferTypes: (rows) => inferTextTypes(connection, rows.relation, header.names, { guesses: csv.guess !== false }),
  };
}
