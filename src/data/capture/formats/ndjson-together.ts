import type { AnalyticsConnection } from "../../analytics/analytics.ts";
import { type FilesTogether, LARGEST_TOGETHER_BYTES, MOST_TOGETHER, type Together } from "./files-together.ts";
import { inferObjectColumns, ndjsonRelation, openObjects, stageJson } from "./json.ts";
import { type OpenFile, UnreadableFile } from "./source-rows.ts";

/** Small NDJSON files from the first one on; undefined when it is better read alone. */
export function ndjsonTogether(files: readonly Pick<OpenFile, "file">[]): Together | undefined {
  const alone = files.findIndex(({ file }) => file.sizeBytes === 0 || file.sizeBytes > LARGEST_TOGETHER_BYTES);
  const count = Math.min(alone < 0 ? files.length : alone, MOST_TOGETHER);
  return count === 0 ? undefined : { count, open: openNdjsonFiles };
}

async function openNdjsonFiles(sources: readonly OpenFile[]): Promise<FilesTogether> {
  const [{ connection, number: first }] = sources as [OpenFile];
  const [raw, all] = [`"__raw_${first}"`, `"__lines_${first}"`];
  const close = (): Promise<void> => connection.run(`drop table if exists ${raw}; drop table if exists ${all}`);
  const files = sources.map(({ file }) => file);
  await stageJson(
    sources,
    `create temp table ${raw} as select (row_number() over ()) - 1 as "__row", file_index::INTEGER as "__file", line as "__json" from ${ndjsonRelation(files)}`,
  );
  try {
    const firstRows = await firstRowsOf(connection, raw, sources.length);
    await connection.run(
      `create temp table ${all} as select "__row" - [${firstRows.join(", ")}]["__file" + 1] as "__record", "__file", "__json" from ${raw}; drop table ${raw}`,
    );
    const rows = await openObjects(sources[0] as OpenFile, {
      all,
      format: "ndjson",
      line: '"__record" + 1',
      file: '"__file"',
      hasDates: files.every(({ hasDates }) => hasDates === true),
      close,
    });
    return await describeFiles(sources, rows);
  } catch (error) {
    await close();
    throw error;
  }
}

async function firstRowsOf(connection: AnalyticsConnection, raw: string, count: number): Promise<readonly number[]> {
  const found = await connection.rows(
    `select "__file" as file, count(*) as read, min("__row") as first, max("__row") as last from ${raw} group by "__file"`,
  );
  const firstRows = Array.from({ length: count }, () => 0);
  for (const row of found) {
    if (Number(row["last"]) - Number(row["first"]) + 1 !== Number(row["read"]))
      throw new UnreadableFile("the rows of the files are mixed");
    firstRows[Number(row["file"])] = Number(row["first"]);
  }
  return firstRows;
}

async function describeFiles(
  sources: readonly OpenFile[],
  objects: Awaited<ReturnType<typeof openObjects>>,
): Promise<FilesTogether> {
  const [{ connection, number: first }] = sources as [OpenFile];
  const countsIn = async (table: string): Promise<ReadonlyMap<number, number>> => {
    const rows = await connection.rows(`select "__file" as file, count(*) as n from ${table} group by "__file"`);
    return new Map(rows.map(({ file, n }) => [Number(file), Number(n)]));
  };
  const rejects = objects.rejects.table;
  const [read, refused] = [await countsIn(objects.relation), await countsIn(rejects)];
  const common = { ...objects, fileNumber: `("__file" + ${first})` };
  return {
    close: objects.close,
    rowsOf(number) {
      const index = number - first;
      const count = refused.get(index) ?? 0;
      return {
        ...common,
        relation: `(select * from ${objects.relation} where "__file" = ${index})`,
        total: (read.get(index) ?? 0) + count,
        rejects: { table: `(from ${rejects} where "__file" = ${index})`, count },
      };
    },
    rowsOfAll(numbers) {
      const among = numbers.map((number) => number - first).join(", ");
      return numbers.length === sources.length
        ? common
        : { ...common, relation: `(select * from ${objects.relation} where "__file" in (${among}))` };
    },
    inferTypes: (rows) => inferObjectColumns(connection, rows.relation, objects.value),
  };
}
