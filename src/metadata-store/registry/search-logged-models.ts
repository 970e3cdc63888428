import { type Expression, type RawBuilder, type SqlBool, sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { cutPage, isAfter, type OrderColumn, orderList, type Position, positionColumns } from "./keyset.ts";
import { hydrateLoggedModels, type LoggedModel, type LoggedModelRow } from "./logged-model.ts";
import { type NumberComparator, numberMatches, type TextTest, textMatches } from "./text-match.ts";

const LARGEST_PAGE = 1000;

/** Attributes of a logged model that hold text. */
export const LOGGED_MODEL_TEXTS = [
  "name",
  "model_id",
  "model_type",
  "status",
  "source_run_id",
  "experiment_id",
  "artifact_location",
] as const;
export type LoggedModelText = (typeof LOGGED_MODEL_TEXTS)[number];
export const LOGGED_MODEL_NUMBERS = ["creation_timestamp_ms", "last_updated_timestamp_ms"] as const;
export type LoggedModelNumber = (typeof LOGGED_MODEL_NUMBERS)[number];

export type LoggedModelCondition =
  | (TextTest &
      (
        | { readonly on: "attribute"; readonly key: LoggedModelText }
        | { readonly on: "param" | "tag"; readonly key: string }
      ))
  | {
      readonly on: "number";
      readonly key: LoggedModelNumber;
      readonly comparator: NumberComparator;
      readonly value: number;
    }
  | { readonly on: "metric"; readonly key: string; readonly comparator: NumberComparator; readonly value: number };

/** A dataset by name, and by digest when one is given. */
export interface DatasetKey {
  readonly name: string;
  readonly digest: string | undefined;
}

export type LoggedModelOrder = { readonly descending: boolean } & (
  | { readonly by: LoggedModelText | LoggedModelNumber }
  | {
      readonly metric: string;
      readonly dataset?: { readonly name: string | undefined; readonly digest: string | undefined };
    }
);

export interface LoggedModelQuery {
  readonly experimentIds: readonly string[];
  readonly conditions?: readonly LoggedModelCondition[];
  /** Metric conditions look only at these; without metric conditions, models that have any metric on one of them. */
  readonly datasets?: readonly DatasetKey[];
  /** Default: newest first. */
  readonly orderBy?: readonly LoggedModelOrder[];
  /** At most 1,000; default 100. */
  readonly limit?: number;
  readonly after?: Position;
}

const COLUMN: Readonly<Record<LoggedModelText | LoggedModelNumber, string>> = {
  name: "m.name",
  model_id: "m.id",
  model_type: "m.model_type",
  status: "m.status",
  source_run_id: "m.source_run_id",
  experiment_id: "m.experiment_id",
  artifact_location: "m.artifact_uri",
  creation_timestamp_ms: "m.created_at_ms",
  last_updated_timestamp_ms: "m.updated_at_ms",
};

/** A page of logged models that are not deleted, and where the next one starts. */
export async function searchLoggedModels(
  transaction: ReadTransaction,
  query: LoggedModelQuery,
): Promise<{ readonly models: readonly LoggedModel[]; readonly next: Position | undefined }> {
  if (query.experimentIds.length === 0) return { models: [], next: undefined };
  const limit = Math.min(query.limit ?? 100, LARGEST_PAGE);
  const columns = toOrder(query.orderBy ?? []);
  const datasets = query.datasets ?? [];
  const conditions = query.conditions ?? [];
  const where: RawBuilder<SqlBool>[] = [
    sql`m.deleted = 0`,
    sql`m.experiment_id in (${sql.join([...query.experimentIds])})`,
  ];
  where.push(...conditions.map((condition) => toSql(transaction, condition, datasets)));
  if (datasets.length > 0 && !conditions.some(({ on }) => on === "metric")) {
    where.push(
      sql`exists (select 1 from logged_model_metric x where x.logged_model_id = m.id and ${onDatasets(datasets)})`,
    );
  }
  if (query.after !== undefined) where.push(isAfter(columns, query.after));
  const { rows } = await sql<LoggedModelRow & Record<string, unknown>>`
    select m.*, ${positionColumns(columns)} from logged_model m
    where ${sql.join(where, sql` and `)} order by ${orderList(columns)} limit ${limit + 1}`.execute(transaction);
  const { page, next } = cutPage(rows, limit, columns);
  return { models: await hydrateLoggedModels(transaction, page), next };
}

function toSql(
  transaction: ReadTransaction,
  condition: LoggedModelCondition,
  datasets: readonly DatasetKey[],
): RawBuilder<SqlBool> {
  switch (condition.on) {
    case "attribute":
      return textMatches(transaction, sql.ref(COLUMN[condition.key]), condition);
    case "number":
      return numberMatches(sql.ref(COLUMN[condition.key]), condition.comparator, condition.value);
    case "param":
    case "tag":
      return sql`exists (select 1 from ${sql.table(`logged_model_${condition.on}`)} x where x.logged_model_id = m.id
        and x.key = ${condition.key} and ${textMatches(transaction, sql.ref("x.value"), condition)})`;
    case "metric":
      return sql`exists (select 1 from logged_model_metric x where x.logged_model_id = m.id and x.key = ${condition.key}
        and ${metricMatches(condition.comparator, condition.value)} and ${datasets.length === 0 ? sql`1 = 1` : onDatasets(datasets)})`;
  }
}

/** NaN matches `!=` only. */
function metricMatches(comparator: NumberComparator, value: number): RawBuilder<SqlBool> {
  const matches = numberMatches(sql.ref("x.value"), comparator, value);
  return comparator === "!=" ? sql`(x.is_nan = 1 or ${matches})` : sql`(x.is_nan = 0 and ${matches})`;
}

function onDatasets(datasets: readonly DatasetKey[]): RawBuilder<SqlBool> {
  const each = datasets.map(({ name, digest }) =>
    digest === undefined
      ? sql`x.dataset_name = ${name}`
      : sql`(x.dataset_name = ${name} and x.dataset_digest = ${digest})`,
  );
  return sql`(${sql.join(each, sql` or `)})`;
}

/** Missing values come last in both directions, NaN before them. */
function toOrder(orderBy: readonly LoggedModelOrder[]): readonly OrderColumn[] {
  const columns: OrderColumn[] = [];
  for (const order of orderBy) {
    const { descending } = order;
    if ("metric" in order) {
      columns.push(
        { value: latest(order, sql`case when x.is_nan = 1 then 1 else 0 end`, 2), descending: false },
        { value: latest(order, sql.ref("x.value"), 0), descending },
      );
    } else {
      const column = sql.ref(COLUMN[order.by]);
      const missing = order.by.endsWith("_ms") ? sql`0` : sql`''`;
      columns.push(
        { value: sql`case when ${column} is null then 1 else 0 end`, descending: false },
        { value: sql`coalesce(${column}, ${missing})`, descending },
      );
    }
  }
  const by = new Set(orderBy.map((order) => ("by" in order ? order.by : "")));
  if (!by.has("creation_timestamp_ms")) columns.push({ value: sql.ref("m.created_at_ms"), descending: true });
  if (!by.has("model_id")) columns.push({ value: sql.ref("m.id"), descending: false });
  return columns;
}

function latest(
  order: Extract<LoggedModelOrder, { metric: string }>,
  value: Expression<unknown>,
  missing: number,
): RawBuilder<unknown> {
  const onDataset = sql.join(
    [
      sql`1 = 1`,
      ...(order.dataset?.name === undefined ? [] : [sql`x.dataset_name = ${order.dataset.name}`]),
      ...(order.dataset?.digest === undefined ? [] : [sql`x.dataset_digest = ${order.dataset.digest}`]),
    ],
    sql` and `,
  );
  return sql`coalesce((select ${value} from logged_model_metric x where x.logged_model_id = m.id and x.key = ${order.metric} and ${onDataset}
    order by x.timestamp_ms desc, x.step desc, x.run_id limit 1), ${sql.lit(missing)})`;
}
