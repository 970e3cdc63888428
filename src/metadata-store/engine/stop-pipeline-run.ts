import type { WriteTransaction } from "../database.ts";
import { lockPipelineRun } from "./end-step-run.ts";
import { chunksOf, type GraphStep, readRunGraph, recountRun } from "./run-graph.ts";
import { appendRunEvent, queueReadySteps, settlePipelineRun } from "./settle-pipeline-run.ts";
import type { PipelineRunStatus, StepRunStatus } from "./tables.ts";

const NOT_STARTED: readonly StepRunStatus[] = ["pending", "queued", "waiting"];

/**
 * Asks for the end of a pipeline run: what has not started is cancelled now, what runs is ended by its engine, which
 * sees the request.
 * Steps that run whatever happens still do; asked a second time, or before anything has begun, it ends them too.
 * A run that has ended stays as it is.
 *
 * @returns the status afterwards, or undefined when there is no such run
 */
export async function requestCancel(
  transaction: WriteTransaction,
  facts: { readonly id: string; readonly actor: string; readonly reason: string; readonly atMs: number },
): Promise<PipelineRunStatus | undefined> {
  const run = await lockPipelineRun(transaction, facts.id);
  if (run === undefined) return undefined;
  if (["succeeded", "failed", "cancelled"].includes(run.status)) return run.status;
  const status = run.status === "waiting" ? "waiting" : "running";
  const level = run.cancel_requested > 0 || run.started_at_ms === null ? 2 : 1;
  await transaction
    .updateTable("pipeline_run")
    .set({ cancel_requested: level, status })
    .where("id", "=", run.id)
    .execute();
  await appendRunEvent(transaction, run, { what: "cancel_requested", atMs: facts.atMs, actor: facts.actor });
  const graph = await readRunGraph(transaction, run.id);
  const isKept = (step: GraphStep): boolean => level === 1 && step.ownCondition === 1;
  const kept = [...graph.values()].filter(isKept);
  const others = [...graph.values()].filter((step) => !isKept(step));
  await cancelSteps(transaction, { ...facts, steps: others, statuses: NOT_STARTED });
  // Nobody opens a gate for a run that is at its end.
  await cancelSteps(transaction, { ...facts, steps: kept, statuses: ["waiting"] });
  if (kept.length > 0) {
    await recountRun(transaction, run.id);
    await queueReadySteps(transaction, run.id, facts.atMs);
  }
  return settlePipelineRun(transaction, { ...run, status, cancel_requested: level }, facts.atMs);
}

interface Cancelling {
  readonly id: string;
  readonly reason: string;
  readonly atMs: number;
  readonly steps: readonly GraphStep[];
  /** Instances in one of these end now. */
  readonly statuses: readonly StepRunStatus[];
}

/** Ends instances of steps, all of them together: what depends on them learns it when the run is counted anew. */
async function cancelSteps(transaction: WriteTransaction, facts: Cancelling): Promise<void> {
  const notStarted = ({ instances }: GraphStep): number =>
    instances.filter(({ status }) => facts.statuses.includes(status)).length;
  const ofRun = transaction.updateTable("run_step").where("pipeline_run_id", "=", facts.id);
  for (const [count, steps] of Map.groupBy(facts.steps, notStarted)) {
    if (count === 0) continue;
    for (const names of chunksOf(steps.map(({ step }) => step))) {
      await ofRun
        .set((update) => ({ remaining: update("remaining", "-", count), outcome: "cancelled", reason: facts.reason }))
        .where("step", "in", names)
        .execute();
      await transaction
        .updateTable("step_run")
        .set({ status: "cancelled", reason: facts.reason, finished_at_ms: facts.atMs })
        .where("pipeline_run_id", "=", facts.id)
        .where("step", "in", names)
        .where("status", "in", facts.statuses)
        .execute();
    }
  }
}

/** Marks running pipeline runs as interrupted: their open step runs stay, and wait for a resume. */
export async function interruptPipelineRun(
  transaction: WriteTransaction,
  facts: { readonly id: string; readonly actor: string; readonly atMs: number },
): Promise<void> {
  const run = await lockPipelineRun(transaction, facts.id);
  // What is being cancelled is not to come back by a resume: whoever finds it ends it.
  if (run === undefined || run.cancel_requested > 0 || (run.status !== "running" && run.status !== "queued")) return;
  const working = await transaction
    .selectFrom("attempt")
    .select("id")
    .where("pipeline_run_id", "=", run.id)
    .where("status", "=", "running")
    .limit(1)
    .executeTakeFirst();
  // Another engine is at work on it: it is not interrupted at all.
  if (working !== undefined) return;
  await transaction.updateTable("pipeline_run").set({ status: "interrupted" }).where("id", "=", run.id).execute();
  await appendRunEvent(transaction, run, { what: "interrupted", atMs: facts.atMs, actor: facts.actor });
}
