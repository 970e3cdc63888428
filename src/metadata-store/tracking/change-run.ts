import type { WriteTransaction } from "../database.ts";
import { appendEvent, type EventsOf } from "../event/append-event.ts";
import type { EventType } from "../event/catalogue.ts";
import { type KeyValue, lastOfEachKey } from "../registry/key-value.ts";
import { findRun, findRunOfAttempt, type RunInfo } from "./run.ts";
import type { LifecycleStage, RunStatus, StoredInteger } from "./tables.ts";
import { insertRows, type RowInsertion } from "./write-rows.ts";

export interface NewRun {
  readonly runId: string;
  readonly experimentId: number;
  readonly project: string;
  readonly runName: string;
  readonly userId: string;
  readonly startTimeMs: StoredInteger;
  readonly artifactUri: string;
  readonly tags: readonly KeyValue[];
  readonly attemptId?: string;
  readonly pipelineRunId?: string;
  readonly atMs: number;
  readonly actor: string;
}

const TAG_UPSERT: RowInsertion = {
  into: "run_tag",
  columns: ["run", "key", "value", "sequence"],
  tail: "on conflict (run, key) do update set value = excluded.value",
};

const RUN_INSERT: RowInsertion = {
  into: "run",
  columns: [
    "run_id",
    "experiment_id",
    "project",
    "run_name",
    "user_id",
    "status",
    "start_time",
    "end_time",
    "artifact_uri",
    "lifecycle_stage",
    "attempt_id",
    "pipeline_run_id",
  ],
  tail: "on conflict (attempt_id) do nothing returning number",
};

/** Creates a run, RUNNING. When another process opened the run of the same attempt just now, that one is returned. */
export async function createRun(transaction: WriteTransaction, facts: NewRun): Promise<RunInfo> {
  const {
    runId,
    experimentId,
    project,
    runName,
    userId,
    startTimeMs,
    artifactUri,
    attemptId = null,
    pipelineRunId = null,
  } = facts;
  const [row] = await insertRows<{ number: number }>(transaction, RUN_INSERT, [
    runId,
    experimentId,
    project,
    runName,
    userId,
    "RUNNING",
    startTimeMs,
    null,
    artifactUri,
    "active",
    attemptId,
    pipelineRunId,
  ]);
  if (row === undefined) return openedElsewhere(transaction, attemptId ?? "");
  const { number } = row;
  await setRunTags(transaction, number, facts.tags, facts.atMs);
  await appendRunEvent(transaction, facts, { type: "run.created", data: { experimentId } });
  return {
    number,
    runId,
    experimentId,
    project,
    runName,
    userId,
    status: "RUNNING",
    startTimeMs,
    endTimeMs: undefined,
    artifactUri,
    lifecycleStage: "active",
    pipelineRunId: facts.pipelineRunId,
  };
}

async function openedElsewhere(transaction: WriteTransaction, attemptId: string): Promise<RunInfo> {
  const run = await findRunOfAttempt(transaction, attemptId);
  if (run === undefined) throw new Error(`the run of attempt ${attemptId} is neither new nor there`);
  return run;
}

/** Sets tags, of equal keys the last; existing ones keep their place. Does not rename the run. */
export async function setRunTags(
  transaction: WriteTransaction,
  run: number,
  tags: readonly KeyValue[],
  atMs: number,
): Promise<void> {
  const values = lastOfEachKey(tags).flatMap(({ key, value }, index) => [run, key, value, atMs * 1000 + index]);
  await insertRows(transaction, TAG_UPSERT, values);
}

/** Removes a tag; false when there is none. */
export async function deleteRunTag(
  transaction: WriteTransaction,
  tag: { readonly run: number; readonly key: string },
): Promise<boolean> {
  const gone = await transaction
    .deleteFrom("run_tag")
    .where("run", "=", tag.run)
    .where("key", "=", tag.key)
    .returning("key")
    .execute();
  return gone.length > 0;
}

export interface RunChange {
  readonly run: RunInfo;
  readonly status?: RunStatus;
  readonly endTimeMs?: StoredInteger;
  readonly runName?: string;
  readonly atMs: number;
  readonly actor: string;
}

/** Changes the given fields only. */
export async function updateRun(transaction: WriteTransaction, change: RunChange): Promise<RunInfo> {
  const { run, status, endTimeMs, runName } = change;
  const set = {
    ...(status === undefined ? {} : { status }),
    ...(endTimeMs === undefined ? {} : { end_time: endTimeMs }),
    ...(runName === undefined ? {} : { run_name: runName }),
  };
  if (Object.keys(set).length > 0)
    await transaction.updateTable("run").set(set).where("number", "=", run.number).execute();
  if (status !== undefined && status !== run.status) {
    await appendRunEvent(transaction, { ...change, ...run }, { type: EVENT_OF_STATUS[status] });
  }
  return (await findRun(transaction, run.runId)) ?? run;
}

/** Deletes or restores a run. */
export async function setRunStage(
  transaction: WriteTransaction,
  change: { readonly run: RunInfo; readonly stage: LifecycleStage; readonly atMs: number; readonly actor: string },
): Promise<void> {
  const { run, stage } = change;
  if (run.lifecycleStage === stage) return;
  await transaction.updateTable("run").set({ lifecycle_stage: stage }).where("number", "=", run.number).execute();
  await appendRunEvent(
    transaction,
    { ...change, ...run },
    { type: stage === "deleted" ? "run.deleted" : "run.restored" },
  );
}

const EVENT_OF_STATUS = {
  RUNNING: "run.running",
  SCHEDULED: "run.scheduled",
  FINISHED: "run.finished",
  FAILED: "run.failed",
  KILLED: "run.killed",
} as const satisfies Record<RunStatus, EventType>;

interface RunFacts {
  readonly runId: string;
  readonly project: string;
  readonly atMs: number;
  readonly actor: string;
}

async function appendRunEvent(
  transaction: WriteTransaction,
  { atMs, project, runId, actor }: RunFacts,
  event: EventsOf<"run">,
): Promise<void> {
  await appendEvent(transaction, { atMs, project, subjectKind: "run", subject: runId, actor, ...event });
}
