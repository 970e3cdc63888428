import type { ReadTransaction } from "../database.ts";
import { listEvents } from "../event/list-events.ts";
import { type PipelineRun, toPipelineRun } from "./list-pipeline-runs.ts";
import { type StepRun, toStepRun } from "./list-step-runs.ts";

const ACKNOWLEDGED = "pipeline_run.acknowledged";

/** Step runs of a project that work now, oldest first, with how many there are beyond the limit. */
export async function listRunningStepRuns(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly limit: number },
): Promise<{ readonly stepRuns: readonly StepRun[]; readonly count: number }> {
  const running = transaction
    .selectFrom("step_run")
    .where("project", "=", query.project)
    .where("status", "=", "running");
  const rows = await running.selectAll().orderBy("started_at_ms").orderBy("id").limit(query.limit).execute();
  if (rows.length < query.limit) return { stepRuns: rows.map(toStepRun), count: rows.length };
  const { count } = await running
    .select((select) => select.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return { stepRuns: rows.map(toStepRun), count: Number(count) };
}

/**
 * Of each registered pipeline, its newest run that came to an end, when that end was a failure or an interruption.
 * A later success takes it away; one of a single step does not, for it says nothing of the others.
 */
export async function listUnsettledFailures(
  transaction: ReadTransaction,
  query: { readonly project: string },
): Promise<readonly PipelineRun[]> {
  const newest = await transaction
    .selectFrom("pipeline")
    .select((pipeline) =>
      pipeline
        .selectFrom("pipeline_run")
        .select("pipeline_run.id")
        .whereRef("pipeline_run.project", "=", "pipeline.project")
        .whereRef("pipeline_run.pipeline", "=", "pipeline.name")
        .where((is) =>
          is.or([
            is("pipeline_run.status", "in", ["failed", "interrupted"]),
            is.and([
              is("pipeline_run.status", "=", "succeeded"),
              is("pipeline_run.selection", "not like", '%"only":%'),
            ]),
          ]),
        )
        .orderBy("pipeline_run.id", "desc")
        .limit(1)
        .as("id"),
    )
    .where("pipeline.project", "=", query.project)
    .execute();
  const ids = newest.flatMap(({ id }) => id ?? []);
  if (ids.length === 0) return [];
  const rows = await transaction
    .selectFrom("pipeline_run")
    .selectAll()
    .where("id", "in", ids)
    .where("status", "in", ["failed", "interrupted"])
    .orderBy("id", "desc")
    .execute();
  return rows.map(toPipelineRun);
}

/** Whether a person has said, since this end of the run, that they have seen it. */
export async function isRunAcknowledged(
  transaction: ReadTransaction,
  run: Pick<PipelineRun, "id" | "finishedAtMs">,
): Promise<boolean> {
  const events = await listEvents(transaction, { subjectKind: "pipeline_run", subject: run.id, newestFirst: true });
  return events.some(({ type, atMs }) => type === ACKNOWLEDGED && atMs >= (run.finishedAtMs ?? 0));
}

/** The first step run of a pipeline run that failed. */
export async function findFailedStepRun(
  transaction: ReadTransaction,
  pipelineRunId: string,
): Promise<StepRun | undefined> {
  const row = await transaction
    .selectFrom("step_run")
    .selectAll()
    .where("pipeline_run_id", "=", pipelineRunId)
    .where("status", "=", "failed")
    .orderBy("position")
    .orderBy("matrix_index")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toStepRun(row);
}
