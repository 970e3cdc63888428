import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";

/** No schedule and no sensor starts the pipeline meanwhile. */
export interface PipelinePause {
  readonly pipeline: string;
  readonly pausedAtMs: number;
  readonly actor: string;
  readonly reason: string | undefined;
}

/** Pauses of a project by pipeline: at most 1,000. */
export async function listPauses(
  transaction: ReadTransaction,
  project: string,
): Promise<ReadonlyMap<string, PipelinePause>> {
  const rows = await transaction
    .selectFrom("pipeline_pause")
    .selectAll()
    .where("project", "=", project)
    .orderBy("pipeline")
    .limit(1000)
    .execute();
  return new Map(
    rows.map((row) => [
      row.pipeline,
      { pipeline: row.pipeline, pausedAtMs: row.paused_at_ms, actor: row.actor, reason: row.reason ?? undefined },
    ]),
  );
}

/** True when schedules and sensors of a pipeline are paused. */
export async function isPaused(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly pipeline: string },
): Promise<boolean> {
  const row = await transaction
    .selectFrom("pipeline_pause")
    .select("pipeline")
    .where("project", "=", of.project)
    .where("pipeline", "=", of.pipeline)
    .executeTakeFirst();
  return row !== undefined;
}

interface Change {
  readonly project: string;
  readonly pipeline: string;
  readonly actor: string;
  readonly atMs: number;
}

/** Pauses the schedules and sensors of a pipeline. Idempotent: the first pause stands. */
export async function pausePipeline(
  transaction: WriteTransaction,
  pause: Change & { readonly reason?: string | undefined },
): Promise<void> {
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto("pipeline_pause")
    .values({
      project: pause.project,
      pipeline: pause.pipeline,
      paused_at_ms: pause.atMs,
      actor: pause.actor,
      reason: pause.reason ?? null,
    })
    .onConflict((conflict) => conflict.columns(["project", "pipeline"]).doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 1n) await appendPauseEvent(transaction, "pipeline.paused", pause);
}

/** Lets schedules and sensors of a pipeline start it again. Idempotent. */
export async function unpausePipeline(transaction: WriteTransaction, change: Change): Promise<void> {
  const { numDeletedRows } = await transaction
    .deleteFrom("pipeline_pause")
    .where("project", "=", change.project)
    .where("pipeline", "=", change.pipeline)
    .executeTakeFirst();
  if (numDeletedRows === 1n) await appendPauseEvent(transaction, "pipeline.unpaused", change);
}

async function appendPauseEvent(
  transaction: WriteTransaction,
  type: "pipeline.paused" | "pipeline.unpaused",
  { project, pipeline, actor, atMs, reason }: Change & { readonly reason?: string | undefined },
): Promise<void> {
  await appendEvent(transaction, {
    atMs,
    project,
    type,
    subjectKind: "pipeline",
    subject: pipeline,
    actor,
    data: reason === undefined ? {} : { reason },
  });
}
