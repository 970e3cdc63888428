import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { LARGEST_PAGE } from "../largest-page.ts";
import type { BackfillPartitionStatus, BackfillStatus, PipelineRunStatus, PipelineTables } from "./tables.ts";

const ROWS_PER_INSERT = 500;

/** Many partitions of one pipeline that are made one by one. */
export interface Backfill {
  readonly id: string;
  readonly project: string;
  readonly pipeline: string;
  readonly status: BackfillStatus;
  /** What was asked for, in the words of who asked. */
  readonly request: Readonly<Record<string, unknown>>;
  readonly params: Readonly<Record<string, unknown>>;
  /** So many of its runs at once. */
  readonly maxParallel: number;
  /** The first failure ends it. */
  readonly failFast: boolean;
  readonly actor: string;
  readonly createdAtMs: number;
  readonly finishedAtMs: number | undefined;
}

/** One partition of a backfill. */
export interface BackfillPartition {
  readonly position: number;
  readonly partition: string;
  readonly status: BackfillPartitionStatus;
  readonly pipelineRunId: string | undefined;
}

export type BackfillCounts = Readonly<Record<BackfillPartitionStatus, number>>;

export async function insertBackfill(
  transaction: WriteTransaction,
  backfill: Omit<Backfill, "status" | "finishedAtMs"> & { readonly partitions: readonly string[] },
): Promise<void> {
  const { id, project, pipeline, actor, createdAtMs, partitions } = backfill;
  await transaction
    .insertInto("backfill")
    .values({
      id,
      project,
      pipeline,
      status: "running",
      request: JSON.stringify(backfill.request),
      params: JSON.stringify(backfill.params),
      max_parallel: backfill.maxParallel,
      fail_fast: backfill.failFast ? 1 : 0,
      actor,
      created_at_ms: createdAtMs,
      finished_at_ms: null,
      revision: 0,
    })
    .execute();
  const rows = partitions.map((partition, position) => ({
    backfill_id: id,
    position,
    partition,
    status: "pending" as const,
    pipeline_run_id: null,
  }));
  for (let start = 0; start < rows.length; start += ROWS_PER_INSERT)
    await transaction
      .insertInto("backfill_partition")
      .values(rows.slice(start, start + ROWS_PER_INSERT))
      .execute();
  await appendBackfillEvent(transaction, backfill, { what: "started", actor, atMs: createdAtMs });
}

export async function appendBackfillEvent(
  transaction: WriteTransaction,
  { id, project, pipeline }: Pick<Backfill, "id" | "project" | "pipeline">,
  event: {
    readonly what: "started" | "paused" | "resumed" | "cancelled" | "retried" | "succeeded" | "failed";
    readonly actor: string;
    readonly atMs: number;
  },
): Promise<void> {
  await appendEvent(transaction, {
    atMs: event.atMs,
    project,
    type: `backfill.${event.what}`,
    subjectKind: "backfill",
    subject: id,
    actor: event.actor,
    data: { pipeline },
  });
}

/** One backfill, its changes made to wait for this transaction; undefined when there is none. */
export async function lockBackfill(transaction: WriteTransaction, id: string): Promise<Backfill | undefined> {
  const row = await transaction
    .updateTable("backfill")
    .set((update) => ({ revision: update("revision", "+", 1) }))
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirst();
  return row === undefined ? undefined : toBackfill(row);
}

export async function findBackfill(transaction: ReadTransaction, id: string): Promise<Backfill | undefined> {
  const row = await transaction.selectFrom("backfill").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toBackfill(row);
}

/** Newest first; `before` is the last id of the page before. At most 1,000; default 50. */
export async function listBackfills(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly pipeline?: string | undefined;
    readonly status?: BackfillStatus | undefined;
    readonly before?: string | undefined;
    readonly limit?: number | undefined;
  },
): Promise<readonly Backfill[]> {
  let select = transaction.selectFrom("backfill").selectAll().where("project", "=", query.project);
  if (query.pipeline !== undefined) select = select.where("pipeline", "=", query.pipeline);
  if (query.status !== undefined) select = select.where("status", "=", query.status);
  if (query.before !== undefined) select = select.where("id", "<", query.before);
  const rows = await select
    .orderBy("id", "desc")
    .limit(Math.min(query.limit ?? 50, LARGEST_PAGE))
    .execute();
  return rows.map(toBackfill);
}

/** Ids of backfills that may have something to begin or to end. */
export async function listOpenBackfills(transaction: ReadTransaction, project: string): Promise<readonly string[]> {
  const rows = await transaction
    .selectFrom("backfill")
    .select("id")
    .where("project", "=", project)
    .where((is) =>
      is.or([
        is("status", "=", "running"),
        is.and([
          is("status", "in", ["paused", "cancelled", "failed"]),
          is.exists(
            is
              .selectFrom("backfill_partition")
              .select("position")
              .whereRef("backfill_partition.backfill_id", "=", "backfill.id")
              .where("backfill_partition.status", "=", "running"),
          ),
        ]),
      ]),
    )
    .orderBy("id")
    .execute();
  return rows.map(({ id }) => id);
}

export async function setBackfillStatus(
  transaction: WriteTransaction,
  facts: { readonly id: string; readonly status: BackfillStatus; readonly finishedAtMs: number | undefined },
): Promise<void> {
  await transaction
    .updateTable("backfill")
    .set({ status: facts.status, finished_at_ms: facts.finishedAtMs ?? null })
    .where("id", "=", facts.id)
    .execute();
}

/** How many partitions of each of these backfills are in each status. */
export async function countBackfillPartitions(
  transaction: ReadTransaction,
  ids: readonly string[],
): Promise<ReadonlyMap<string, BackfillCounts>> {
  const counts = new Map<string, Record<BackfillPartitionStatus, number>>(
    ids.map((id) => [id, { pending: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 }]),
  );
  if (ids.length === 0) return counts;
  const rows = await transaction
    .selectFrom("backfill_partition")
    .select(["backfill_id", "status", (select) => select.fn.countAll<number>().as("count")])
    .where("backfill_id", "in", ids)
    .groupBy(["backfill_id", "status"])
    .execute();
  for (const row of rows) {
    const known = counts.get(row.backfill_id);
    if (known !== undefined) known[row.status] = Number(row.count);
  }
  return counts;
}

/** Partitions of a backfill in their order. `after` is the last position of the page before. At most 1,000. */
export async function listBackfillPartitions(
  transaction: ReadTransaction,
  query: {
    readonly backfillId: string;
    readonly status?: BackfillPartitionStatus | undefined;
    readonly after?: number | undefined;
    readonly limit?: number | undefined;
  },
): Promise<readonly BackfillPartition[]> {
  let select = transaction.selectFrom("backfill_partition").selectAll().where("backfill_id", "=", query.backfillId);
  if (query.status !== undefined) select = select.where("status", "=", query.status);
  if (query.after !== undefined) select = select.where("position", ">", query.after);
  const rows = await select
    .orderBy("position")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map((row) => ({
    position: row.position,
    partition: row.partition,
    status: row.status,
    pipelineRunId: row.pipeline_run_id ?? undefined,
  }));
}

/** Its partitions that are at work, each with the status of its run. */
export async function listRunsOfBackfill(
  transaction: ReadTransaction,
  backfillId: string,
): Promise<
  readonly { readonly position: number; readonly pipelineRunId: string; readonly status: PipelineRunStatus }[]
> {
  const rows = await transaction
    .selectFrom("backfill_partition")
    .innerJoin("pipeline_run", "pipeline_run.id", "backfill_partition.pipeline_run_id")
    .select(["backfill_partition.position", "pipeline_run.id", "pipeline_run.status"])
    .where("backfill_partition.backfill_id", "=", backfillId)
    .where("backfill_partition.status", "=", "running")
    .orderBy("backfill_partition.position")
    .execute();
  return rows.map(({ position, id, status }) => ({ position, pipelineRunId: id, status }));
}

export async function setBackfillPartition(
  transaction: WriteTransaction,
  facts: {
    readonly backfillId: string;
    readonly position: number;
    readonly status: BackfillPartitionStatus;
    readonly pipelineRunId?: string;
  },
): Promise<void> {
  await transaction
    .updateTable("backfill_partition")
    .set({
      status: facts.status,
      ...(facts.pipelineRunId === undefined ? {} : { pipeline_run_id: facts.pipelineRunId }),
    })
    .where("backfill_id", "=", facts.backfillId)
    .where("position", "=", facts.position)
    .execute();
}

/** Moves all partitions of some statuses to another, or the named ones of them. @returns how many */
export async function moveBackfillPartitions(
  transaction: WriteTransaction,
  move: {
    readonly backfillId: string;
    readonly from: readonly BackfillPartitionStatus[];
    readonly to: BackfillPartitionStatus;
    readonly partitions?: readonly string[] | undefined;
  },
): Promise<number> {
  let update = transaction
    .updateTable("backfill_partition")
    .set({ status: move.to })
    .where("backfill_id", "=", move.backfillId)
    .where("status", "in", move.from);
  if (move.partitions !== undefined) update = update.where("partition", "in", move.partitions);
  return Number((await update.executeTakeFirst()).numUpdatedRows);
}

function toBackfill(row: Selectable<PipelineTables["backfill"]>): Backfill {
  return {
    id: row.id,
    project: row.project,
    pipeline: row.pipeline,
    status: row.status,
    request: JSON.parse(row.request),
    params: JSON.parse(row.params),
    maxParallel: row.max_parallel,
    failFast: row.fail_fast === 1,
    actor: row.actor,
    createdAtMs: row.created_at_ms,
    finishedAtMs: row.finished_at_ms ?? undefined,
  };
}
