import { isEsteiraError } from "#base";
import type { Column } from "../../analytics/analytics.ts";
import { quotePath, quoteText } from "../../analytics/sql-text.ts";
import { lineLimits } from "./csv.ts";
import { inferTextTypes } from "./infer-types.ts";
import type { SourceFile } from "../source-file.ts";
import { type OpenFile, type SourceRows, UnreadableFile } from "./source-rows.ts";
import { textOf } from "../../analytics/rows.ts";

const LARGEST_OBJECT_BYTES = 16_777_216;

/** NDJSON: lines are staged as text, because DuckDB's reader turns a bad line into nulls without a word. */
export async function openNdjson(source: OpenFile): Promise<SourceRows> {
  const { connection, file, number } = source;
  const all = `"__lines_${number}"`;
  await stageJson(
    [source],
    `create temp table ${all} as select (row_number() over ()) - 1 as "__record", line as "__json" from ${ndjsonRelation([file])}`,
  );
  return openObjects(source, {
    all,
    format: "ndjson",
    line: '"__record" + 1',
    hasDates: file.hasDates === true,
    close: () => connection.run(`drop table if exists ${all}`),
  });
}

/** SQL of the lines of files, as texts. */
export function ndjsonRelation(files: readonly SourceFile[]): string {
  return `read_csv([${files.map(({ absolute }) => quotePath(absolute)).join(", ")}], auto_detect = false, header = false,
    delim = '\\0', quote = '', escape = '', columns = {'line': 'VARCHAR'}, ${lineLimits(files)}, null_padding = true, ignore_errors = false)`;
}

/** JSON: one array of objects, or one object. */
export async function openJson(source: OpenFile): Promise<SourceRows> {
  const { connection, file, number } = source;
  const all = `"__lines_${number}"`;
  await stageJson(
    [source],
    `create temp table ${all} as select (row_number() over ()) - 1 as "__record", json::VARCHAR as "__json" from read_json_objects(${quotePath(file.absolute)}, format = 'auto', maximum_object_size = ${LARGEST_OBJECT_BYTES})`,
  );
  return openObjects(source, {
    all,
    format: "json",
    line: "NULL::BIGINT",
    close: () => connection.run(`drop table if exists ${all}`),
  });
}

/** @throws UnreadableFile */
export async function stageJson(sources: readonly OpenFile[], sql: string): Promise<void> {
  const [{ connection }] = sources as [OpenFile];
  if (sources.some(({ file }) => file.sizeBytes === 0)) throw new UnreadableFile("the file is empty");
  try {
    await connection.run(sql);
  } catch (error) {
    if (!isEsteiraError(error, "DATA_QUERY_FAILED")) throw error;
    const [reason = ""] = String(error.context["reason"]).split("\n", 1);
    const named = sources.reduce((text, { file }) => text.replaceAll(file.absolute, file.path), reason);
    throw new UnreadableFile(`not readable as JSON (${named})`);
  }
}

/**
 * Rows from a table `__record, __json` of texts: objects are rows, everything else is a reject, blank lines are
 * nothing.
 */
export async function openObjects(
  { connection, number }: Pick<OpenFile, "connection" | "number">,
  staged: {
    readonly all: string;
    readonly format: "ndjson" | "json";
    readonly line: string;
    /** SQL of the place of the row's file, where there are several. */
    readonly file?: string;
    /** Texts that look like dates in ISO form are dates, and in no format that a contract may say. */
    readonly hasDates?: boolean;
    readonly close: () => Promise<void>;
  },
): Promise<SourceRows & { readonly rejects: object }> {
  const objects = `"__objects_${number}"`;
  const rejects = `"__rejects_${number}_lines"`;
  const isObject = `case when json_valid("__json") then json_type("__json") = 'OBJECT' else false end`;
  await connection.run(`create or replace temp table ${objects} as select * from ${staged.all} where "__json" is not null and ${isObject};
    create or replace temp table ${rejects} as select ${staged.file ?? "0"} as "__file", ${staged.line} as line, NULL::BIGINT as byte, to_json("__json")::VARCHAR as row,
      [case when json_valid("__json") then 'json:not_an_object' else 'json:malformed' end] as rules,
      [concat('line ', "__record" + 1, case when json_valid("__json") then ': not a JSON object' else ': not valid JSON' end)] as messages
    from ${staged.all} where "__json" is not null and trim("__json") <> '' and not (${isObject})`);
  const [counts] = await connection.rows(
    `select (select count(*) from ${objects}) as n, (select count(*) from ${rejects}) as m`,
  );
  const value = (name: string): string => `json_extract_string("__json", ${pathOf(name)})`;
  return {
    format: staged.format,
    columns: await inferObjectColumns(connection, objects, value),
    isText: true,
    relation: objects,
    fileNumber: String(number),
    value,
    isTextValue: (name) =>
      `json_type("__json", ${pathOf(name)}) = 'VARCHAR'${staged.hasDates === true ? ` and not regexp_matches(${value(name)}, '^\\d{4}-\\d{2}-\\d{2}( |$)')` : ""}`,
    rowJson: '"__json"',
    line: staged.line,
    total: Number(counts?.["n"]) + Number(counts?.["m"]),
    rejects: { table: rejects, count: Number(counts?.["m"]) },
    close: async () => {
      await connection.run(`drop table if exists ${objects}; drop table if exists ${rejects}`);
      await staged.close();
    },
  };
}

/** A member's place. JSON pointers, unlike JSON paths, take any name. */
function pathOf(name: string): string {
  return quoteText(`/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`);
}

/** @param objects SQL of a relation with `__record` and `__json` */
export async function inferObjectColumns(
  connection: OpenFile["connection"],
  objects: string,
  value: (name: string) => string,
): Promise<readonly Column[]> {
  const rows = await connection.rows(
    `select key, min("__record") as first, arg_min(place, "__record") as place from (select unnest(json_keys("__json")) as key, unnest(range(len(json_keys("__json")))) as place, "__record" from ${objects}) group by key order by first, place`,
  );
  const names = rows.map((row) => textOf(row["key"]));
  const inferred = await inferTextTypes(connection, objects, names, { value });
  // A text that looks like a number was written as a text on purpose.
  const written = inferred.map(
    ({ name }, index) => `bool_or(json_type("__json", ${pathOf(name)}) in ('VARCHAR', 'OBJECT', 'ARRAY')) as t${index}`,
  );
  const [row] = written.length === 0 ? [] : await connection.rows(`select ${written.join(", ")} from ${objects}`);
  return inferred.map((column, index) =>
    row?.[`t${index}`] === true && /^(BIGINT|DOUBLE|BOOLEAN)$/.test(column.type)
      ? { ...column, type: "VARCHAR" }
      : column,
  );
}
