import { type Expression, type RawBuilder, type SqlBool, sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { cutPage, isAfter, type OrderColumn, orderList, type Position, positionColumns } from "../registry/keyset.ts";
import { type NumberComparator, numberMatches, type TextComparator, textMatches } from "../registry/text-match.ts";
import { type Experiment, hydrateExperiments } from "./experiment.ts";
import type { LifecycleStage } from "./tables.ts";

export interface ExperimentCondition {
  readonly entity: "attribute" | "tag";
  readonly key: string;
  readonly comparator: TextComparator | NumberComparator | "IS NULL" | "IS NOT NULL";
  readonly value?: string | number | readonly string[];
}

export interface ExperimentQuery {
  readonly stages: readonly LifecycleStage[];
  readonly conditions: readonly ExperimentCondition[];
  /** Columns: `name`, `creation_time`, `last_update_time`, `experiment_id`. Ties go by id. */
  readonly order: readonly { readonly key: string; readonly ascending: boolean }[];
  readonly limit: number;
  /** Where the page before ended. */
  readonly after?: Position;
}

const NUMERIC = ["creation_time", "last_update_time", "experiment_id"];

/** A page of experiments, and where the next one starts. */
export async function searchExperiments(
  transaction: ReadTransaction,
  query: ExperimentQuery,
): Promise<{ readonly experiments: readonly Experiment[]; readonly next: Position | undefined }> {
  const order: OrderColumn[] = query.order.map(({ key, ascending }) => ({
    value: sql.ref(`experiment.${key}`),
    descending: !ascending,
  }));
  if (order.length === 0) order.push({ value: sql.ref("experiment.creation_time"), descending: true });
  order.push({ value: sql.ref("experiment.experiment_id"), descending: false });
  const conditions: Expression<SqlBool>[] = query.conditions.map((condition) => toSql(transaction, condition));
  if (query.after !== undefined) conditions.push(isAfter(order, query.after));
  const { rows } = await sql<Parameters<typeof hydrateExperiments>[1][number] & Record<string, unknown>>`
    select experiment.*, ${positionColumns(order)} from experiment
    where lifecycle_stage in (${sql.join([...query.stages])}) ${sql.join(
      conditions.map((condition) => sql`and ${condition}`),
      sql` `,
    )}
    order by ${orderList(order)} limit ${query.limit + 1}`.execute(transaction);
  const { page, next } = cutPage(rows, query.limit, order);
  return { experiments: await hydrateExperiments(transaction, page), next };
}

function toSql(
  transaction: ReadTransaction,
  { entity, key, comparator, value }: ExperimentCondition,
): RawBuilder<SqlBool> {
  if (entity === "attribute") {
    const column = sql.ref(`experiment.${key}`);
    if (NUMERIC.includes(key)) return numberMatches(column, comparator as NumberComparator, value as number);
    return textMatches(transaction, column, { comparator: comparator as TextComparator, value: value as string });
  }
  const tag = sql`select 1 from experiment_tag t where t.experiment_id = experiment.experiment_id and t.key = ${key}`;
  if (comparator === "IS NULL") return sql`not exists (${tag})`;
  if (comparator === "IS NOT NULL") return sql`exists (${tag})`;
  return sql`exists (${tag} and ${textMatches(transaction, sql.ref("t.value"), { comparator: comparator as TextComparator, value: value as string })})`;
}
