import type { Alert } from "./alert.ts";
import type { PendingApproval } from "./approval.ts";
import type { EndpointSummary } from "./endpoint.ts";
import type { PipelineRunSummary } from "./pipeline-run.ts";
import type { ApiProblem } from "./problem.ts";
import type { Release } from "./release.ts";

/** The stations of the cycle, in the order of the belt. */
export type StationName =
  | "capture"
  | "transform"
  | "features"
  | "train"
  | "test"
  | "registry"
  | "approve"
  | "deploy"
  | "production";

/** The stations of the code lane, in order: a commit is checked, built and released. */
export type CodeStationName = "commit" | "check" | "build" | "release";

/** One figure of a station; the page words it. */
export interface StationCount {
  readonly name:
    | "datasets"
    | "versions"
    | "rows"
    | "quarantined"
    | "views"
    | "training_sets"
    | "models"
    | "model_versions"
    | "passed"
    | "refused"
    | "pending"
    | "approved"
    | "environments"
    | "releases"
    | "endpoints"
    | "predictions"
    | "labelled"
    | "alerts"
    | "runs";
  readonly value: number;
}

/**
 * `empty`: the project has no step for it; `idle`: there is one that never ran; `attention`: it works, but a person
 * should look.
 */
export type StationState = "empty" | "idle" | "running" | "waiting" | "succeeded" | "attention" | "failed";

export interface Station {
  readonly name: StationName;
  readonly state: StationState;
  /** What it works on now, else what is live there: a step, a dataset, a model, an endpoint. */
  readonly subject?: string | undefined;
  /** Version of the subject, when it is one of an asset. */
  readonly subjectVersion?: number | undefined;
  /** Where the subject went or answers. */
  readonly subjectEnvironment?: string | undefined;
  /** Pipeline and step that stand behind it, for linking. */
  readonly pipeline?: string | undefined;
  readonly step?: string | undefined;
  readonly stepRunId?: string | undefined;
  readonly pipelineRunId?: string | undefined;
  readonly lastAtMs?: number | undefined;
  readonly counts: readonly StationCount[];
}

/** A station of the code lane. */
export interface CodeStation {
  readonly name: CodeStationName;
  readonly state: StationState;
  /** A commit, a step, or what was built or released. */
  readonly subject?: string | undefined;
  readonly subjectVersion?: number | undefined;
  readonly subjectEnvironment?: string | undefined;
  readonly pipeline?: string | undefined;
  readonly stepRunId?: string | undefined;
  readonly pipelineRunId?: string | undefined;
  readonly lastAtMs?: number | undefined;
}

/** One step run that works now. */
export interface Parcel {
  readonly pipeline: string;
  readonly pipelineRunId: string;
  readonly step: string;
  readonly stepRunId: string;
  readonly load: "code" | "data" | "models";
  readonly station: StationName | CodeStationName;
  readonly startedAtMs?: number | undefined;
}

/** A pipeline whose newest run that ended did not end well, and that nobody has said to have seen. */
export interface FailedRun {
  readonly run: PipelineRunSummary;
  readonly step?: string | undefined;
  readonly stepRunId?: string | undefined;
  readonly error?: ApiProblem | undefined;
}

/** A mistake in a file of the project. */
export interface ProjectProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Files of the store that are not what was recorded, as the last verification found them. */
export interface StoreDamage {
  readonly atMs: number;
  readonly count: number;
  /** The first of them, at most 3. */
  readonly files: readonly { readonly file: string; readonly problem: string }[];
}

/** The home page: the whole cycle at this moment. */
export interface Overview {
  readonly project: string;
  /** In the order of the belt; all nine. */
  readonly stations: readonly Station[];
  /** From the last alert back to training: the cycle closes here. */
  readonly retrain?: { readonly alert: Alert; readonly pipelineRunId?: string | undefined } | undefined;
  /** The four stations of the code lane; absent when no step of the project is about code. */
  readonly code?: readonly CodeStation[] | undefined;
  /** One for each step run that works now, at most 60, oldest first. */
  readonly parcels: readonly Parcel[];
  /** How many step runs work now, shown or not. */
  readonly parcelCount: number;
  /** Newest first. */
  readonly failedRuns: readonly FailedRun[];
  readonly pipelineCount: number;
  /**
   * Mistakes of the project's files as they are now; while there are any, the project as it was before them stays in
   * force.
   */
  readonly problems?: readonly ProjectProblem[] | undefined;
  readonly damage?: StoreDamage | undefined;
  /** Queued, running or waiting; then the last ended, at most 10 in all. */
  readonly runs: readonly PipelineRunSummary[];
  /** Newest first, at most 20. */
  readonly openAlerts: readonly Alert[];
  readonly openAlertCount: number;
  /** Oldest first, at most 100. */
  readonly pendingApprovals: readonly PendingApproval[];
  readonly pendingApprovalCount: number;
  /** Newest first, at most 5. */
  readonly releases: readonly Release[];
  /** By name, at most 1,000. */
  readonly endpoints: readonly EndpointSummary[];
  readonly endpointCount: number;
}
