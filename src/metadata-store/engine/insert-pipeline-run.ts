import type { Insertable, Selectable } from "kysely";
import type { WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import type { PipelineTables, TriggerKind } from "./tables.ts";

const ROWS_PER_INSERT = 500;

export interface NewStepRun {
  readonly id: string;
  readonly matrixIndex: number;
  readonly matrix: object | undefined;
}

export interface NewRunStep {
  readonly step: string;
  readonly kind: string;
  readonly position: number;
  /** Names of the selected steps it depends on. */
  readonly needs: readonly string[];
  readonly concurrency: { readonly group: string; readonly limit: number } | undefined;
  /** 0: it runs when all before it succeeded. Else its own condition decides: 1 also after a cancel, 2 not then. */
  readonly ownCondition: 0 | 1 | 2;
  /** Its one step run lists its items first. */
  readonly forEach?: boolean;
  readonly maxParallel?: number | undefined;
  readonly failFast?: boolean;
  readonly pool?: { readonly name: string; readonly slots: number } | undefined;
  /** Higher comes first. */
  readonly priority?: number;
  readonly stepRuns: readonly NewStepRun[];
}

export interface NewPipelineRun {
  readonly id: string;
  readonly project: string;
  readonly pipeline: string;
  readonly definitionDigest: string;
  readonly params: object;
  readonly selection: { readonly from?: string; readonly only?: string };
  readonly trigger: { readonly kind: TriggerKind; readonly subject?: string; readonly cause?: object };
  readonly actor: string;
  readonly source: object | undefined;
  readonly atMs: number;
  readonly concurrency: { readonly group: string; readonly limit: number } | undefined;
  readonly partition?: string | undefined;
  /** Higher comes first. */
  readonly priority?: number;
  readonly steps: readonly NewRunStep[];
}

/** Records a queued pipeline run with all its step runs; nothing of it runs before `admitPipelineRuns` lets it in. */
export async function insertPipelineRun(transaction: WriteTransaction, run: NewPipelineRun): Promise<void> {
  await transaction
    .insertInto("pipeline_run")
    .values({
      id: run.id,
      project: run.project,
      pipeline: run.pipeline,
      definition_digest: run.definitionDigest,
      status: "queued",
      params: JSON.stringify(run.params),
      selection: JSON.stringify(run.selection),
      trigger_kind: run.trigger.kind,
      trigger_subject: run.trigger.subject ?? null,
      trigger_cause: JSON.stringify(run.trigger.cause ?? {}),
      actor: run.actor,
      source: run.source === undefined ? null : JSON.stringify(run.source),
      created_at_ms: run.atMs,
      started_at_ms: null,
      finished_at_ms: null,
      cancel_requested: 0,
      blocked: null,
      error: null,
      revision: 0,
      concurrency_group: run.concurrency?.group ?? null,
      concurrency_limit: run.concurrency?.limit ?? null,
      partition: run.partition ?? null,
      priority: run.priority ?? 0,
    })
    .execute();
  await insertRunSteps(transaction, run);
  const rows = run.steps.flatMap((step) =>
    step.stepRuns.map((stepRun) =>
      newStepRunRow(
        {
          pipeline_run_id: run.id,
          project: run.project,
          pipeline: run.pipeline,
          step: step.step,
          kind: step.kind,
          position: step.position,
          concurrency_group: step.concurrency?.group ?? null,
          concurrency_limit: step.concurrency?.limit ?? null,
          own_condition: step.ownCondition,
          priority: step.priority ?? 0,
          pool: step.pool?.name ?? null,
          pool_slots: step.pool?.slots ?? null,
        },
        stepRun,
      ),
    ),
  );
  await insertStepRuns(transaction, rows);
  await appendEvent(transaction, {
    atMs: run.atMs,
    project: run.project,
    type: "pipeline_run.queued",
    subjectKind: "pipeline_run",
    subject: run.id,
    actor: run.actor,
    data: { pipeline: run.pipeline, trigger: run.trigger, definition: run.definitionDigest },
  });
}

async function insertRunSteps(transaction: WriteTransaction, run: NewPipelineRun): Promise<void> {
  const dependents = new Map<string, string[]>(run.steps.map((step) => [step.step, []]));
  for (const step of run.steps) for (const need of step.needs) dependents.get(need)?.push(step.step);
  const rows = run.steps.map((step) => ({
    pipeline_run_id: run.id,
    step: step.step,
    position: step.position,
    kind: step.kind,
    pending: step.needs.length,
    remaining: step.stepRuns.length,
    dependents: JSON.stringify(dependents.get(step.step) ?? []),
    outcome: null,
    reason: null,
    own_condition: step.ownCondition,
    for_each: step.forEach === true ? 1 : 0,
    max_parallel: step.maxParallel ?? null,
    fail_fast: step.failFast === true ? 1 : 0,
  }));
  for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
    await transaction
      .insertInto("run_step")
      .values(rows.slice(start, start + ROWS_PER_INSERT))
      .execute();
  }
}

/** What the step runs of one step of a run have in common. */
export type StepRunPlace = Pick<
  Selectable<PipelineTables["step_run"]>,
  | "pipeline_run_id"
  | "project"
  | "pipeline"
  | "step"
  | "kind"
  | "position"
  | "concurrency_group"
  | "concurrency_limit"
  | "own_condition"
  | "priority"
  | "pool"
  | "pool_slots"
>;

/** A step run that waits for others. */
export function newStepRunRow(place: StepRunPlace, stepRun: NewStepRun): Insertable<PipelineTables["step_run"]> {
  return {
    ...place,
    id: stepRun.id,
    matrix_index: stepRun.matrixIndex,
    matrix: stepRun.matrix === undefined ? null : JSON.stringify(stepRun.matrix),
    status: "pending",
    cached: 0,
    reason: null,
    facts: null,
    error: null,
    progress: null,
    gate_key: null,
    queued_at_ms: null,
    ready_at_ms: null,
    started_at_ms: null,
    finished_at_ms: null,
    attempt_count: 0,
    failure_count: 0,
    lost_count: 0,
    token: 0,
    cache_key: null,
  };
}

export async function insertStepRuns(
  transaction: WriteTransaction,
  rows: readonly Insertable<PipelineTables["step_run"]>[],
): Promise<void> {
  for (let start = 0; start < rows.length; start += ROWS_PER_INSERT) {
    await transaction
      .insertInto("step_run")
      .values(rows.slice(start, start + ROWS_PER_INSERT))
      .execute();
  }
}
