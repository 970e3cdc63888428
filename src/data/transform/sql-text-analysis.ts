import { type Digest, digestOf } from "#base";
import type { Analytics } from "../analytics/analytics.ts";
import { textOf } from "../analytics/rows.ts";

/** A place in SQL text, from 1. */
export interface SqlPlace {
  readonly line: number;
  readonly column: number;
}

export interface SqlProblem extends SqlPlace {
  readonly message: string;
}

/** A table that a SELECT reads; names of common table expressions are not tables. */
export interface SqlTable extends SqlPlace {
  readonly name: string;
  /** As written; only where schemas were allowed. */
  readonly schema?: string;
}

/**
 * A column that decides which rows there are or how they are grouped, as written: `qualifier` is a table, an alias, or
 * missing.
 */
export interface DecidingColumn {
  readonly qualifier: string | undefined;
  readonly name: string;
}

export interface SqlAnalysis {
  readonly tables: readonly SqlTable[];
  /** Alias → table, for the tables read. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Columns of WHERE, JOIN, GROUP BY, HAVING, QUALIFY and ORDER BY. */
  readonly deciding: readonly DecidingColumn[];
  /** Names of what stands with a `$`; numbers for those without a name. */
  readonly parameters: readonly string[];
  /** Of what the text says, whatever its comments, line breaks and letter case of keywords are. */
  readonly digest: Digest;
  readonly problems: readonly SqlProblem[];
}

const NOWHERE: SqlPlace = { line: 1, column: 1 };
type Node = Readonly<Record<string, unknown>>;

/**
 * What one SELECT reads, from DuckDB's own syntax tree: exact, unlike a search for FROM in the text.
 * Everything but one SELECT over named tables is a problem with its place.
 */
export async function analyseSql(
  analytics: Analytics,
  sql: string,
  { schemas = [] }: { /** Names that may stand before a table. */ readonly schemas?: readonly string[] } = {},
): Promise<SqlAnalysis> {
  const connection = await analytics.connect();
  try {
    const [row] = await connection.rows("select json_serialize_sql($1::VARCHAR) as tree", [sql]);
    const tree = textOf(row?.["tree"]);
    const read = readTree(sql, JSON.parse(tree) as Node, schemas);
    return { ...read, digest: digestOf(tree.replaceAll(/"query_location":\d+,?/g, "")) };
  } finally {
    connection.close();
  }
}

function readTree(sql: string, tree: Node, schemas: readonly string[]): Omit<SqlAnalysis, "digest"> {
  const failed = (problem: SqlProblem): Omit<SqlAnalysis, "digest"> => ({
    tables: [],
    aliases: new Map(),
    deciding: [],
    parameters: [],
    problems: [problem],
  });
  if (tree["error"] === true) {
    if (tree["error_type"] === "not implemented")
      return failed({
        ...NOWHERE,
        message: "this is not a SELECT; a transformation is one SELECT, and the platform writes its result",
      });
    const offset = Number(tree["position"]);
    const message = String(tree["error_message"]);
    return failed({ ...placeOf(sql, offset), message: withKeyword(message, Buffer.from(sql), offset) });
  }
  const statements = tree["statements"] as readonly Node[];
  if (statements.length === 0) return failed({ ...NOWHERE, message: "the file holds no SELECT" });
  if (statements.length > 1)
    return failed({
      ...NOWHERE,
      message: `the file holds ${statements.length} statements; a transformation is one SELECT`,
    });
  const walk: Walk = { sql, schemas, tables: new Map(), aliases: new Map(), deciding: [], problems: [] };
  visit(statements[0], new Set(), walk);
  const named = (statements[0]?.["named_param_map"] ?? []) as readonly { readonly key: string }[];
  return {
    tables: [...walk.tables.values()],
    aliases: walk.aliases,
    deciding: walk.deciding,
    parameters: named.map(({ key }) => key).sort(),
    problems: walk.problems,
  };
}

interface Walk {
  readonly sql: string;
  readonly schemas: readonly string[];
  readonly tables: Map<string, SqlTable>;
  readonly aliases: Map<string, string>;
  readonly deciding: DecidingColumn[];
  readonly problems: SqlProblem[];
}

function visit(value: unknown, scope: ReadonlySet<string>, walk: Walk): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, scope, walk);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const node = value as Node;
  const inner = withCommonTables(node, scope);
  if (node["type"] === "BASE_TABLE") visitTable(node, scope, walk);
  if (node["type"] === "TABLE_FUNCTION") visitTableFunction(node, walk);
  for (const key of ["where_clause", "group_expressions", "having", "qualify", "condition"])
    collectColumns(node[key], walk.deciding);
  if (node["type"] === "ORDER_MODIFIER") collectColumns(node["orders"], walk.deciding);
  for (const child of Object.values(node)) visit(child, inner, walk);
}

/** Names bound by WITH hold in the node and below it. */
function withCommonTables(node: Node, scope: ReadonlySet<string>): ReadonlySet<string> {
  const map = (node["cte_map"] as { map?: readonly { key: string }[] } | undefined)?.map ?? [];
  return map.length === 0 ? scope : new Set([...scope, ...map.map(({ key }) => key.toLowerCase())]);
}

function visitTable(node: Node, scope: ReadonlySet<string>, walk: Walk): void {
  const name = String(node["table_name"]);
  const schema = String(node["schema_name"]);
  if (schema === "" && scope.has(name.toLowerCase())) return;
  const place = placeOf(walk.sql, Number(node["query_location"]));
  if (schema !== "" && !walk.schemas.includes(schema.toLowerCase())) {
    walk.problems.push({ ...place, message: `"${schema}.${name}" names a schema; datasets have plain names` });
    return;
  }
  if (/[./\\*]/.test(name)) {
    walk.problems.push({
      ...place,
      message: `"${name}" is a file; a transformation reads datasets, so capture it first`,
    });
    return;
  }
  if (!walk.tables.has(name)) walk.tables.set(name, { name, ...(schema === "" ? {} : { schema }), ...place });
  const alias = (node["alias"] as string | undefined) ?? "";
  walk.aliases.set((alias === "" ? name : alias).toLowerCase(), name);
}

const HARMLESS_FUNCTIONS = new Set([
  "range",
  "generate_series",
  "unnest",
  "values",
  "repeat",
  "repeat_row",
  "json_each",
  "json_tree",
  "summary",
]);

function visitTableFunction(node: Node, walk: Walk): void {
  const call = node["function"] as Node | undefined;
  const name = (call?.["function_name"] as string | undefined) ?? "";
  if (HARMLESS_FUNCTIONS.has(name)) return;
  walk.problems.push({
    ...placeOf(walk.sql, Number(node["query_location"])),
    message: `the table function ${name} is not allowed; a transformation reads datasets, so capture files first`,
  });
}

function collectColumns(value: unknown, into: DecidingColumn[]): void {
  if (Array.isArray(value)) {
    for (const item of value) collectColumns(item, into);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const node = value as Node;
  if (node["class"] === "COLUMN_REF") {
    const names = node["column_names"] as readonly string[];
    const name = names.at(-1);
    if (name !== undefined) into.push({ qualifier: names.at(-2), name });
    return;
  }
  for (const child of Object.values(node)) collectColumns(child, into);
}

/** Words of SQL that cannot name a column as they are (`duckdb_keywords()`), without those that begin a clause. */
const KEYWORDS = new Set(
  `all analyse analyze anti any array asc asof asymmetric at authorization both case cast check collate collation column
  columns constraint create cross default deferrable desc describe do else end except false fetch for foreign full
  generated glob grant group having ilike inner initially intersect into isnull lambda lateral leading left like limit
  map natural notnull null offset only order outer overlaps pivot placing positional primary qualify references
  returning right semi show similar some struct summarize symmetric table tablesample then to trailing true unique
  unpack unpivot user using variadic verbose when window with`.split(/\s+/),
);

/** A syntax error at a word of SQL, or right behind one: the word may have been meant as a column. */
function withKeyword(message: string, sql: Buffer, offset: number): string {
  if (!message.startsWith("syntax error") || !Number.isSafeInteger(offset)) return message;
  const before = /([A-Za-z_]+)\s*$/.exec(sql.subarray(0, offset).toString())?.[1];
  const here = /^[A-Za-z_]+/.exec(sql.subarray(offset).toString())?.[0];
  const word = [before, here].find((one) => one !== undefined && KEYWORDS.has(one.toLowerCase()));
  return word === undefined
    ? message
    : `${message}; ${word} is a word of SQL: where it is the name of a column, write it between double quotes, "${word}"`;
}

/** DuckDB counts bytes of UTF-8. */
function placeOf(sql: string, offset: number): SqlPlace {
  if (!Number.isSafeInteger(offset)) return NOWHERE;
  const before = Buffer.from(sql).subarray(0, offset).toString();
  const line = before.split("\n").length;
  return { line, column: before.length - before.lastIndexOf("\n") };
}

/**
 * DuckDB's error about a query as a place in the user's text.
 *
 * @param linesBefore lines that stand before the user's text in the query that ran
 */
export function explainSqlError(reason: string, linesBefore: number): SqlProblem {
  const shown = /\n\nLINE (\d+): (.*)\n( *)\^/s.exec(reason);
  const message =
    reason
      .split("\n\nLINE ")[0]
      ?.replace(/^(Binder|Catalog|Parser) Error: /, "")
      .replaceAll(/\s*\n\s*/g, " ") ?? reason;
  if (shown === null) return { ...NOWHERE, message };
  const [, line = "1", , caret = ""] = shown;
  const prefix = `LINE ${line}: `.length;
  return { line: Math.max(1, Number(line) - linesBefore), column: Math.max(1, caret.length - prefix + 1), message };
}
