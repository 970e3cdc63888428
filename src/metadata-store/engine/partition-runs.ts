import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import type { PipelineRunStatus } from "./tables.ts";

/** The newest run of one partition of a pipeline. */
export interface PartitionRun {
  readonly partition: string;
  readonly pipelineRunId: string;
  readonly status: PipelineRunStatus;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
}

/** The newest run of each partition that ever had one: a look at an index, then at one run of each. */
export async function listPartitionRuns(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly pipeline: string },
): Promise<readonly PartitionRun[]> {
  const newest = transaction
    .selectFrom("pipeline_run")
    .select((select) => select.fn.max("id").as("id"))
    .where("project", "=", of.project)
    .where("pipeline", "=", of.pipeline)
    .where("partition", "is not", null)
    .groupBy("partition");
  const rows = await transaction
    .selectFrom("pipeline_run")
    .select(["id", "partition", "status", "started_at_ms", "finished_at_ms"])
    .where("id", "in", newest)
    .execute();
  return rows.map((row) => ({
    partition: row.partition ?? "",
    pipelineRunId: row.id,
    status: row.status,
    startedAtMs: row.started_at_ms ?? undefined,
    finishedAtMs: row.finished_at_ms ?? undefined,
  }));
}

/** How long the last successful runs of partitions took, milliseconds: the median of at most 200; undefined of none. */
export async function medianPartitionRun(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly pipeline: string },
): Promise<number | undefined> {
  const rows = await transaction
    .selectFrom("pipeline_run")
    .select(sql<number>`finished_at_ms - started_at_ms`.as("took"))
    .where("project", "=", of.project)
    .where("pipeline", "=", of.pipeline)
    .where("partition", "is not", null)
    .where("status", "=", "succeeded")
    .where("started_at_ms", "is not", null)
    .orderBy("id", "desc")
    .limit(200)
    .execute();
  const took = rows.map((row) => Number(row.took)).toSorted((left, right) => left - right);
  return took[Math.floor(took.length / 2)];
}

/** Which step run gave each of these cache keys. */
export async function listCachedKeys(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly keys: readonly string[] },
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (let start = 0; start < of.keys.length; start += KEYS_PER_QUERY) {
    const rows = await transaction
      .selectFrom("cache_entry")
      .select(["key", "step_run_id"])
      .where("project", "=", of.project)
      .where("key", "in", of.keys.slice(start, start + KEYS_PER_QUERY))
      .execute();
    for (const row of rows) found.set(row.key, row.step_run_id);
  }
  return found;
}

const KEYS_PER_QUERY = 1000;
