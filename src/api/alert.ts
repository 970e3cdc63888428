import type { PipelineRunStatus } from "./pipeline-run.ts";
import type { ColumnShape } from "./window-report.ts";

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
  /** What crossed what. */
  readonly message: string;
  /** Pipeline runs that it started. */
  readonly triggered: readonly {
    readonly pipelineRunId: string;
    readonly pipeline: string;
    readonly status: PipelineRunStatus;
  }[];
}

/** One alert with why it opened and who was told. */
export interface AlertDetail extends Alert {
  /** Rows that were judged. */
  readonly rows: number;
  /** Windows that were out of bounds while it was open. */
  readonly windows: number;
  readonly closeReason?: string | undefined;
  /** Absent in alerts of earlier versions, and where nothing can be said. */
  readonly explanation?: AlertExplanation | undefined;
  readonly notices: readonly AlertNotice[];
}

/** One receiver that is told that an alert opened or closed. */
export interface AlertNotice {
  readonly event: "opened" | "closed";
  /** The receiver's host: addresses may hold secrets. */
  readonly target: string;
  readonly state: "pending" | "delivered" | "failed";
  readonly attempts: number;
  readonly lastError?: string | undefined;
  readonly deliveredAtMs?: number | undefined;
}

/** How the receiver of a route took a test. */
export interface RouteTest {
  readonly route: string;
  readonly event: "opened" | "closed";
  /** Of HTTP, or of the mail server. */
  readonly status: number;
}

/** What a test of a route brought: the receiver took both notices. */
export interface RouteTests {
  readonly tests: readonly RouteTest[];
}

/** Why an alert opened, as far as the records tell. */
export interface AlertExplanation {
  readonly since: AlertSince;
  /** Columns that it is about, or that moved most in its window, the farthest first. */
  readonly columns: readonly AlertColumn[];
  /** Rows that are worse than the others, the worst first. */
  readonly segments: readonly AlertSegment[];
  /** What changed since all was well, the likeliest first. A change at the right time is no proof. */
  readonly causes: readonly AlertCause[];
  readonly advice: readonly AlertAdvice[];
}

/** When it began. Times are of events, epoch ms. */
export interface AlertSince {
  /** Start of the first of the windows in a row that are out of bounds. */
  readonly windowStartMs: number;
  /** How many these were when it opened. */
  readonly windows: number;
  /** The moment within that window from which on the rows are other ones; absent where there is none. */
  readonly atMs?: number | undefined;
  /** The newest window before that was within bounds. */
  readonly lastGoodStartMs?: number | undefined;
  readonly lastGoodEndMs?: number | undefined;
  readonly lastGoodValue?: number | undefined;
}

export interface AlertColumn {
  readonly column: string;
  /** `drift.psi`, `null_share`, …; absent where no score says that it moved. */
  readonly metric?: string | undefined;
  readonly value?: number | undefined;
  readonly threshold?: number | undefined;
  readonly rows: number;
  readonly referenceRows: number;
  /** Shares of missing values, 0 to 1. */
  readonly nullShare: number;
  readonly referenceNullShare: number;
  /** Both histograms; absent for texts. */
  readonly shape?: ColumnShape | undefined;
}

export interface AlertSegment {
  /** `column=value`, or conditions joined by ` and `. */
  readonly segment: string;
  readonly metric: string;
  readonly value: number;
  /** The same rows in the reference. */
  readonly baseline?: number | undefined;
  readonly rows: number;
}

/** Something that changed between the last good window and the first bad one. */
export interface AlertCause {
  /** `model`: another version answers. `dataset`, `features`: something the model was made from has a newer version. */
  readonly kind: "model" | "dataset" | "features";
  readonly name: string;
  /** Absent where there was none before. */
  readonly fromVersion?: number | undefined;
  readonly toVersion: number;
  readonly versionId: string;
  /** When it was made or deployed, epoch ms. */
  readonly atMs: number;
  readonly pipelineRunId?: string | undefined;
  /** Rows of both versions. */
  readonly fromRows?: number | undefined;
  readonly toRows?: number | undefined;
  /** Columns of the alert that it holds. */
  readonly columns: readonly string[];
  /** How its columns changed: `+name`, `-name`, `name: BIGINT → VARCHAR`. */
  readonly schema: readonly string[];
}

/** What to do. */
export interface AlertAdvice {
  readonly kind:
    | "roll_back"
    | "look_at_run"
    | "restore_dataset"
    | "ask_callers"
    | "look_at_segments"
    | "compare_performance"
    | "retrain"
    | "check_traffic"
    | "look_at_features"
    | "look_at_online"
    | "look_at_requests"
    | "approve"
    | "verify_store"
    | "restore_backup";
  /** Model or dataset. */
  readonly name?: string | undefined;
  readonly version?: number | undefined;
  readonly pipelineRunId?: string | undefined;
}
