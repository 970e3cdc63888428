import type { Selectable } from "kysely";
import type { WriteTransaction } from "../database.ts";
import { prepare } from "../prepared.ts";
import { appendEvent } from "../event/append-event.ts";
import { databaseNow } from "./database-time.ts";
import { FAIL_FAST, lockPipelineRun, propagateEnd, type StepRunEnd } from "./end-step-run.ts";
import { settlePipelineRun } from "./settle-pipeline-run.ts";
import { withFlakyTests } from "./test-results.ts";
import type { AttemptStatus, PipelineTables, StepRunStatus } from "./tables.ts";

/**
 * An attempt whose token was found to be the current one, with the rows it belongs to; all locked for this transaction.
 */
export interface HeldAttempt {
  readonly run: Selectable<PipelineTables["pipeline_run"]>;
  readonly stepRun: Selectable<PipelineTables["step_run"]>;
  readonly attempt: Selectable<PipelineTables["attempt"]>;
}

/**
 * Checks the fencing token: the attempt is running, no newer one was started, and its lease was not given away.
 *
 * @returns undefined when the attempt may no longer write anything
 */
export async function holdAttempt(
  transaction: WriteTransaction,
  key: {
    readonly attemptId: string;
    readonly token: number;
    /** Where it is known; else it is looked up. */
    readonly pipelineRunId?: string;
  },
): Promise<HeldAttempt | undefined> {
  const pipelineRunId =
    key.pipelineRunId ?? (await selectAttempt(transaction, { id: key.attemptId })).rows[0]?.pipeline_run_id;
  if (pipelineRunId === undefined) return undefined;
  const run = await lockPipelineRun(transaction, pipelineRunId);
  const [attempt] = (await selectAttempt(transaction, { id: key.attemptId })).rows;
  if (run === undefined || attempt === undefined || attempt.status !== "running" || attempt.token !== key.token)
    return undefined;
  const [stepRun] = (await selectStepRun(transaction, { id: attempt.step_run_id })).rows;
  if (stepRun === undefined || stepRun.status !== "running" || stepRun.token !== key.token) return undefined;
  return { run, stepRun, attempt };
}

const selectAttempt = prepare((transaction, { id }: { readonly id: string }) =>
  transaction.selectFrom("attempt").selectAll().where("id", "=", id),
);

const selectStepRun = prepare((transaction, { id }: { readonly id: string }) =>
  transaction.selectFrom("step_run").selectAll().where("id", "=", id),
);

export interface AttemptEnd {
  readonly attempt: AttemptStatus;
  readonly stepRun: StepRunStatus;
  readonly atMs: number;
  /** What dependents see, when the step run ended. */
  readonly end?: StepRunEnd;
  readonly reason?: string;
  readonly error?: object;
  readonly facts?: object;
  readonly cached?: boolean;
  readonly gateKey?: string;
  readonly cacheKey?: string;
  /** Earliest start of the next attempt, when the step run is queued again. */
  readonly readyAtMs?: number;
  /** A failure of the user's own budget, or a lost worker. */
  readonly counts?: "failure" | "lost";
}

/** Ends a held attempt: its row, its step run, its slots, its dependents and the pipeline run, with the event. */
export async function endAttempt(transaction: WriteTransaction, held: HeldAttempt, given: AttemptEnd): Promise<void> {
  const { run, stepRun, attempt } = held;
  const end =
    given.end === undefined && (await isEndedByAnother(transaction, stepRun))
      ? { ...given, stepRun: "cancelled" as const, end: "cancelled" as const, reason: FAIL_FAST }
      : given;
  const error = end.error === undefined ? null : JSON.stringify(end.error);
  await closeAttempt(transaction, { id: attempt.id, status: end.attempt, atMs: end.atMs, error });
  if (stepRun.concurrency_group !== null)
    await transaction.deleteFrom("slot").where("holder", "=", attempt.id).execute();
  await changeStepRun(transaction, { id: stepRun.id, ...(await stepRunChange(transaction, stepRun, end, error)) });
  await appendEvent(transaction, {
    atMs: end.atMs,
    project: run.project,
    type: `step_run.${end.stepRun}`,
    subjectKind: "step_run",
    subject: stepRun.id,
    actor: "engine",
    data: {
      pipeline: run.pipeline,
      step: stepRun.step,
      pipelineRunId: run.id,
      attempt: attempt.number,
      outcome: end.attempt,
      ...(end.cached === true ? { cached: true } : {}),
      ...(end.reason === undefined ? {} : { reason: end.reason }),
    },
  });
  if (end.end !== undefined)
    await propagateEnd(transaction, {
      pipelineRunId: run.id,
      step: stepRun.step,
      end: end.end,
      reason: end.reason,
      atMs: end.atMs,
    });
  await settlePipelineRun(transaction, run, end.atMs);
}

const closeAttempt = prepare(
  (
    transaction,
    end: { readonly id: string; readonly status: AttemptStatus; readonly atMs: number; readonly error: string | null },
  ) =>
    transaction
      .updateTable("attempt")
      .set({ status: end.status, finished_at_ms: end.atMs, error: end.error })
      .where("id", "=", end.id),
);

const changeStepRun = prepare((transaction, to: StepRunChange & { readonly id: string }) =>
  transaction
    .updateTable("step_run")
    .set({
      status: to.status,
      cached: to.cached,
      reason: to.reason,
      error: to.error,
      facts: to.facts,
      gate_key: to.gate_key,
      cache_key: to.cache_key,
      finished_at_ms: to.finished_at_ms,
      queued_at_ms: to.queued_at_ms,
      ready_at_ms: to.ready_at_ms,
      failure_count: to.failure_count,
      lost_count: to.lost_count,
    })
    .where("id", "=", to.id),
);

type StepRunChange = Pick<
  HeldAttempt["stepRun"],
  | "status"
  | "cached"
  | "reason"
  | "error"
  | "facts"
  | "gate_key"
  | "cache_key"
  | "finished_at_ms"
  | "queued_at_ms"
  | "ready_at_ms"
  | "failure_count"
  | "lost_count"
>;

/** It would go on, but another step run of its step has failed, and that ends the rest. */
async function isEndedByAnother(transaction: WriteTransaction, stepRun: HeldAttempt["stepRun"]): Promise<boolean> {
  const step = await transaction
    .selectFrom("run_step")
    .select("outcome")
    .where("pipeline_run_id", "=", stepRun.pipeline_run_id)
    .where("step", "=", stepRun.step)
    .where("fail_fast", "=", 1)
    .executeTakeFirst();
  return step?.outcome === "failed";
}

async function stepRunChange(
  transaction: WriteTransaction,
  stepRun: HeldAttempt["stepRun"],
  end: AttemptEnd,
  error: string | null,
): Promise<StepRunChange> {
  const queuedAgain = end.stepRun === "queued";
  return {
    status: end.stepRun,
    cached: end.cached === true ? 1 : 0,
    reason: end.reason ?? null,
    error,
    facts: end.facts === undefined ? stepRun.facts : JSON.stringify(withFlakyTests(stepRun.facts, end.facts)),
    gate_key: end.gateKey ?? null,
    cache_key: end.cacheKey ?? stepRun.cache_key,
    finished_at_ms: queuedAgain || end.stepRun === "waiting" ? null : end.atMs,
    queued_at_ms: queuedAgain ? end.atMs : stepRun.queued_at_ms,
    ready_at_ms: queuedAgain ? (end.readyAtMs ?? (await databaseNow(transaction))) : stepRun.ready_at_ms,
    failure_count: stepRun.failure_count + (end.counts === "failure" ? 1 : 0),
    lost_count: stepRun.lost_count + (end.counts === "lost" ? 1 : 0),
  };
}
