import type { Alert } from "./alert.ts";
import type { PendingApproval } from "./approval.ts";
import type { EndpointSummary } from "./endpoint.ts";
import type { PipelineRunSummary } from "./pipeline-run.ts";
import type { Release } from "./release.ts";

/** The stations of the cycle, in the order of the belt. */
export type StationName = "capture" | "transform" | "features" | "train" | "test" | "registry" | "approve" | "deploy" | "production";

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

export interface Station {
  readonly name: StationName;
  /** `empty`: the project has no step for it; `idle`: there is one that never ran; `attention`: it works, but a person should look. */
  readonly state: "empty" | "idle" | "running" | "waiting" | "succeeded" | "attention" | "failed";
  /** What it works on or worked on last: a dataset, a model with version, an endpoint. */
  readonly subject?: string | undefined;
  /** Pipeline and step that stand behind it, for linking. */
  readonly pipeline?: string | undefined;
  readonly step?: string | undefined;
  readonly stepRunId?: string | undefined;
  readonly pipelineRunId?: string | undefined;
  readonly lastAtMs?: number | undefined;
  readonly counts: readonly StationCount[];
}

/** The home page: the whole cycle at this moment. */
export interface Overview {
  readonly project: string;
  /** In the order of the belt; all nine. */
  readonly stations: readonly Station[];
  /** From the last alert back to training: the cycle closes here. */
  readonly retrain?: { readonly alert: Alert; readonly pipelineRunId?: string | undefined } | undefined;
  readonly pipelineCount: number;
  /** Queued, running or waiting; then the last ended, at most 10 in all. */
  readonly runs: readonly PipelineRunSummary[];
  readonly openAlerts: readonly Alert[];
  readonly pendingApprovals: readonly PendingApproval[];
  /** Newest first, at most 5. */
  readonly releases: readonly Release[];
  readonly endpoints: readonly EndpointSummary[];
}
