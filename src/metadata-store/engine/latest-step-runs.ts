import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import type { StepRunStatus } from "./tables.ts";

// Two parameters a step.
const STEPS_PER_STATEMENT = 2500;
const RUNS_PER_STATEMENT = 5000;

/** The newest run of a step, without what it said. */
export interface LatestStepRun {
  readonly id: string;
  readonly pipelineRunId: string;
  readonly pipeline: string;
  readonly step: string;
  readonly status: StepRunStatus;
  /** Epoch ms. */
  readonly queuedAtMs: number | undefined;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
}

/**
 * The newest step run of each step, whatever run it belongs to; steps that never ran are left out. The cost does not
 * grow with the history.
 */
export async function findLatestStepRuns(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly steps: readonly { readonly pipeline: string; readonly step: string }[] },
): Promise<readonly LatestStepRun[]> {
  const found: LatestStepRun[] = [];
  for (let start = 0; start < query.steps.length; start += STEPS_PER_STATEMENT) {
    const wanted = query.steps
      .slice(start, start + STEPS_PER_STATEMENT)
      .map(({ pipeline, step }) => sql`(${pipeline}, ${step})`);
    const { rows } = await sql<{
      id: string;
      pipeline_run_id: string;
      pipeline: string;
      step: string;
      status: StepRunStatus;
      queued_at_ms: number | null;
      started_at_ms: number | null;
      finished_at_ms: number | null;
    }>`
      with wanted (pipeline, step) as (values ${sql.join(wanted)}),
      latest (id) as (
        select (select s.id from step_run s where s.project = ${query.project} and s.pipeline = wanted.pipeline and s.step = wanted.step order by s.id desc limit 1) from wanted
      )
      select id, pipeline_run_id, pipeline, step, status, queued_at_ms, started_at_ms, finished_at_ms from step_run where id in (select id from latest)`.execute(
      transaction,
    );
    for (const row of rows) {
      found.push({
        id: row.id,
        pipelineRunId: row.pipeline_run_id,
        pipeline: row.pipeline,
        step: row.step,
        status: row.status,
        queuedAtMs: row.queued_at_ms ?? undefined,
        startedAtMs: row.started_at_ms ?? undefined,
        finishedAtMs: row.finished_at_ms ?? undefined,
      });
    }
  }
  return found;
}

/**
 * How many step runs of each pipeline run have each status, and how many succeeded without running, by pipeline run.
 */
export async function countStepRunsOf(
  transaction: ReadTransaction,
  pipelineRunIds: readonly string[],
): Promise<ReadonlyMap<string, Readonly<Partial<Record<StepRunStatus, number>>> & { readonly cached: number }>> {
  const counts = new Map(
    pipelineRunIds.map((id) => [id, { cached: 0 } as Partial<Record<StepRunStatus, number>> & { cached: number }]),
  );
  for (let start = 0; start < pipelineRunIds.length; start += RUNS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("step_run")
      .select((select) => ["pipeline_run_id", "status", "cached", select.fn.countAll<number>().as("count")])
      .where("pipeline_run_id", "in", pipelineRunIds.slice(start, start + RUNS_PER_STATEMENT))
      .groupBy(["pipeline_run_id", "status", "cached"])
      .execute();
    for (const row of rows) {
      const own = counts.get(row.pipeline_run_id);
      if (own === undefined) continue;
      own[row.status] = (own[row.status] ?? 0) + Number(row.count);
      if (row.status === "succeeded" && row.cached === 1) own.cached += Number(row.count);
    }
  }
  return counts;
}

/** The pipeline and step of step runs, by id; unknown ones are left out. */
export async function nameStepRuns(
  transaction: ReadTransaction,
  ids: Iterable<string>,
): Promise<ReadonlyMap<string, { readonly pipeline: string; readonly step: string }>> {
  const wanted = [...new Set(ids)];
  const found = new Map<string, { readonly pipeline: string; readonly step: string }>();
  for (let start = 0; start < wanted.length; start += RUNS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("step_run")
      .select(["id", "pipeline", "step"])
      .where("id", "in", wanted.slice(start, start + RUNS_PER_STATEMENT))
      .execute();
    for (const { id, pipeline, step } of rows) found.set(id, { pipeline, step });
  }
  return found;
}
