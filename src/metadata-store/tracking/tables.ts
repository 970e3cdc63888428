import type { Generated } from "kysely";

export const LIFECYCLE_STAGES = ["active", "deleted"] as const;
export type LifecycleStage = (typeof LIFECYCLE_STAGES)[number];

/** MLflow's names; its numbers are part of the protocol. */
export const RUN_STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** A 64-bit integer: a number when it is safe, else a bigint. */
export type StoredInteger = number | bigint;

/** `run` columns hold `run.number`. `sequence` keeps the order in which keys were first logged. */
export interface TrackingTables {
  experiment: {
    experiment_id: Generated<number>;
    project: string;
    name: string;
    /** Null: the default place below the artifact root. */
    artifact_location: string | null;
    lifecycle_stage: LifecycleStage;
    creation_time: number;
    last_update_time: number;
  };
  experiment_tag: { experiment_id: number; key: string; value: string; sequence: number };
  run: {
    /** Short key for the tables below. */
    number: Generated<number>;
    run_id: string;
    experiment_id: number;
    project: string;
    run_name: string;
    user_id: string;
    status: RunStatus;
    start_time: StoredInteger;
    end_time: StoredInteger | null;
    artifact_uri: string;
    lifecycle_stage: LifecycleStage;
    /** Attempt of a step that opened this run; null for runs of clients. */
    attempt_id: string | null;
    pipeline_run_id: string | null;
  };
  run_tag: { run: number; key: string; value: string; sequence: number };
  run_param: { run: number; key: string; value: string; sequence: number };
  /** Every point. NaN is `is_nan` 1 with value 0; infinities are clamped to the largest double. */
  run_metric: {
    run: number;
    key: string;
    timestamp_ms: StoredInteger;
    step: StoredInteger;
    value: number;
    is_nan: number;
  };
  /** The greatest point of each key by (step, timestamp, value). */
  run_latest_metric: {
    run: number;
    key: string;
    timestamp_ms: StoredInteger;
    step: StoredInteger;
    value: number;
    is_nan: number;
    sequence: number;
  };
  dataset: {
    number: Generated<number>;
    experiment_id: number;
    name: string;
    digest: string;
    source_type: string;
    source: string;
    schema: string | null;
    profile: string | null;
  };
  run_dataset: { run: number; dataset: number; context: string | null; sequence: number };
  run_dataset_tag: { run: number; dataset: number; key: string; value: string; sequence: number };
  run_model: { run: number; direction: "input" | "output"; model_id: string; step: StoredInteger; sequence: number };
}
