import type { WriteTransaction } from "../database.ts";
import { lockPipelineRun } from "./end-step-run.ts";
import { chunksOf, readRunGraph, recountRun, stepsBehind } from "./run-graph.ts";
import { admitPipelineRuns, appendRunEvent, queueReadySteps, startPipelineRun } from "./settle-pipeline-run.ts";
import type { StepRunStatus } from "./tables.ts";

const KEPT: readonly StepRunStatus[] = ["succeeded", "running", "waiting"];

export interface Resume {
  readonly id: string;
  readonly actor: string;
  readonly atMs: number;
  /** Also run this step and everything behind it again. */
  readonly from?: string | undefined;
  /** A repaired definition with the same steps and edges. */
  readonly definitionDigest?: string | undefined;
}

/**
 * Puts what failed, was cancelled, skipped or interrupted back to pending, and queues what can start. What succeeded is kept,
 * except from `from` on. Attempts keep their numbers, retries start anew.
 *
 * @returns the number of step runs that will run again; undefined when there is no such run
 */
export async function resumePipelineRun(transaction: WriteTransaction, resume: Resume): Promise<number | undefined> {
  const run = await lockPipelineRun(transaction, resume.id);
  if (run === undefined) return undefined;
  const graph = await readRunGraph(transaction, run.id);
  const again = resume.from === undefined ? new Set<string>() : stepsBehind(graph, [resume.from]);
  const ids = [...graph.values()].flatMap(({ step, instances }) => instances.filter(({ status }) => (again.has(step) ? status !== "running" : !KEPT.includes(status))).map(({ id }) => id));
  for (const some of chunksOf(ids)) {
    await transaction
      .updateTable("step_run")
      .set({ status: "pending", reason: null, error: null, finished_at_ms: null, queued_at_ms: null, ready_at_ms: null, failure_count: 0, lost_count: 0, cached: 0 })
      .where("id", "in", some)
      .execute();
  }
  const reset = ids.length;
  await recountRun(transaction, run.id);
  if (reset === 0 && run.status !== "interrupted") return 0;
  const active = run.status === "running" || run.status === "waiting";
  const changed = {
    status: active ? ("running" as const) : ("queued" as const),
    cancel_requested: 0,
    finished_at_ms: null,
    error: null,
    blocked: null,
    ...(resume.definitionDigest === undefined ? {} : { definition_digest: resume.definitionDigest }),
  };
  await transaction.updateTable("pipeline_run").set(changed).where("id", "=", run.id).execute();
  await appendRunEvent(transaction, run, { what: "resumed", atMs: resume.atMs, actor: resume.actor });
  if (active) await queueReadySteps(transaction, run.id, resume.atMs);
  else if (run.concurrency_group === null) await startPipelineRun(transaction, { ...run, ...changed }, resume.atMs);
  else await admitPipelineRuns(transaction, { project: run.project, group: run.concurrency_group, atMs: resume.atMs });
  return reset;
}
