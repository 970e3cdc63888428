import { type RawBuilder, type SqlBool, sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { cutPage, isAfter, type OrderColumn, orderList, type Position, positionColumns } from "../registry/keyset.ts";
import { type NumberComparator, type TextComparator, type TextTest, textMatches } from "../registry/text-match.ts";
import { hydrateRuns } from "./hydrate-runs.ts";
import { type Run, type RunRow, toRunInfo } from "./run.ts";
import type { LifecycleStage } from "./tables.ts";

export interface RunCondition {
  readonly entity: "metric" | "parameter" | "tag" | "attribute" | "dataset";
  /** Of attributes the column. */
  readonly key: string;
  readonly comparator: TextComparator | NumberComparator | "IS NULL" | "IS NOT NULL";
  readonly value?: string | number | readonly string[];
}

export interface RunOrder {
  readonly entity: "metric" | "parameter" | "tag" | "attribute" | "dataset";
  readonly key: string;
  readonly ascending: boolean;
}

export interface RunQuery {
  readonly experimentIds: readonly number[];
  readonly stages: readonly LifecycleStage[];
  /** All must hold. NaN matches `!=` only; what is missing matches nothing but IS NULL. */
  readonly conditions: readonly RunCondition[];
  /** Missing values come last in both directions, NaN before them. Ties: newest start first, then by id. */
  readonly order: readonly RunOrder[];
  readonly limit: number;
  readonly after?: Position;
}

const NUMERIC_COLUMNS = ["start_time", "end_time"];

/** A page of runs, and where the next one starts. */
export async function searchRuns(
  transaction: ReadTransaction,
  query: RunQuery,
): Promise<{ readonly runs: readonly Run[]; readonly next: Position | undefined }> {
  if (query.experimentIds.length === 0) return { runs: [], next: undefined };
  const joins: RawBuilder<unknown>[] = [];
  const order = query.order.flatMap((key, index) => orderColumns(key, index, joins));
  if (!query.order.some(({ entity, key }) => entity === "attribute" && key === "start_time"))
    order.push({ value: sql.ref("run.start_time"), descending: true });
  order.push({ value: sql.ref("run.run_id"), descending: false });
  const conditions = query.conditions.map((condition) => toSql(transaction, condition));
  if (query.after !== undefined) conditions.push(isAfter(order, query.after));
  const { rows } = await sql<RunRow & Record<string, unknown>>`
    select run.*, ${positionColumns(order)} from run ${sql.join(joins, sql` `)}
    where run.experiment_id in (${sql.raw(query.experimentIds.map(toInteger).join(","))}) and run.lifecycle_stage in (${sql.join([...query.stages])})
    ${sql.join(
      conditions.map((condition) => sql`and ${condition}`),
      sql` `,
    )}
    order by ${orderList(order)} limit ${query.limit + 1}`.execute(transaction);
  const { page, next } = cutPage(rows, query.limit, order);
  return { runs: await hydrateRuns(transaction, page.map(toRunInfo)), next };
}

/** Ids stand in the text: a search over all experiments may name more than a statement has parameters. */
function toInteger(id: number): string {
  return Math.trunc(id).toFixed(0);
}

/** Missing last, then by value: two or three columns per key, none of them null. */
function orderColumns(
  { entity, key, ascending }: RunOrder,
  index: number,
  joins: RawBuilder<unknown>[],
): OrderColumn[] {
  const descending = !ascending;
  if (entity === "attribute") {
    const column = sql.ref(`run.${key}`);
    if (key !== "end_time") return [{ value: column, descending }];
    return [
      { value: sql`case when ${column} is null then 1 else 0 end`, descending: false },
      { value: sql`coalesce(${column}, 0)`, descending },
    ];
  }
  const name = `order_${index}`;
  const table = { metric: "run_latest_metric", parameter: "run_param", tag: "run_tag", dataset: "run_dataset" }[entity];
  joins.push(
    sql`left join ${sql.table(table)} as ${sql.ref(name)} on ${sql.ref(`${name}.run`)} = run.number and ${sql.ref(`${name}.key`)} = ${key}`,
  );
  const value = sql.ref(`${name}.value`);
  if (entity === "metric") {
    return [
      {
        value: sql`case when ${value} is null then 2 when ${sql.ref(`${name}.is_nan`)} = 1 then 1 else 0 end`,
        descending: false,
      },
      { value: sql`coalesce(${value}, 0)`, descending },
    ];
  }
  return [
    { value: sql`case when ${value} is null then 1 else 0 end`, descending: false },
    { value: sql`coalesce(${value}, '')`, descending },
  ];
}

function toSql(transaction: ReadTransaction, condition: RunCondition): RawBuilder<SqlBool> {
  const { entity, key, comparator } = condition;
  switch (entity) {
    case "metric":
      return sql`exists (select 1 from run_latest_metric m where m.run = run.number and m.key = ${key} and ${metricMatches(condition)})`;
    case "parameter":
    case "tag": {
      const found = sql`select 1 from ${sql.table(entity === "tag" ? "run_tag" : "run_param")} v where v.run = run.number and v.key = ${key}`;
      if (comparator === "IS NULL") return sql`not exists (${found})`;
      if (comparator === "IS NOT NULL") return sql`exists (${found})`;
      return sql`exists (${found} and ${textMatches(transaction, sql.ref("v.value"), textTest(condition))})`;
    }
    case "attribute": {
      const column = sql.ref(`run.${key}`);
      return NUMERIC_COLUMNS.includes(key)
        ? numberTest(column, condition)
        : textMatches(transaction, column, textTest(condition));
    }
    case "dataset": {
      const column = sql.ref(key === "context" ? "r.context" : `d.${key}`);
      return sql`exists (select 1 from run_dataset r join dataset d on d.number = r.dataset
        where r.run = run.number and ${textMatches(transaction, column, textTest(condition))})`;
    }
  }
}

function metricMatches(condition: RunCondition): RawBuilder<SqlBool> {
  const matches = numberTest(sql.ref("m.value"), condition);
  return condition.comparator === "!=" ? sql`(m.is_nan = 1 or ${matches})` : sql`(m.is_nan = 0 and ${matches})`;
}

/** The number stands in the text: PostgreSQL would take a parameter for a bigint where the column is one. */
function numberTest(column: RawBuilder<unknown>, { comparator, value }: RunCondition): RawBuilder<SqlBool> {
  const number = Math.min(Math.max(Number(value), -Number.MAX_VALUE), Number.MAX_VALUE);
  return sql`${column} ${sql.raw(comparator === "!=" ? "<>" : comparator)} ${sql.raw(`(${number.toExponential()})`)}`;
}

function textTest({ comparator, value }: RunCondition): TextTest {
  return { comparator: comparator as TextComparator, value: value as string | readonly string[] };
}
