import type { Selectable } from "kysely";
import type { ReadTransaction } from "../database.ts";
import type { KeyValue } from "../registry/key-value.ts";
import type { LifecycleStage, RunStatus, StoredInteger, TrackingTables } from "./tables.ts";
import { runStatement } from "./write-rows.ts";

export type RunRow = Selectable<TrackingTables["run"]>;

export interface RunInfo {
  /** Short key of the store; never shown. */
  readonly number: number;
  readonly runId: string;
  readonly experimentId: number;
  readonly project: string;
  readonly runName: string;
  readonly userId: string;
  readonly status: RunStatus;
  /** Epoch milliseconds. */
  readonly startTimeMs: StoredInteger;
  readonly endTimeMs: StoredInteger | undefined;
  readonly artifactUri: string;
  readonly lifecycleStage: LifecycleStage;
  readonly pipelineRunId: string | undefined;
}

/** One point of a metric. Infinities are stored as the largest double. */
export interface MetricPoint {
  readonly key: string;
  /** May be NaN. */
  readonly value: number;
  readonly timestampMs: StoredInteger;
  readonly step: StoredInteger;
}

export interface RunDataset {
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
  readonly schema: string | undefined;
  readonly profile: string | undefined;
  readonly tags: readonly KeyValue[];
}

export interface RunModel {
  readonly modelId: string;
  readonly step: StoredInteger;
}

/** A run with what was logged to it; of metrics the latest points. */
export interface Run {
  readonly info: RunInfo;
  readonly metrics: readonly MetricPoint[];
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  readonly datasets: readonly RunDataset[];
  readonly modelInputs: readonly RunModel[];
  readonly modelOutputs: readonly RunModel[];
}

export function toRunInfo(row: RunRow): RunInfo {
  return {
    number: row.number,
    runId: row.run_id,
    experimentId: row.experiment_id,
    project: row.project,
    runName: row.run_name,
    userId: row.user_id,
    status: row.status,
    startTimeMs: row.start_time,
    endTimeMs: row.end_time ?? undefined,
    artifactUri: row.artifact_uri,
    lifecycleStage: row.lifecycle_stage,
    pipelineRunId: row.pipeline_run_id ?? undefined,
  };
}

/** A run by its id; deleted ones too. */
export async function findRun(transaction: ReadTransaction, runId: string): Promise<RunInfo | undefined> {
  const [row] = await runStatement<RunRow>(transaction, "select * from run where run_id = ?", [runId]);
  return row === undefined ? undefined : toRunInfo(row);
}

/** The run that an attempt of a step opened. */
export async function findRunOfAttempt(transaction: ReadTransaction, attemptId: string): Promise<RunInfo | undefined> {
  const row = await transaction.selectFrom("run").selectAll().where("attempt_id", "=", attemptId).executeTakeFirst();
  return row === undefined ? undefined : toRunInfo(row);
}

/** Tag of the runs and logged models that the attempt of a step made: id of the attempt. */
export const ATTEMPT_TAG = "esteira.attempt";

/** True when an attempt opened the run, or made it with its own token. */
export async function isRunOfAttempt(
  transaction: ReadTransaction,
  key: { readonly runId: string; readonly attemptId: string },
): Promise<boolean> {
  const run = await transaction
    .selectFrom("run")
    .select(["number", "attempt_id"])
    .where("run_id", "=", key.runId)
    .executeTakeFirst();
  if (run === undefined) return false;
  if (run.attempt_id !== null) return run.attempt_id === key.attemptId;
  const tag = await transaction
    .selectFrom("run_tag")
    .select("value")
    .where("run", "=", run.number)
    .where("key", "=", ATTEMPT_TAG)
    .executeTakeFirst();
  return tag?.value === key.attemptId;
}
