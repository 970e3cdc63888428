import { sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { prepare } from "../prepared.ts";

interface StepOfRun {
  readonly pipelineRunId: string;
  readonly step: string;
  readonly atMs: number;
}

const isPending = sql<boolean>`step_run.status = 'pending'`;

/** Queues the pending step runs of a step: all of them, or as many as may be at work beside those that are. */
export async function queueStepRuns(
  transaction: WriteTransaction,
  step: StepOfRun & { readonly maxParallel: number | null },
): Promise<void> {
  if (step.maxParallel === null) {
    await queueAll(transaction, step);
    return;
  }
  await queueNext(transaction, step, step.maxParallel - (await countAtWork(transaction, step)));
}

const queueAll = prepare((transaction, step: StepOfRun) =>
  transaction
    .updateTable("step_run")
    .set({ status: "queued", queued_at_ms: step.atMs, ready_at_ms: step.atMs })
    .where("pipeline_run_id", "=", step.pipelineRunId)
    .where("step", "=", step.step)
    .where(isPending),
);

/** Queues the next pending step runs of a step, in their order. */
export async function queueNext(transaction: WriteTransaction, step: StepOfRun, count: number): Promise<void> {
  if (count <= 0) return;
  await transaction
    .updateTable("step_run")
    .set({ status: "queued", queued_at_ms: step.atMs, ready_at_ms: step.atMs })
    .where(
      "id",
      "in",
      transaction
        .selectFrom("step_run")
        .select("id")
        .where("pipeline_run_id", "=", step.pipelineRunId)
        .where("step", "=", step.step)
        .where(isPending)
        .orderBy("matrix_index")
        .limit(count),
    )
    .execute();
}

/** Ends what has not begun of a step of which one step run has failed for good. */
export async function cancelRest(
  transaction: WriteTransaction,
  step: StepOfRun & { readonly reason: string },
): Promise<number> {
  const { numUpdatedRows } = await transaction
    .updateTable("step_run")
    .set({ status: "cancelled", reason: step.reason, finished_at_ms: step.atMs })
    .where("pipeline_run_id", "=", step.pipelineRunId)
    .where("step", "=", step.step)
    .where("status", "in", ["pending", "queued", "waiting"])
    .executeTakeFirst();
  return Number(numUpdatedRows);
}

async function countAtWork(transaction: ReadTransaction, step: StepOfRun): Promise<number> {
  const { count } = await transaction
    .selectFrom("step_run")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("pipeline_run_id", "=", step.pipelineRunId)
    .where("step", "=", step.step)
    .where("status", "in", ["queued", "running", "waiting"])
    .executeTakeFirstOrThrow();
  return Number(count);
}
