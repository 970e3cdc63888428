import { type RawBuilder, type SqlBool, sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { PROMPT_TAG } from "./create-registered-model.ts";
import { isQueryingPrompts, promptsAside } from "./prompt-condition.ts";
import { cutPage, isAfter, type OrderColumn, orderList, type Position, positionColumns } from "./keyset.ts";
import { hydrateModelVersions, type ModelVersion, type ModelVersionRow } from "./model-version.ts";
import { type NumberComparator, numberMatches, type TextTest, textMatches } from "./text-match.ts";

const LARGEST_PAGE = 200_000;

export type ModelVersionCondition =
  | (TextTest & ({ readonly on: "name" | "source" | "run_id" } | { readonly on: "tag"; readonly key: string }))
  | { readonly on: "version"; readonly comparator: NumberComparator; readonly value: number };

export const MODEL_VERSION_ORDERS = ["name", "version", "created", "updated"] as const;
export type ModelVersionOrder = (typeof MODEL_VERSION_ORDERS)[number];

export interface ModelVersionQuery {
  /** All must hold. Prompt versions are left out unless a condition is on their tag. */
  readonly conditions?: readonly ModelVersionCondition[];
  /** Default: last updated first. */
  readonly orderBy?: readonly { readonly by: ModelVersionOrder; readonly descending: boolean }[];
  /** At most 200,000; default 10,000. */
  readonly limit?: number;
  readonly after?: Position;
}

const COLUMN = {
  name: "m.name",
  version: "v.version",
  created: "v.created_at_ms",
  updated: "v.updated_at_ms",
} as const;

/** A page of model versions, of all registered models, and where the next one starts. */
export async function searchModelVersions(
  transaction: ReadTransaction,
  query: ModelVersionQuery,
): Promise<{ readonly versions: readonly ModelVersion[]; readonly next: Position | undefined }> {
  const limit = Math.min(query.limit ?? 10_000, LARGEST_PAGE);
  const columns = toOrder(query.orderBy ?? []);
  const where = promptsAside(query.conditions ?? []).map((condition) => toSql(transaction, condition));
  if (!isQueryingPrompts(query.conditions ?? [])) where.push(isNoPrompt);
  if (query.after !== undefined) where.push(isAfter(columns, query.after));
  const { rows } = await sql<ModelVersionRow & Record<string, unknown>>`
    select v.*, m.name, ${positionColumns(columns)} from model_version v join registered_model m on m.id = v.registered_model_id
    where ${sql.join(where, sql` and `)} order by ${orderList(columns)} limit ${limit + 1}`.execute(transaction);
  const { page, next } = cutPage(rows, limit, columns);
  return { versions: await hydrateModelVersions(transaction, page), next };
}

const isNoPrompt: RawBuilder<SqlBool> = sql<SqlBool>`m.is_prompt = 0 and not exists (
  select 1 from model_version_tag t where t.model_version_id = v.id and t.key = ${PROMPT_TAG} and t.value = 'true')`;

function toSql(transaction: ReadTransaction, condition: ModelVersionCondition): RawBuilder<SqlBool> {
  switch (condition.on) {
    case "version":
      return numberMatches(sql.ref("v.version"), condition.comparator, condition.value);
    case "tag":
      return sql`exists (select 1 from model_version_tag t where t.model_version_id = v.id and t.key = ${condition.key}
        and ${textMatches(transaction, sql.ref("t.value"), condition)})`;
    case "run_id":
      // MLflow keeps "" where there is no run: `run_id != 'x'` finds those versions too.
      return textMatches(transaction, sql`coalesce(v.run_id, '')`, condition);
    case "source":
      return textMatches(transaction, sql.ref("v.source"), condition);
    case "name":
      return textMatches(transaction, sql.ref("m.name"), condition);
  }
}

function toOrder(orderBy: NonNullable<ModelVersionQuery["orderBy"]>): readonly OrderColumn[] {
  const wanted: { by: ModelVersionOrder; descending: boolean }[] = [...orderBy];
  if (wanted.length === 0) wanted.push({ by: "updated", descending: true });
  // Ties go by name, then the newest first. Source: MLflow's `_parse_search_model_versions_order_by`.
  for (const column of [
    { by: "name", descending: false },
    { by: "version", descending: true },
  ] as const) {
    if (!wanted.some(({ by }) => by === column.by)) wanted.push(column);
  }
  return wanted.map(({ by, descending }) => ({ value: sql.ref(COLUMN[by]), descending }));
}
