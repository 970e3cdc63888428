import type { ReadTransaction } from "../database.ts";
import { type PipelineRun, toPipelineRun } from "./list-pipeline-runs.ts";
import { type StepRun, toStepRun } from "./list-step-runs.ts";
import { explainWaits, type Holder, type WaitReason } from "./wait-reason.ts";

const HOLDERS_SHOWN = 20;

/** What is queued in a project and why, in the order in which it would begin. */
export interface WorkQueue {
  readonly runs: readonly { readonly run: PipelineRun; readonly waitsFor: WaitReason }[];
  readonly runCount: number;
  readonly stepRuns: readonly { readonly stepRun: StepRun; readonly waitsFor: WaitReason }[];
  readonly stepRunCount: number;
}

/** The queue of a project; `limit` holds for the runs and for the step runs, the counts are of all. */
export async function listQueue(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly limit: number },
): Promise<WorkQueue> {
  const queuedRuns = transaction
    .selectFrom("pipeline_run")
    .where("project", "=", query.project)
    .where("status", "=", "queued");
  const rows = await queuedRuns.selectAll().orderBy("priority", "desc").orderBy("id").limit(query.limit).execute();
  const groups = new Map<string, readonly Holder[]>();
  const runs = [];
  for (const row of rows) {
    const group = row.concurrency_group ?? "";
    const holders = groups.get(group) ?? (await listGroupRuns(transaction, query.project, group));
    groups.set(group, holders);
    runs.push({
      run: toPipelineRun(row),
      waitsFor: {
        kind: "concurrency" as const,
        name: group,
        limit: row.concurrency_limit ?? undefined,
        used: holders.length,
        holders: holders.slice(0, HOLDERS_SHOWN),
      },
    });
  }
  const queuedSteps = transaction
    .selectFrom("step_run")
    .innerJoin("pipeline_run", "pipeline_run.id", "step_run.pipeline_run_id")
    .where("step_run.project", "=", query.project)
    .where("step_run.status", "=", "queued")
    // Those of an interrupted or cancelled run wait for nothing but a person.
    .where("pipeline_run.status", "=", "running")
    .where("pipeline_run.cancel_requested", "=", 0);
  const stepRuns = (
    await queuedSteps
      .selectAll("step_run")
      .orderBy("step_run.priority", "desc")
      .orderBy("step_run.ready_at_ms")
      .orderBy("step_run.id")
      .limit(query.limit)
      .execute()
  ).map(toStepRun);
  const reasons = await explainWaits(transaction, stepRuns);
  const { count: runCount } = await queuedRuns
    .select((select) => select.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  const { count: stepRunCount } = await queuedSteps
    .select((select) => select.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return {
    runs,
    runCount: Number(runCount),
    stepRuns: stepRuns.map((stepRun) => ({
      stepRun,
      waitsFor: reasons.get(stepRun.id) ?? { kind: "engine", holders: [] },
    })),
    stepRunCount: Number(stepRunCount),
  };
}

/** Pipeline runs that hold a place of a concurrency group. */
async function listGroupRuns(transaction: ReadTransaction, project: string, group: string): Promise<readonly Holder[]> {
  const rows = await transaction
    .selectFrom("pipeline_run")
    .select(["id as pipelineRunId", "pipeline"])
    .where("project", "=", project)
    .where("concurrency_group", "=", group)
    .where("status", "=", "running")
    .orderBy("id")
    .execute();
  return rows;
}
