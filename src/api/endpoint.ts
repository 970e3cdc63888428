import type { Alert, Monitor } from "./alert.ts";
import type { PipelineRunStatus } from "./pipeline-run.ts";

export interface EndpointSummary {
  readonly environment: string;
  readonly name: string;
  readonly state: "ready" | "loading" | "failed" | "empty";
  readonly model?: string | undefined;
  readonly modelVersion?: number | undefined;
  readonly versionId?: string | undefined;
  readonly deployedAtMs?: number | undefined;
  /** Path on this server that takes predictions. */
  readonly path: string;
  readonly predictionCount: number;
  readonly labelledCount: number;
  readonly lastPredictionAtMs?: number | undefined;
  readonly openAlertCount: number;
}

/** The time in which one model version answered; times are those of the predictions. */
export interface EndpointPeriod {
  readonly model: string;
  readonly modelVersion: number;
  readonly versionId: string;
  readonly startMs: number;
  readonly endMs?: number | undefined;
  readonly releaseId?: string | undefined;
}

/** What monitoring computed for one window of time (usually a week). */
export interface EndpointWindow {
  readonly startMs: number;
  readonly endMs: number;
  readonly predictionCount: number;
  readonly labelledCount: number;
  readonly modelVersions: readonly number[];
  readonly performance: readonly {
    readonly metric: string;
    readonly value: number;
    readonly baseline?: number | undefined;
    readonly threshold?: number | undefined;
    readonly segment?: string | undefined;
  }[];
  readonly drift: readonly {
    /** What drifted: a column that goes in, the answers, or the share of the columns that a monitor watches as one. */
    readonly of: "column" | "prediction" | "share";
    /** Name of the column; `prediction` and `drift_share` for the others. */
    readonly feature: string;
    readonly method: string;
    /** Missing where no distance exists: `reason` says why. */
    readonly score?: number | undefined;
    readonly threshold?: number | undefined;
    readonly isDrifted: boolean;
    /** The p-value, adjusted for the other columns that were tested. */
    readonly adjusted?: number | undefined;
    readonly reason?: string | undefined;
  }[];
  /** Other figures: mean prediction, share of nulls, … by name. */
  readonly figures: Readonly<Record<string, number>>;
}

export interface Retraining {
  readonly pipelineRunId: string;
  readonly pipeline: string;
  readonly status: PipelineRunStatus;
  readonly atMs: number;
  /** Time within the data (start of the window that alerted), for placing it on the chart. */
  readonly eventAtMs?: number | undefined;
  readonly alertId?: string | undefined;
  readonly madeModelVersion?: number | undefined;
  /** Why the new version did not take over. */
  readonly blocked?: string | undefined;
}

/** What one arm of a trial did. */
export interface TrialArm {
  readonly arm: "stable" | "candidate";
  readonly model: string;
  readonly modelVersion: number;
  readonly requests: number;
  readonly rows: number;
  /** Requests that it could not answer, by error code. */
  readonly failures: readonly { readonly code: string; readonly count: number }[];
  /** Share of its requests that it could not answer, 0–1. */
  readonly failureShare: number;
  /** Median, 95th and 99th percentile of its answers' duration, to about 5 percent. */
  readonly p50Ms?: number | undefined;
  readonly p95Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
  /** What the strategy's metric came to, and of how many labelled rows. */
  readonly metric?: { readonly name: string; readonly value: number; readonly rows: number } | undefined;
}

/** One thing that a candidate must show; the truth lies between `low` and `high`, however often one looks. */
export interface TrialCheck {
  readonly name: "requests" | "errors" | "latency" | "outputs" | "metric" | "alerts";
  readonly state: "passed" | "failed" | "open";
  /** Requests; difference of shares that fail; 99th percentile in ms; distance 0–1; gain, negative where worse. */
  readonly value?: number | undefined;
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  readonly limit?: number | undefined;
  /** Requests or labelled rows of the candidate, and about how many an answer takes. */
  readonly count?: number | undefined;
  readonly needed?: number | undefined;
  /** Name of the metric, or of the monitors that its rows break. */
  readonly subject?: string | undefined;
}

/** Body of `POST endpoints/:environment/:name/rollout/promote` and `…/abort`. */
export interface TrialEnd {
  readonly reason?: string | undefined;
}

/** A candidate's trial beside the stable version. */
export interface EndpointTrial {
  readonly kind: "canary" | "shadow" | "ab" | "bandit";
  /** Share of the requests' units that the candidate answers, 0–100. */
  readonly percent?: number | undefined;
  /** A header with which a request chooses its version: `stable` or `candidate`. */
  readonly header?: string | undefined;
  /** All shares, where there are several. */
  readonly steps?: readonly number[] | undefined;
  readonly startedAtMs: number;
  /** When its watch at this share is over. */
  readonly untilMs: number;
  readonly endedAtMs?: number | undefined;
  /** Undefined while it goes on. */
  readonly outcome?: "promoted" | "aborted" | "ended" | "replaced" | undefined;
  /** Why it ended, or goes on. */
  readonly reason:
    | "failures"
    | "alert"
    | "monitors"
    | "latency"
    | "outputs"
    | "metric"
    | "no_traffic"
    | "no_verdict"
    | "passed"
    | "rehearsed"
    | "watching"
    | "next_share"
    | "waiting_for_traffic"
    | "waiting_for_labels"
    | "waiting_for_evidence"
    | "not_approved"
    | "rules"
    | "by_hand"
    | "better"
    | "no_winner"
    | "new_share"
    | "failure_share"
    | "replaced";
  /** The reason as a sentence. */
  readonly explanation: string;
  readonly minRequests: number;
  readonly arms: readonly TrialArm[];
  /** What it must show, and what is shown; of a trial that has ended, as it stood then. */
  readonly checks: readonly TrialCheck[];
  /** Of a shadow: how far its answers lie from those that were given. */
  readonly comparison?:
    | { readonly rows: number; readonly meanDifference: number; readonly agreedShare: number }
    | undefined;
}

/** A promise of an endpoint over some days. */
export interface EndpointObjective {
  readonly monitor: string;
  readonly kind: "latency" | "errors" | "quality";
  /** Slower answers are bad, milliseconds; of `latency`. */
  readonly latencyMs?: number | undefined;
  /** Answers farther from their label are bad; of `quality` of a regression. */
  readonly within?: number | undefined;
  /** Share of good events that is promised. */
  readonly target: number;
  readonly days: number;
  readonly good: number;
  readonly total: number;
  /** Share of the budget of errors that is left, 1 of an unused one; negative when it is overdrawn. */
  readonly budgetLeft: number;
  /** Pairs of windows, the shortest first. */
  readonly burns: readonly EndpointBurn[];
}

/** How fast the budget burns, as multiples of the rate that uses it up exactly at the end of the period. */
export interface EndpointBurn {
  readonly longMs: number;
  readonly shortMs: number;
  readonly longRate: number;
  readonly shortRate: number;
  /** Above it in both windows the alert opens. */
  readonly limit: number;
  readonly isBurning: boolean;
}

export interface EndpointDetail extends EndpointSummary {
  /** What computes the model: `onnx`, `python`. */
  readonly runtime?: string | undefined;
  /** Oldest first. */
  readonly periods: readonly EndpointPeriod[];
  /** Oldest first, at most the newest 200. */
  readonly windows: readonly EndpointWindow[];
  readonly windowCount: number;
  readonly monitors: readonly Monitor[];
  /** Newest first, at most 100. */
  /** What it promises, and how much of the budget of errors is left. */
  readonly objectives: readonly EndpointObjective[];
  readonly alerts: readonly Alert[];
  readonly alertCount: number;
  readonly retrainings: readonly Retraining[];
  /** Newest first, at most 10. */
  readonly trials: readonly EndpointTrial[];
  readonly trialCount: number;
  /** One row that the endpoint accepts, for trying it. */
  readonly exampleRequest?: Readonly<Record<string, unknown>> | undefined;
  /** Time at which the example's features are fresh, to be sent with it; absent where the endpoint reads none. */
  readonly exampleAtMs?: number | undefined;
}
