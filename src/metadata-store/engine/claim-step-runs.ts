import { type RawBuilder, type Selectable, sql } from "kysely";
import { newId } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { isSqlite } from "../dialect.ts";
import { prepare } from "../prepared.ts";
import { databaseNow } from "./database-time.ts";
import { holdAttempt } from "./end-attempt.ts";
import { isStopped, lockPipelineRun } from "./end-step-run.ts";
import type { PipelineRun } from "./list-pipeline-runs.ts";
import { hasPoolRoom, isQueuedInPool, listPoolsInDemand, type PoolRoom, slotsNeeded } from "./pool.ts";
import { lockSlotGroup } from "./settle-pipeline-run.ts";
import type { PipelineTables } from "./tables.ts";

/** A step run that an engine has just taken, with the fencing token of its new attempt. */
export interface ClaimedStepRun {
  readonly stepRunId: string;
  readonly pipelineRunId: string;
  readonly project: string;
  readonly pipeline: string;
  readonly step: string;
  readonly kind: string;
  readonly matrixIndex: number;
  readonly matrix: object | undefined;
  readonly attemptId: string;
  readonly attemptNumber: number;
  readonly token: number;
  readonly failureCount: number;
  readonly definitionDigest: string;
  readonly params: object;
  /** The part of the pipeline that was asked for. */
  readonly selection: PipelineRun["selection"];
  readonly source: object | undefined;
  readonly partition: string | undefined;
  readonly trigger: { readonly kind: string; readonly subject: string | undefined; readonly cause: object };
  readonly actor: string;
}

export interface Claim {
  readonly project: string;
  /** The engine that takes them. */
  readonly owner: string;
  readonly limit: number;
  readonly leaseMs: number;
  readonly atMs: number;
  /** Only step runs of this pipeline run. */
  readonly pipelineRunId?: string | undefined;
}

type StepRunRow = Selectable<PipelineTables["step_run"]>;

/**
 * Takes queued step runs that are ready and fit their concurrency group and their pool, by priority and then the oldest
 * first: one attempt each, under a lease.
 */
export async function claimStepRuns(transaction: WriteTransaction, claim: Claim): Promise<readonly ClaimedStepRun[]> {
  const now = await databaseNow(transaction);
  const claimed: ClaimedStepRun[] = [];
  for (const candidate of await readyStepRuns(transaction, claim, claim.limit, now)) {
    const run = await lockPipelineRun(transaction, candidate.pipeline_run_id);
    if (run === undefined || isStopped(run, candidate) || run.status !== "running") continue;
    if (!(await hasRoom(transaction, candidate, now))) continue;
    const taken = await take(transaction, candidate, { ...claim, now });
    if (taken === undefined) continue;
    claimed.push({ ...taken, ...ofRun(run) });
  }
  return claimed;
}

function ofRun(
  run: Selectable<PipelineTables["pipeline_run"]>,
): Omit<
  ClaimedStepRun,
  "stepRunId" | "step" | "kind" | "matrixIndex" | "matrix" | "attemptId" | "attemptNumber" | "token" | "failureCount"
> {
  return {
    pipelineRunId: run.id,
    project: run.project,
    pipeline: run.pipeline,
    definitionDigest: run.definition_digest,
    params: JSON.parse(run.params) as object,
    selection: JSON.parse(run.selection) as PipelineRun["selection"],
    partition: run.partition ?? undefined,
    source: run.source === null ? undefined : (JSON.parse(run.source) as object),
    trigger: {
      kind: run.trigger_kind,
      subject: run.trigger_subject ?? undefined,
      cause: JSON.parse(run.trigger_cause) as object,
    },
    actor: run.actor,
  };
}

function ofStepRun(
  stepRun: StepRunRow,
): Pick<ClaimedStepRun, "stepRunId" | "step" | "kind" | "matrixIndex" | "matrix" | "failureCount"> {
  return {
    stepRunId: stepRun.id,
    step: stepRun.step,
    kind: stepRun.kind,
    matrixIndex: stepRun.matrix_index,
    matrix: stepRun.matrix === null ? undefined : (JSON.parse(stepRun.matrix) as object),
    failureCount: stepRun.failure_count,
  };
}

/** A step run as an attempt would get it, without one: nothing is changed. Undefined when there is none. */
export async function readAsClaimed(
  transaction: ReadTransaction,
  {
    stepRunId,
    project,
    attemptId,
  }: { readonly stepRunId: string; readonly project: string; readonly attemptId: string },
): Promise<ClaimedStepRun | undefined> {
  const stepRun = await transaction
    .selectFrom("step_run")
    .selectAll()
    .where("id", "=", stepRunId)
    .where("project", "=", project)
    .executeTakeFirst();
  if (stepRun === undefined) return undefined;
  const run = await transaction
    .selectFrom("pipeline_run")
    .selectAll()
    .where("id", "=", stepRun.pipeline_run_id)
    .executeTakeFirstOrThrow();
  return { ...ofStepRun(stepRun), ...ofRun(run), attemptId, attemptNumber: stepRun.attempt_count + 1, token: 0 };
}

/**
 * Takes a running attempt over from an engine that is gone, with what runs of it: the same attempt under a new fencing
 * token, so that the engine before can write nothing of it any more.
 *
 * @param attempt with the token that it was found under
 * @returns undefined when it has ended, or another engine was faster
 */
export async function takeOverAttempt(
  transaction: WriteTransaction,
  attempt: { readonly attemptId: string; readonly token: number; readonly owner: string; readonly leaseMs: number },
): Promise<{ readonly claimed: ClaimedStepRun; readonly trackingRunId: string | undefined } | undefined> {
  const held = await holdAttempt(transaction, attempt);
  if (held === undefined) return undefined;
  const expires = (await databaseNow(transaction)) + attempt.leaseMs;
  const token = attempt.token + 1;
  await transaction.updateTable("step_run").set({ token }).where("id", "=", held.stepRun.id).execute();
  await transaction
    .updateTable("attempt")
    .set({ token, owner: attempt.owner, lease_expires_at_ms: expires })
    .where("id", "=", attempt.attemptId)
    .execute();
  await transaction
    .updateTable("slot")
    .set({ expires_at_ms: expires })
    .where("holder", "=", attempt.attemptId)
    .execute();
  return {
    claimed: {
      ...ofStepRun(held.stepRun),
      ...ofRun(held.run),
      attemptId: attempt.attemptId,
      attemptNumber: held.attempt.number,
      token,
    },
    trackingRunId: held.attempt.tracking_run_id ?? undefined,
  };
}

/** True when something could be claimed now: a cheap question to ask before a write. */
export async function hasClaimable(
  transaction: ReadTransaction,
  claim: Pick<Claim, "project" | "pipelineRunId">,
): Promise<boolean> {
  return (await readyStepRuns(transaction, claim, 1, await databaseNow(transaction))).length > 0;
}

/** When the next delayed step run becomes ready, epoch milliseconds; undefined when none is delayed. */
export async function nextReadyTime(
  transaction: ReadTransaction,
  claim: Pick<Claim, "project" | "pipelineRunId">,
): Promise<number | undefined> {
  const { project, pipelineRunId } = claim;
  const now = await databaseNow(transaction);
  const { rows } =
    pipelineRunId === undefined
      ? await selectNextReady(transaction, { project, now })
      : await selectNextReadyOfRun(transaction, { project, pipelineRunId, now });
  return rows[0]?.ready_at_ms ?? undefined;
}

interface Delayed {
  readonly project: string;
  readonly now: number;
}

const selectNextReady = prepare((transaction, of: Delayed) => delayedRows(transaction, of));

const selectNextReadyOfRun = prepare((transaction, of: Delayed & { readonly pipelineRunId: string }) =>
  delayedRows(transaction, of).where("pipeline_run_id", "=", of.pipelineRunId),
);

function delayedRows(transaction: ReadTransaction, { project, now }: Delayed) {
  return transaction
    .selectFrom("step_run")
    .select("ready_at_ms")
    .where("project", "=", project)
    .where("status", "=", "queued")
    .where("ready_at_ms", ">", now)
    .orderBy("ready_at_ms")
    .limit(1);
}

/** Those to be taken next, of any pool or none: by priority, then the oldest first. */
async function readyStepRuns(
  transaction: ReadTransaction,
  claim: Pick<Claim, "project" | "pipelineRunId">,
  limit: number,
  now: number,
): Promise<readonly StepRunRow[]> {
  const found = [...(await readyOutsidePools(transaction, claim, limit, now))];
  for (const room of await listPoolsInDemand(transaction, claim.project, now))
    found.push(...(await readyInPool(transaction, claim, { ...room, limit, now })));
  return found.toSorted(byTurn).slice(0, limit);
}

function byTurn(left: StepRunRow, right: StepRunRow): number {
  return (
    right.priority - left.priority ||
    (left.ready_at_ms ?? 0) - (right.ready_at_ms ?? 0) ||
    (left.id < right.id ? -1 : 1)
  );
}

async function readyOutsidePools(
  transaction: ReadTransaction,
  { project, pipelineRunId }: Pick<Claim, "project" | "pipelineRunId">,
  limit: number,
  now: number,
): Promise<readonly StepRunRow[]> {
  const { rows } =
    pipelineRunId === undefined
      ? await selectOutsidePools(transaction, { project, limit, now })
      : await selectOfRunOutsidePools(transaction, { project, pipelineRunId, limit, now });
  return rows;
}

/** Nobody is overtaken in a pool: one that needs more slots than are free would else wait for ever. */
async function readyInPool(
  transaction: ReadTransaction,
  claim: Pick<Claim, "project" | "pipelineRunId">,
  pool: PoolRoom & { readonly limit: number; readonly now: number },
): Promise<readonly StepRunRow[]> {
  let free = pool.slots - pool.used;
  if (free <= 0) return [];
  const rows = await readyRows(transaction, claim, pool.now)
    .where(isQueuedInPool)
    .where("step_run.pool", "=", pool.name)
    .limit(Math.min(pool.limit, free))
    .execute();
  const fits: StepRunRow[] = [];
  for (const row of rows) {
    free -= slotsNeeded(row.pool_slots, pool.slots);
    if (free < 0) break;
    fits.push(row);
  }
  return fits;
}

// As a literal: a partial index is not used for parameters.
const isOutsidePools = sql<boolean>`step_run.status = 'queued' and step_run.pool is null`;

interface Ready {
  readonly project: string;
  readonly limit: number;
  readonly now: number;
}

const selectOutsidePools = prepare((transaction, { project, limit, now }: Ready) =>
  readyRows(transaction, { project }, now).where(isOutsidePools).limit(limit),
);

const selectOfRunOutsidePools = prepare(
  (transaction, { project, pipelineRunId, limit, now }: Ready & { readonly pipelineRunId: string }) =>
    readyRows(transaction, { project, pipelineRunId }, now).where(isOutsidePools).limit(limit),
);

function readyRows(transaction: ReadTransaction, claim: Pick<Claim, "project" | "pipelineRunId">, now: number) {
  const select = transaction
    .selectFrom("step_run")
    .selectAll("step_run")
    .where("step_run.project", "=", claim.project)
    .where(inTurn(transaction, "ready_at_ms"), "<=", now)
    .where((is) =>
      is.or([
        is("step_run.concurrency_group", "is", null),
        is(
          "step_run.concurrency_limit",
          ">",
          is
            .selectFrom("slot")
            .whereRef("slot.project", "=", "step_run.project")
            .whereRef("slot.group_name", "=", "step_run.concurrency_group")
            .where("slot.expires_at_ms", ">", now)
            .select((count) => count.fn.countAll<number>().as("count")),
        ),
      ]),
    )
    // An interrupted or cancelled run keeps its queued steps; they are not to be taken.
    .where((is) =>
      is.exists(
        is
          .selectFrom("pipeline_run")
          .select("pipeline_run.id")
          .whereRef("pipeline_run.id", "=", "step_run.pipeline_run_id")
          .where("pipeline_run.status", "=", "running")
          .where((run) =>
            run.or([
              run("pipeline_run.cancel_requested", "=", 0),
              run.and([run("pipeline_run.cancel_requested", "=", 1), run("step_run.own_condition", "=", 1)]),
            ]),
          ),
      ),
    )
    .orderBy("step_run.priority", "desc")
    .orderBy("step_run.ready_at_ms")
    .orderBy("step_run.id");
  return claim.pipelineRunId === undefined
    ? select
    : select.where(inTurn(transaction, "pipeline_run_id"), "=", claim.pipelineRunId);
}

/**
 * A column that SQLite does not search by. It would gather all that is queued and sort it for the sake of a few rows,
 * where an index has them in the order in which they are taken.
 */
function inTurn<Column extends "ready_at_ms" | "pipeline_run_id">(
  transaction: ReadTransaction,
  column: Column,
): RawBuilder<StepRunRow[Column]> {
  return sql`${sql.raw(isSqlite(transaction) ? "+" : "")}${sql.ref(`step_run.${column}`)}`;
}

async function hasRoom(transaction: WriteTransaction, stepRun: StepRunRow, now: number): Promise<boolean> {
  return (await acquireSlot(transaction, stepRun, now)) && (await hasPoolRoom(transaction, stepRun, now));
}

async function acquireSlot(transaction: WriteTransaction, stepRun: StepRunRow, now: number): Promise<boolean> {
  if (stepRun.concurrency_group === null) return true;
  await lockSlotGroup(transaction, stepRun.project, stepRun.concurrency_group);
  const ofGroup = { project: stepRun.project, group: stepRun.concurrency_group };
  await transaction
    .deleteFrom("slot")
    .where("project", "=", ofGroup.project)
    .where("group_name", "=", ofGroup.group)
    .where("expires_at_ms", "<=", now)
    .execute();
  const { count } = await transaction
    .selectFrom("slot")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", ofGroup.project)
    .where("group_name", "=", ofGroup.group)
    .executeTakeFirstOrThrow();
  return Number(count) < (stepRun.concurrency_limit ?? Infinity);
}

const begin = prepare((transaction, of: { readonly id: string; readonly atMs: number }) =>
  transaction
    .updateTable("step_run")
    .set((update) => ({
      status: "running",
      token: update("token", "+", 1),
      attempt_count: update("attempt_count", "+", 1),
      started_at_ms: of.atMs,
      reason: null,
      error: null,
      gate_key: null,
      progress: null,
    }))
    .where("id", "=", of.id)
    .where("status", "=", "queued")
    .returning(["token", "attempt_count"]),
);

const insertAttempt = prepare((transaction, one: Selectable<PipelineTables["attempt"]>) =>
  transaction.insertInto("attempt").values({
    id: one.id,
    step_run_id: one.step_run_id,
    pipeline_run_id: one.pipeline_run_id,
    project: one.project,
    number: one.number,
    token: one.token,
    owner: one.owner,
    status: one.status,
    lease_expires_at_ms: one.lease_expires_at_ms,
    claimed_at_ms: one.claimed_at_ms,
    started_at_ms: one.started_at_ms,
    finished_at_ms: one.finished_at_ms,
    error: one.error,
    tracking_run_id: one.tracking_run_id,
    token_hash: one.token_hash,
    pool: one.pool,
    pool_slots: one.pool_slots,
  }),
);

async function take(transaction: WriteTransaction, stepRun: StepRunRow, claim: Claim & { readonly now: number }) {
  const [updated] = (await begin(transaction, { id: stepRun.id, atMs: claim.atMs })).rows;
  if (updated === undefined) return undefined;
  const attemptId = newId(claim.atMs);
  const expires = claim.now + claim.leaseMs;
  await insertAttempt(transaction, {
    id: attemptId,
    step_run_id: stepRun.id,
    pipeline_run_id: stepRun.pipeline_run_id,
    project: stepRun.project,
    number: updated.attempt_count,
    token: updated.token,
    owner: claim.owner,
    status: "running",
    lease_expires_at_ms: expires,
    claimed_at_ms: claim.now,
    started_at_ms: claim.atMs,
    finished_at_ms: null,
    error: null,
    tracking_run_id: null,
    token_hash: null,
    pool: stepRun.pool,
    pool_slots: stepRun.pool_slots,
  });
  if (stepRun.concurrency_group !== null) {
    await transaction
      .insertInto("slot")
      .values({
        project: stepRun.project,
        group_name: stepRun.concurrency_group,
        holder: attemptId,
        step_run_id: stepRun.id,
        expires_at_ms: expires,
        acquired_at_ms: claim.atMs,
      })
      .execute();
  }
  await appendEvent(transaction, {
    atMs: claim.atMs,
    project: stepRun.project,
    type: "step_run.started",
    subjectKind: "step_run",
    subject: stepRun.id,
    actor: "engine",
    data: {
      pipeline: stepRun.pipeline,
      step: stepRun.step,
      pipelineRunId: stepRun.pipeline_run_id,
      attempt: updated.attempt_count,
    },
  });
  return {
    ...ofStepRun(stepRun),
    attemptId,
    attemptNumber: updated.attempt_count,
    token: updated.token,
  };
}
