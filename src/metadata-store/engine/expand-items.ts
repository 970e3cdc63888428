import type { WriteTransaction } from "../database.ts";
import type { HeldAttempt } from "./end-attempt.ts";
import { insertStepRuns, newStepRunRow, type StepRunPlace } from "./insert-pipeline-run.ts";
import { queueStepRuns } from "./queue-step-runs.ts";
import { GONE } from "./step-result.ts";
import { chunksOf } from "./run-graph.ts";

/**
 * Makes a step run of each item, in the transaction that ends the attempt which listed them. What was listed before and
 * is an item still runs again under its old id; what is none any more stays as it ended.
 *
 * The listing step run is still at work here: its place goes to the next item when its end is written.
 */
export async function expandItems(
  transaction: WriteTransaction,
  { run, stepRun }: HeldAttempt,
  items: readonly { readonly id: string; readonly matrix: object }[],
  atMs: number,
): Promise<void> {
  const { max_parallel: maxParallel } = await transaction
    .selectFrom("run_step")
    .select("max_parallel")
    .where("pipeline_run_id", "=", run.id)
    .where("step", "=", stepRun.step)
    .executeTakeFirstOrThrow();
  const earlier = await transaction
    .selectFrom("step_run")
    .select(["id", "matrix", "status", "matrix_index"])
    .where("pipeline_run_id", "=", run.id)
    .where("step", "=", stepRun.step)
    .where("matrix_index", ">", 0)
    .orderBy("matrix_index")
    .execute();
  const known = Map.groupBy(earlier, ({ matrix }) => matrix ?? "");
  const added = [];
  const again: string[] = [];
  let index = 0;
  for (const { id, matrix } of items) {
    index++;
    const before = known.get(JSON.stringify(matrix))?.shift();
    if (before === undefined) added.push(newStepRunRow(placeOf(stepRun), { id, matrixIndex: index, matrix }));
    else {
      if (before.status !== "running") again.push(before.id);
      if (before.matrix_index !== index)
        await transaction.updateTable("step_run").set({ matrix_index: index }).where("id", "=", before.id).execute();
    }
  }
  for (const { id } of [...known.values()].flat())
    await transaction
      .updateTable("step_run")
      .set({ matrix_index: ++index, reason: GONE })
      .where("id", "=", id)
      .execute();
  for (const ids of chunksOf(again))
    await transaction
      .updateTable("step_run")
      .set({ status: "pending", reason: null, error: null, finished_at_ms: null, cached: 0 })
      .where("id", "in", ids)
      .execute();
  await insertStepRuns(transaction, added);
  const count = added.length + again.length;
  await transaction
    .updateTable("run_step")
    .set((update) => ({ remaining: update("remaining", "+", count) }))
    .where("pipeline_run_id", "=", run.id)
    .where("step", "=", stepRun.step)
    .execute();
  await queueStepRuns(transaction, { pipelineRunId: run.id, step: stepRun.step, atMs, maxParallel });
}

function placeOf(stepRun: HeldAttempt["stepRun"]): StepRunPlace {
  const { pipeline_run_id, project, pipeline, step, kind, position } = stepRun;
  const { concurrency_group, concurrency_limit, own_condition, priority, pool, pool_slots } = stepRun;
  return {
    pipeline_run_id,
    project,
    pipeline,
    step,
    kind,
    position,
    concurrency_group,
    concurrency_limit,
    own_condition,
    priority,
    pool,
    pool_slots,
  };
}
