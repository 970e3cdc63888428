import type { Analytics, Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { textOf } from "../analytics/rows.ts";

/** How the time of a model's rows is computed from the columns of one dataset. */
export interface TimeExpression {
  readonly dataset: string;
  /**
   * SELECT of the times, as `t`, of the rows of a relation. The expression is the user's: for a sandbox. It is in the
   * WHERE too, which refuses what is not computed of each row alone.
   */
  readonly select: string;
}

type Node = Readonly<Record<string, unknown>>;

/** Expressions that a name may stand for: more than one where SELECTs are joined by UNION. */
type Alternatives = readonly unknown[];

/** Names of common table expressions → their queries. */
type Scope = ReadonlyMap<string, { readonly query: Node; readonly scope: Scope }>;

const MOST_ALTERNATIVES = 32;
const DEEPEST = 64;

/** What is read cannot be followed to a column of a dataset. */
class NotFollowed extends Error {
  override readonly name = "NotFollowed";
}

/**
 * The expressions of one column of a query, over the datasets that it is read from: through subqueries, common table
 * expressions and UNION. Undefined where that cannot be told: of several datasets together, or with bounds of an
 * interval.
 *
 * @param relation name of the relation that the SELECTs read instead of the dataset
 * @param tables columns of every dataset that the query reads
 */
export async function timeExpressions(
  analytics: Analytics,
  sql: string,
  of: {
    readonly time: string;
    readonly relation: string;
    readonly tables: ReadonlyMap<string, readonly Column[]>;
  },
): Promise<readonly TimeExpression[] | undefined> {
  const connection = await analytics.connect();
  const treeOf = async (text: string): Promise<Node | undefined> => {
    const [row] = await connection.rows("select json_serialize_sql($1::VARCHAR) as tree", [text]);
    // Places beyond what a number can hold would not be read back.
    return node(JSON.parse(textOf(row?.["tree"]).replaceAll(/"query_location":\d+/g, '"query_location":0')));
  };
  try {
    const root = node(list(node(await treeOf(sql))?.["statements"])[0])?.["node"];
    const frame = await treeOf(`select 1 as t from ${quoteName(of.relation)} where 1 is not null`);
    const query = node(root);
    if (query === undefined || frame === undefined) return undefined;
    const found: TimeExpression[] = [];
    for (const expression of outputOf(query, of.time, { tables: of.tables, scope: new Map(), depth: 0 })) {
      const dataset = ownerOf(expression);
      if (dataset === undefined) return undefined;
      const [row] = await connection.rows("select json_deserialize_sql($1::VARCHAR) as sql", [
        JSON.stringify(framed(frame, expression)),
      ]);
      found.push({ dataset, select: textOf(row?.["sql"]) });
    }
    return found;
  } catch (error) {
    if (error instanceof NotFollowed) return undefined;
    throw error;
  } finally {
    connection.close();
  }
}

function node(value: unknown): Node | undefined {
  return isNode(value) ? value : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** `select EXPRESSION as t from … where EXPRESSION is not null` */
function framed(frame: Node, expression: unknown): Node {
  const statement = node(list(frame["statements"])[0]);
  const select = node(statement?.["node"]);
  const computed = { ...node(withoutOwner(expression)), alias: "" };
  const where_clause = { ...node(select?.["where_clause"]), children: [computed] };
  const select_list = [{ ...computed, alias: "t" }];
  return { ...frame, statements: [{ ...statement, node: { ...select, select_list, where_clause } }] };
}

interface Place {
  readonly tables: ReadonlyMap<string, readonly Column[]>;
  readonly scope: Scope;
  readonly depth: number;
}

/** Column references that were followed name `[dataset, column]` in a node of this class. */
const FOLLOWED = "FOLLOWED";

/** @param name of a column, or its place where no star stands before it */
function outputOf(query: Node, name: string | number, place: Place): Alternatives {
  if (place.depth > DEEPEST) throw new NotFollowed();
  const inner = { ...place, scope: scopeOf(query, place.scope), depth: place.depth + 1 };
  if (query["type"] === "SET_OPERATION_NODE") return outputOfBoth(query, name, inner);
  if (query["type"] !== "SELECT_NODE") throw new NotFollowed();
  const items = list(query["select_list"]);
  const item = typeof name === "number" ? items[name] : items.find((one) => sameName(outputName(one), name));
  const sources = sourcesOf(query["from_table"], inner);
  if (item !== undefined) return follow(item, { ...inner, sources, items });
  if (typeof name === "number") throw new NotFollowed();
  const stars = items.filter((one) => node(one)?.["class"] === "STAR");
  if (stars.length === 0 || stars.some((star) => !isPlainStar(star))) throw new NotFollowed();
  const [star] = stars;
  const relation = text(node(star)?.["relation_name"]);
  return followName(relation === "" || stars.length > 1 ? [name] : [relation, name], { ...inner, sources, items: [] });
}

function outputOfBoth(query: Node, name: string | number, place: Place): Alternatives {
  const [left, right] = [node(query["left"]), node(query["right"])];
  if (left === undefined || right === undefined) throw new NotFollowed();
  const at = typeof name === "number" ? name : (namesOf(left)?.findIndex((one) => sameName(one, name)) ?? -1);
  const isByPlace = query["setop_type"] !== "UNION_BY_NAME" && at >= 0 && namesOf(right) !== undefined;
  return [...outputOf(left, name, place), ...outputOf(right, isByPlace ? at : name, place)];
}

/** Names of a query's columns; undefined where a star stands for some. */
function namesOf(query: Node): readonly string[] | undefined {
  const left = node(query["left"]);
  if (query["type"] === "SET_OPERATION_NODE") return left === undefined ? undefined : namesOf(left);
  const items = list(query["select_list"]);
  return items.some((item) => node(item)?.["class"] === "STAR") ? undefined : items.map(outputName);
}

function outputName(item: unknown): string {
  const alias = text(node(item)?.["alias"]);
  return alias !== "" || node(item)?.["class"] !== "COLUMN_REF"
    ? alias
    : text(list(node(item)?.["column_names"]).at(-1));
}

function sameName(one: string, other: string): boolean {
  return one !== "" && one.toLowerCase() === other.toLowerCase();
}

function isPlainStar(star: unknown): boolean {
  const { columns, expr, ...rest } = node(star) ?? {};
  return (
    columns !== true &&
    (expr === null || expr === undefined) &&
    ["exclude_list", "replace_list", "rename_list", "qualified_exclude_list"].every(
      (key) => list(rest[key]).length === 0,
    )
  );
}

function scopeOf(query: Node, outer: Scope): Scope {
  let scope = outer;
  for (const entry of list(node(query["cte_map"])?.["map"])) {
    const body = node(node(node(node(entry)?.["value"])?.["query"])?.["node"]);
    if (list(node(node(entry)?.["value"])?.["aliases"]).length > 0) throw new NotFollowed();
    // A common table expression sees those before it.
    if (body !== undefined)
      scope = new Map([...scope, [text(node(entry)?.["key"]).toLowerCase(), { query: body, scope }]]);
  }
  return scope;
}

/** One table of a FROM. */
interface SourceTable {
  readonly alias: string;
  readonly resolve: (column: string) => Alternatives | undefined;
}

function sourcesOf(from: unknown, place: Place): readonly SourceTable[] {
  const table = node(from);
  const type = text(table?.["type"]);
  if (table === undefined || type === "EMPTY") return [];
  if (type === "JOIN") return [...sourcesOf(table["left"], place), ...sourcesOf(table["right"], place)];
  if (list(table["column_name_alias"]).length > 0) throw new NotFollowed();
  const alias = text(table["alias"]);
  if (type === "SUBQUERY") {
    const query = node(node(table["subquery"])?.["node"]);
    return [{ alias, resolve: (column) => (query === undefined ? undefined : tryOutput(query, column, place)) }];
  }
  const name = text(table["table_name"]);
  if (type !== "BASE_TABLE") return [{ alias, resolve: () => undefined }];
  const common = place.scope.get(name.toLowerCase());
  const called = alias === "" ? name : alias;
  if (common !== undefined)
    return [{ alias: called, resolve: (column) => tryOutput(common.query, column, { ...place, scope: common.scope }) }];
  const columns = place.tables.get(name) ?? [];
  return [
    {
      alias: called,
      resolve: (column) => {
        const found = columns.find((one) => sameName(one.name, column));
        return found === undefined ? undefined : [{ class: FOLLOWED, dataset: name, column: found.name }];
      },
    },
  ];
}

function tryOutput(query: Node, column: string, place: Place): Alternatives | undefined {
  try {
    return outputOf(query, column, place);
  } catch (error) {
    if (error instanceof NotFollowed) return undefined;
    throw error;
  }
}

interface SelectPlace extends Place {
  readonly sources: readonly SourceTable[];
  /** Of the SELECT: an expression may use the name of another one. */
  readonly items: readonly unknown[];
}

/** An expression with each reference to a column followed to its dataset. */
function follow(value: unknown, place: SelectPlace): Alternatives {
  if (Array.isArray(value))
    return combine(
      value.map((item) => follow(item, place)),
      (items) => items,
    );
  if (!isNode(value)) return [value];
  if (value["class"] === "COLUMN_REF") return followName(list(value["column_names"]).map(text), place);
  if (["SUBQUERY", "PARAMETER", "WINDOW", "LAMBDA", "STAR"].includes(text(value["class"]))) throw new NotFollowed();
  const keys = Object.keys(value);
  return combine(
    keys.map((key) => follow(value[key], place)),
    (members) => Object.fromEntries(keys.map((key, index) => [key, members[index]])),
  );
}

function followName(names: readonly string[], place: SelectPlace): Alternatives {
  const [column = "", qualifier] = names.toReversed();
  if (names.length > 2 || place.depth > DEEPEST) throw new NotFollowed();
  const asked =
    qualifier === undefined ? place.sources : place.sources.filter(({ alias }) => sameName(alias, qualifier));
  const found = asked.flatMap(({ resolve }) => {
    const alternatives = resolve(column);
    return alternatives === undefined ? [] : [alternatives];
  });
  const [only] = found;
  if (found.length === 1 && only !== undefined) return only;
  const item = place.items.find((one) => sameName(text(node(one)?.["alias"]), column));
  if (found.length > 0 || qualifier !== undefined || item === undefined) throw new NotFollowed();
  return follow(item, { ...place, depth: place.depth + 1 });
}

function combine(parts: readonly Alternatives[], make: (chosen: readonly unknown[]) => unknown): Alternatives {
  let chosen: readonly (readonly unknown[])[] = [[]];
  for (const alternatives of parts) {
    chosen = chosen.flatMap((before) => alternatives.map((one) => [...before, one]));
    if (chosen.length > MOST_ALTERNATIVES) throw new NotFollowed();
  }
  return chosen.map(make);
}

/** The one dataset that all columns of an expression are of. */
function ownerOf(expression: unknown): string | undefined {
  const owners = new Set<string>();
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const item of value) visit(item);
    if (!isNode(value)) return;
    if (value["class"] === FOLLOWED) owners.add(text(value["dataset"]));
    else for (const member of Object.values(value)) visit(member);
  };
  visit(expression);
  return owners.size === 1 ? [...owners][0] : undefined;
}

function withoutOwner(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOwner);
  if (!isNode(value)) return value;
  return value["class"] === FOLLOWED
    ? { class: "COLUMN_REF", type: "COLUMN_REF", alias: "", query_location: 0, column_names: [value["column"]] }
    : Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutOwner(member)]));
}
