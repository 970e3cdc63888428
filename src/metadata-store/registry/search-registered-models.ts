import { type SqlBool, sql, type RawBuilder } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { isQueryingPrompts, promptsAside } from "./prompt-condition.ts";
import { cutPage, isAfter, type OrderColumn, orderList, type Position, positionColumns } from "./keyset.ts";
import { hydrateRegisteredModels, type RegisteredModel, type RegisteredModelRow } from "./registered-model.ts";
import { type TextTest, textMatches } from "./text-match.ts";

const LARGEST_PAGE = 1000;

export type RegisteredModelCondition = TextTest &
  ({ readonly on: "name" } | { readonly on: "tag"; readonly key: string });

export interface RegisteredModelQuery {
  /** All must hold. Prompts are left out unless a condition is on their tag. */
  readonly conditions?: readonly RegisteredModelCondition[];
  /** Default: by name. */
  readonly orderBy?: readonly { readonly by: "name" | "updated"; readonly descending: boolean }[];
  /** At most 1,000; default 100. */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly after?: Position;
}

/** A page of registered models and where the next one starts. */
export async function searchRegisteredModels(
  transaction: ReadTransaction,
  query: RegisteredModelQuery,
): Promise<{ readonly models: readonly RegisteredModel[]; readonly next: Position | undefined }> {
  const limit = Math.min(query.limit ?? 100, LARGEST_PAGE);
  const columns = toOrder(query.orderBy ?? []);
  const where = promptsAside(query.conditions ?? []).map((condition) => toSql(transaction, condition));
  if (!isQueryingPrompts(query.conditions ?? [])) where.push(sql`m.is_prompt = 0`);
  if (query.after !== undefined) where.push(isAfter(columns, query.after));
  const { rows } = await sql<RegisteredModelRow & Record<string, unknown>>`
    select m.*, ${positionColumns(columns)} from registered_model m
    where ${sql.join(where, sql` and `)} order by ${orderList(columns)} limit ${limit + 1}`.execute(transaction);
  const { page, next } = cutPage(rows, limit, columns);
  return { models: await hydrateRegisteredModels(transaction, page), next };
}

function toSql(transaction: ReadTransaction, condition: RegisteredModelCondition): RawBuilder<SqlBool> {
  if (condition.on === "name") return textMatches(transaction, sql.ref("m.name"), condition);
  return sql`exists (select 1 from registered_model_tag t where t.registered_model_id = m.id and t.key = ${condition.key}
    and ${textMatches(transaction, sql.ref("t.value"), condition)})`;
}

function toOrder(orderBy: NonNullable<RegisteredModelQuery["orderBy"]>): readonly OrderColumn[] {
  const columns = orderBy.map(({ by, descending }) => ({
    value: sql.ref(by === "name" ? "m.name" : "m.updated_at_ms"),
    descending,
  }));
  return orderBy.some(({ by }) => by === "name")
    ? columns
    : [...columns, { value: sql.ref("m.name"), descending: false }];
}
