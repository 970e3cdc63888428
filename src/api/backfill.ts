/** Body of `POST pipelines/:name/backfills`: what is to be made. */
export interface NewBackfill {
  /** Names, times, keys, ranges `FIRST..LAST`, or lists with commas; else `from` and `to`; else all that are over. */
  readonly partitions?: readonly string[] | undefined;
  /** The first partition: its name, or a moment in it. */
  readonly from?: string | undefined;
  /** The last partition, included. */
  readonly to?: string | undefined;
  /** Also those that were made of what is there now. */
  readonly all?: boolean | undefined;
  /** Only those whose newest run failed or was cancelled. */
  readonly failed?: boolean | undefined;
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  /** So many runs at once, 1 to 100; default 4. */
  readonly maxParallel?: number | undefined;
  /** The first failure ends it. */
  readonly failFast?: boolean | undefined;
}

/** What a backfill would do. */
export interface BackfillPreview {
  /** How many partitions it would make. */
  readonly partitionCount: number;
  /** The first of them, at most 1,000. */
  readonly partitions: readonly string[];
  /** Those in the range that are as what is there now makes them, or did not fail. */
  readonly leftOut: number;
  /** The first of them, at most 1,000. */
  readonly filled: readonly string[];
  /** Median of earlier runs of partitions; missing when there is none. */
  readonly medianMs?: number | undefined;
  /** Steps of other pipelines that read what the pipeline makes. */
  readonly downstream: readonly { readonly asset: string; readonly pipeline: string; readonly step: string }[];
}

export type BackfillStatus = "running" | "paused" | "succeeded" | "failed" | "cancelled";
export type BackfillPartitionStatus = "pending" | "running" | "succeeded" | "failed" | "cancelled";

export interface BackfillSummary {
  readonly id: string;
  readonly pipeline: string;
  readonly status: BackfillStatus;
  readonly actor: string;
  readonly createdAtMs: number;
  readonly endedAtMs?: number | undefined;
  readonly maxParallel: number;
  readonly failFast: boolean;
  readonly pending: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

export interface BackfillPartition {
  readonly partition: string;
  readonly status: BackfillPartitionStatus;
  readonly pipelineRunId?: string | undefined;
}

/** Body of `POST backfills/:id/retry`: the partitions to run again; default: all that failed or were cancelled. */
export interface BackfillRetry {
  readonly partitions?: readonly string[] | undefined;
}

/** A partition of a pipeline, with its newest run. */
export interface PartitionState {
  readonly name: string;
  /** `missing`: it never ran. */
  readonly state: "missing" | "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled" | "interrupted";
  readonly pipelineRunId?: string | undefined;
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
}
