import type { PipelineRunStatus } from "./pipeline-run.ts";

/** Something that is watched. */
export interface Monitor {
  readonly name: string;
  /** Endpoint, dataset or feature view. */
  readonly subject: string;
  readonly environment?: string | undefined;
  /** `roc_auc`, `drift.psi`, `null_ratio`, … */
  readonly metric: string;
  /** Column or segment, when it watches one. */
  readonly column?: string | undefined;
  readonly segment?: string | undefined;
  /** Missing while it follows from data that have not come. */
  readonly threshold?: number | undefined;
  /** The side of the threshold that is bad. */
  readonly alertWhen: "above" | "below";
  readonly window: string;
  readonly description?: string | undefined;
  readonly state: "ok" | "alert" | "no_data";
  readonly lastValue?: number | undefined;
  readonly lastAtMs?: number | undefined;
}

export interface Alert {
  readonly id: string;
  readonly monitor: string;
  /** Endpoint, dataset or feature view. */
  readonly subject: string;
  readonly environment?: string | undefined;
  readonly metric: string;
  readonly column?: string | undefined;
  readonly segment?: string | undefined;
  readonly value: number;
  readonly threshold: number;
  readonly alertWhen: "above" | "below";
  readonly windowStartMs?: number | undefined;
  readonly windowEndMs?: number | undefined;
  readonly atMs: number;
  readonly state: "open" | "acknowledged" | "closed";
  readonly closedAtMs?: number | undefined;
  /** Pipeline runs that it started. */
  readonly triggered: readonly {
    readonly pipelineRunId: string;
    readonly pipeline: string;
    readonly status: PipelineRunStatus;
  }[];
}
