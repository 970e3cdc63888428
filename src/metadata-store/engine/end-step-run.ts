import type { Selectable } from "kysely";
import type { WriteTransaction } from "../database.ts";
import { prepare } from "../prepared.ts";
import { cancelRest, queueNext, queueStepRuns } from "./queue-step-runs.ts";
import type { PipelineTables } from "./tables.ts";

/** How a step run ended, as what depends on it sees it. */
export type StepRunEnd = "succeeded" | "blocked" | "skipped" | "failed" | "cancelled";

const SEVERITY: readonly string[] = ["succeeded", "skipped", "blocked", "cancelled", "failed"];

/**
 * Serializes the transitions of one pipeline run: call it before anything else in a transaction that changes one.
 *
 * @returns the run, or undefined when there is none
 */
export async function lockPipelineRun(
  transaction: WriteTransaction,
  id: string,
): Promise<Selectable<PipelineTables["pipeline_run"]> | undefined> {
  return (await touchRun(transaction, { id })).rows[0];
}

const touchRun = prepare((transaction, { id }: { readonly id: string }) =>
  transaction
    .updateTable("pipeline_run")
    .set((update) => ({ revision: update("revision", "+", 1) }))
    .where("id", "=", id)
    .returningAll(),
);

/**
 * The run was cancelled, and this step run with it: one that runs whatever happens ends only when the run is cancelled
 * a second time.
 */
export function isStopped(
  run: Pick<Selectable<PipelineTables["pipeline_run"]>, "cancel_requested">,
  stepRun: Pick<Selectable<PipelineTables["step_run"]>, "own_condition">,
): boolean {
  return run.cancel_requested > (stepRun.own_condition === 1 ? 1 : 0);
}

/**
 * Tells the dependents of a step run that it has ended: those that now wait for nothing are queued, or skipped with the
 * reason when something they need did not succeed. The step run's own row was changed by the caller, who holds the
 * run's lock.
 */
export async function propagateEnd(
  transaction: WriteTransaction,
  ended: {
    readonly pipelineRunId: string;
    readonly step: string;
    readonly end: StepRunEnd;
    readonly reason?: string | undefined;
    readonly atMs: number;
  },
): Promise<void> {
  const waiting = [{ step: ended.step, end: ended.end, reason: ended.reason, count: 1 }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const closed = await closeInstances(transaction, { ...ended, ...next });
    if (closed === undefined) continue;
    for (const dependent of closed.dependents) {
      const skipped = await releaseDependent(transaction, { ...ended, dependent, cause: closed });
      if (skipped !== undefined) waiting.push(skipped);
    }
  }
}

/** Why a combination or an item ends that has not failed itself. */
export const FAIL_FAST = "another one failed, and fail_fast ends the rest";

interface ClosedStep {
  readonly step: string;
  readonly outcome: string | null;
  readonly reason: string | null;
  readonly dependents: readonly string[];
}

/** Counts ended instances of a step; returns it once the last has ended. */
async function closeInstances(
  transaction: WriteTransaction,
  ended: {
    readonly pipelineRunId: string;
    readonly step: string;
    readonly end: StepRunEnd;
    readonly reason: string | undefined;
    readonly count: number;
    readonly atMs: number;
  },
): Promise<ClosedStep | undefined> {
  const [before] = (await selectRunStep(transaction, ended)).rows;
  if (before === undefined) throw new Error(`the run has no step ${ended.step}`);
  const worse =
    ended.end !== "succeeded" && SEVERITY.indexOf(ended.end) > SEVERITY.indexOf(before.outcome ?? "succeeded");
  const outcome = worse ? ended.end : before.outcome;
  const reason = worse ? (ended.reason ?? null) : before.reason;
  const rest =
    before.fail_fast === 1 && ended.end === "failed" && before.remaining > ended.count
      ? await cancelRest(transaction, { ...ended, reason: FAIL_FAST })
      : 0;
  const remaining = before.remaining - ended.count - rest;
  const { pipelineRunId, step } = ended;
  await changeRunStep(transaction, { pipelineRunId, step, remaining, outcome, reason });
  // Whoever ended leaves its place to the next.
  if (before.max_parallel !== null && remaining > 0) await queueNext(transaction, ended, ended.count);
  return remaining > 0
    ? undefined
    : { step: ended.step, outcome, reason, dependents: JSON.parse(before.dependents) as string[] };
}

const selectRunStep = prepare((transaction, of: { readonly pipelineRunId: string; readonly step: string }) =>
  transaction
    .selectFrom("run_step")
    .selectAll()
    .where("pipeline_run_id", "=", of.pipelineRunId)
    .where("step", "=", of.step),
);

const changeRunStep = prepare(
  (
    transaction,
    to: {
      readonly pipelineRunId: string;
      readonly step: string;
      readonly remaining: number;
      readonly outcome: string | null;
      readonly reason: string | null;
    },
  ) =>
    transaction
      .updateTable("run_step")
      .set({ remaining: to.remaining, outcome: to.outcome, reason: to.reason })
      .where("pipeline_run_id", "=", to.pipelineRunId)
      .where("step", "=", to.step),
);

async function releaseDependent(
  transaction: WriteTransaction,
  facts: {
    readonly pipelineRunId: string;
    readonly atMs: number;
    readonly dependent: string;
    readonly cause: ClosedStep;
  },
): Promise<{ step: string; end: "skipped"; reason: string; count: number } | undefined> {
  const { pipelineRunId, dependent, cause, atMs } = facts;
  const stopped = cause.outcome === null ? undefined : skipReason(cause);
  const { rows } =
    stopped === undefined
      ? await countDown(transaction, { pipelineRunId, dependent })
      : await countDownStopped(transaction, { pipelineRunId, dependent, stopped });
  const [released] = rows;
  if (released === undefined) throw new Error(`the run has no step ${dependent}`);
  const { pending, reason, max_parallel: maxParallel } = released;
  if (pending > 0) return undefined;
  if (reason === null) {
    await queueStepRuns(transaction, { pipelineRunId, step: dependent, atMs, maxParallel });
    return undefined;
  }
  const { numUpdatedRows } = await transaction
    .updateTable("step_run")
    .set({ status: "skipped", reason, finished_at_ms: atMs })
    .where("pipeline_run_id", "=", pipelineRunId)
    .where("step", "=", dependent)
    .where("status", "=", "pending")
    .executeTakeFirst();
  return numUpdatedRows === 0n ? undefined : { step: dependent, end: "skipped", reason, count: Number(numUpdatedRows) };
}

interface Dependent {
  readonly pipelineRunId: string;
  readonly dependent: string;
}

const countDown = prepare((transaction, of: Dependent) =>
  transaction
    .updateTable("run_step")
    .set((update) => ({ pending: update("pending", "-", 1) }))
    .where("pipeline_run_id", "=", of.pipelineRunId)
    .where("step", "=", of.dependent)
    .returning(["pending", "reason", "max_parallel"]),
);

const countDownStopped = prepare((transaction, of: Dependent & { readonly stopped: string }) =>
  transaction
    .updateTable("run_step")
    // A step whose own condition decides learns of what happened when it is looked at.
    .set((update) => ({
      pending: update("pending", "-", 1),
      reason: update.case().when("own_condition", "=", 0).then(of.stopped).else(update.ref("reason")).end(),
    }))
    .where("pipeline_run_id", "=", of.pipelineRunId)
    .where("step", "=", of.dependent)
    .returning(["pending", "reason", "max_parallel"]),
);

/** Names the step that did it; what happened there is told there, not once more at everything behind it. */
function skipReason(cause: ClosedStep): string {
  if (cause.outcome === "blocked")
    return cause.reason === null ? `${cause.step} refused` : `${cause.step} refused: ${cause.reason}`;
  // The first cause says more than the chain of skipped steps behind it.
  if (cause.outcome === "skipped") return cause.reason ?? `${cause.step} was skipped`;
  return cause.outcome === "cancelled" ? `${cause.step} was cancelled` : `${cause.step} failed`;
}
