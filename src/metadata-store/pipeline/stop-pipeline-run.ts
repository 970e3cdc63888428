import type { WriteTransaction } from "../database.ts";
import { lockPipelineRun } from "./end-step-run.ts";
import { chunksOf, type GraphStep, readRunGraph } from "./run-graph.ts";
import { appendRunEvent, settlePipelineRun } from "./settle-pipeline-run.ts";
import type { PipelineRunStatus, StepRunStatus } from "./tables.ts";

const NOT_STARTED: readonly StepRunStatus[] = ["pending", "queued", "waiting"];

/**
 * Asks for the end of a pipeline run: what has not started is cancelled now, what runs is ended by its engine,
 * which sees the request. Idempotent; a run that has ended stays as it is.
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
  await transaction.updateTable("pipeline_run").set({ cancel_requested: 1, status }).where("id", "=", run.id).execute();
  await appendRunEvent(transaction, run, { what: "cancel_requested", atMs: facts.atMs, actor: facts.actor });
  const graph = await readRunGraph(transaction, run.id);
  await cancelSteps(transaction, { ...facts, steps: [...graph.values()] });
  return settlePipelineRun(transaction, { ...run, status, cancel_requested: 1 }, facts.atMs);
}

/** Ends the instances that have not started. Everything open ends together, so nothing is left for the dependents to learn. */
async function cancelSteps(transaction: WriteTransaction, facts: { readonly id: string; readonly reason: string; readonly atMs: number; readonly steps: readonly GraphStep[] }): Promise<void> {
  const notStarted = ({ instances }: GraphStep): number => instances.filter(({ status }) => NOT_STARTED.includes(status)).length;
  const ofRun = transaction.updateTable("run_step").where("pipeline_run_id", "=", facts.id);
  for (const [count, steps] of Map.groupBy(facts.steps, notStarted)) {
    if (count === 0) continue;
    for (const names of chunksOf(steps.map(({ step }) => step))) {
      await ofRun.set((update) => ({ remaining: update("remaining", "-", count), outcome: "cancelled", reason: facts.reason })).where("step", "in", names).execute();
      await transaction.updateTable("step_run").set({ status: "cancelled", reason: facts.reason, finished_at_ms: facts.atMs }).where("pipeline_run_id", "=", facts.id).where("step", "in", names).where("status", "in", NOT_STARTED).execute();
    }
  }
}

/** Marks running pipeline runs as interrupted: their open step runs stay, and wait for a resume. */
export async function interruptPipelineRun(transaction: WriteTransaction, facts: { readonly id: string; readonly actor: string; readonly atMs: number }): Promise<void> {
  const run = await lockPipelineRun(transaction, facts.id);
  if (run === undefined || (run.status !== "running" && run.status !== "queued")) return;
  const working = await transaction.selectFrom("attempt").select("id").where("pipeline_run_id", "=", run.id).where("status", "=", "running").limit(1).executeTakeFirst();
  // Another engine is at work on it: it is not interrupted at all.
  if (working !== undefined) return;
  await transaction.updateTable("pipeline_run").set({ status: "interrupted" }).where("id", "=", run.id).execute();
  await appendRunEvent(transaction, run, { what: "interrupted", atMs: facts.atMs, actor: facts.actor });
}
