import { sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { EndpointKey } from "../serving/endpoint.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** Lengths in which events are counted: the last hours by minute, the rest by hour. */
export const COUNT_SPANS = ["minute", "hour"] as const;
export type CountSpan = (typeof COUNT_SPANS)[number];

/** What happened of one promise of an endpoint in one minute. */
export interface ObjectiveCount extends EndpointKey {
  /** What is promised, in words that are another's where the promise is. */
  readonly objective: string;
  readonly atMs: number;
  /** Events that kept the promise, of all that count. */
  readonly good: number;
  readonly total: number;
}

/** Adds to the minute and the hour of each count. */
export async function addObjectiveCounts(
  transaction: WriteTransaction,
  counts: readonly ObjectiveCount[],
): Promise<void> {
  const rows = counts.flatMap(({ project, environment, endpoint, objective, atMs, good, total }) =>
    COUNT_SPANS.map((span) => {
      const length = span === "minute" ? MINUTE_MS : HOUR_MS;
      const start_ms = Math.floor(atMs / length) * length;
      return { project, environment, endpoint, objective, span, start_ms, good, total };
    }),
  );
  // In one order, so that two writers never wait for each other.
  const nameOf = (row: (typeof rows)[number]): string =>
    JSON.stringify([row.project, row.environment, row.endpoint, row.objective, row.span, row.start_ms]);
  for (const row of rows.toSorted((left, right) => (nameOf(left) < nameOf(right) ? -1 : 1)))
    await transaction
      .insertInto("objective_count")
      .values(row)
      .onConflict((conflict) =>
        conflict.columns(["project", "environment", "endpoint", "objective", "span", "start_ms"]).doUpdateSet({
          good: sql<number>`objective_count.good + excluded.good`,
          total: sql<number>`objective_count.total + excluded.total`,
        }),
      )
      .execute();
}

/** Events of one promise from a time on, and how many kept it. */
export async function sumObjectiveCounts(
  transaction: ReadTransaction,
  of: EndpointKey & {
    readonly objective: string;
    readonly span: CountSpan;
    /** Start of the first minute or hour, epoch ms. */
    readonly fromMs: number;
  },
): Promise<{ readonly good: number; readonly total: number }> {
  const row = await transaction
    .selectFrom("objective_count")
    .select(({ fn }) => [fn.sum<number>("good").as("good"), fn.sum<number>("total").as("total")])
    .where("project", "=", of.project)
    .where("environment", "=", of.environment)
    .where("endpoint", "=", of.endpoint)
    .where("objective", "=", of.objective)
    .where("span", "=", of.span)
    .where("start_ms", ">=", of.fromMs)
    .executeTakeFirst();
  return { good: Number(row?.good ?? 0), total: Number(row?.total ?? 0) };
}

/** Forgets what no window reaches back to. */
export async function removeObjectiveCounts(
  transaction: WriteTransaction,
  of: { readonly project: string; readonly span: CountSpan; readonly beforeMs: number },
): Promise<void> {
  await transaction
    .deleteFrom("objective_count")
    .where("project", "=", of.project)
    .where("span", "=", of.span)
    .where("start_ms", "<", of.beforeMs)
    .execute();
}
