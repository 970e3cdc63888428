import type { WriteTransaction } from "../database.ts";
import { lockPipelineRun } from "./end-step-run.ts";
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
  const again = resume.from === undefined ? new Set<string>() : await stepsBehind(transaction, run.id, resume.from);
  let reset = 0;
  const steps = await transaction.selectFrom("run_step").select("step").where("pipeline_run_id", "=", run.id).execute();
  for (const { step } of steps) {
    let update = transaction
      .updateTable("step_run")
      .set({ status: "pending", reason: null, error: null, finished_at_ms: null, queued_at_ms: null, ready_at_ms: null, failure_count: 0, lost_count: 0, cached: 0 })
      .where("pipeline_run_id", "=", run.id)
      .where("step", "=", step);
    update = again.has(step) ? update.where("status", "not in", ["running"]) : update.where("status", "not in", KEPT);
    reset += Number((await update.executeTakeFirst()).numUpdatedRows);
  }
  await recount(transaction, run.id);
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

async function stepsBehind(transaction: WriteTransaction, pipelineRunId: string, from: string): Promise<Set<string>> {
  const rows = await transaction.selectFrom("run_step").select(["step", "dependents"]).where("pipeline_run_id", "=", pipelineRunId).execute();
  const dependents = new Map(rows.map((row) => [row.step, JSON.parse(row.dependents) as string[]]));
  const reached = new Set<string>();
  const open = [from];
  for (let step = open.pop(); step !== undefined; step = open.pop()) {
    if (reached.has(step)) continue;
    reached.add(step);
    open.push(...(dependents.get(step) ?? []));
  }
  return reached;
}

/** Counts anew what each step waits for: the counters follow the rows, never the other way round. */
async function recount(transaction: WriteTransaction, pipelineRunId: string): Promise<void> {
  const steps = await transaction.selectFrom("run_step").select(["step", "dependents"]).where("pipeline_run_id", "=", pipelineRunId).execute();
  const open = await transaction
    .selectFrom("step_run")
    .select((select) => ["step", select.fn.countAll<number>().as("count")])
    .where("pipeline_run_id", "=", pipelineRunId)
    .where("status", "in", ["pending", "queued", "running", "waiting"])
    .groupBy("step")
    .execute();
  const remaining = new Map(open.map((row) => [row.step, Number(row.count)]));
  const pending = new Map<string, number>();
  for (const step of steps) {
    if ((remaining.get(step.step) ?? 0) === 0) continue;
    for (const dependent of JSON.parse(step.dependents) as string[]) pending.set(dependent, (pending.get(dependent) ?? 0) + 1);
  }
  for (const { step } of steps) {
    const count = remaining.get(step) ?? 0;
    const fresh = count > 0 ? { outcome: null, reason: null } : {};
    await transaction.updateTable("run_step").set({ remaining: count, pending: pending.get(step) ?? 0, ...fresh }).where("pipeline_run_id", "=", pipelineRunId).where("step", "=", step).execute();
  }
}
