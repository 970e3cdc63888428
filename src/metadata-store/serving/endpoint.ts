import type { Selectable } from "kysely";
import type { ServingTables } from "./tables.ts";

export const ENDPOINT_STATES = ["ready", "stopped"] as const;
export type EndpointState = (typeof ENDPOINT_STATES)[number];

export const ENDPOINT_ACTIONS = ["deploy", "try", "advance", "promote", "abort", "end", "rollback", "stop"] as const;
export type EndpointAction = (typeof ENDPOINT_ACTIONS)[number];

/** How long a candidate is watched, and whether an alert ends its trial. Epoch ms. */
export interface Trial {
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly rollbackOnAlert: boolean;
  /** Requests that the candidate must have had before it may take over; default 20. */
  readonly minRequests?: number;
  /** A candidate whose 95th percentile is slower does not take over. */
  readonly maxP95Ms?: number;
  readonly maxP99Ms?: number;
  /** The same as a multiple of the stable version's. */
  readonly maxP99Ratio?: number;
  /** By how much its share of failing requests may exceed the stable version's, 0–1. */
  readonly maxErrors?: number;
  /** How far its answers may lie from the stable version's, 0–1. */
  readonly maxShift?: number;
  /** What is computed of both versions when labels come, and by how much it may be worse. */
  readonly metric?: "roc_auc" | "accuracy" | "log_loss" | "brier" | "mae" | "mse" | "reward";
  readonly maxLoss?: number;
  /** By how much it must be better; of trials that look for the better version. */
  readonly minGain?: number;
}

/** How requests come to one of the versions. */
interface TrialRouting {
  /** 0–100 */
  readonly percent: number;
  /** Lower-case names of the headers with which a request chooses its version, and that hold who asks. */
  readonly header?: string;
  readonly stickyBy?: string;
}

/** A canary's shares: all of them where there are several, and where it stands. */
interface TrialShare extends TrialRouting {
  readonly steps?: readonly number[];
  /** When the candidate came to its share, epoch ms, and the requests that it had had before. */
  readonly stepSinceMs?: number;
  readonly stepRequests?: number;
}

/** How a new version takes over. `percent` is the share of routing units the candidate answers, 0–100. */
export type EndpointStrategy =
  | { readonly kind: "direct" }
  | ({ readonly kind: "canary" } & TrialShare & Trial)
  | ({ readonly kind: "shadow" } & Trial)
  | ({ readonly kind: "ab" } & TrialRouting & Trial)
  | ({ readonly kind: "bandit"; readonly minShare: number; readonly drawnAtMs?: number } & TrialRouting & Trial);

export interface EndpointOptions {
  /** Rows name entities; their features are read online from this feature service. */
  readonly featureService?: string;
  /** Processes that compute requests; default 1. */
  readonly workers?: number;
  /** What the prediction log keeps of requests. */
  readonly log?: PredictionLogOptions;
}

/** What the prediction log keeps of requests. */
export interface PredictionLogOptions {
  /** Columns whose values are never written: inputs of the model, join keys, what else requests say of a row. */
  readonly redact?: readonly string[];
}

/** The serving address of a deployed model. */
export interface Endpoint {
  readonly project: string;
  readonly environment: string;
  readonly name: string;
  readonly modelVersionId: string;
  readonly candidateVersionId: string | undefined;
  readonly previousVersionId: string | undefined;
  readonly strategy: EndpointStrategy;
  readonly state: EndpointState;
  readonly options: EndpointOptions;
  readonly generation: number;
  readonly updatedAtMs: number;
}

/** Names one endpoint. */
export interface EndpointKey {
  readonly project: string;
  readonly environment: string;
  readonly endpoint: string;
}

export function toEndpoint(row: Selectable<ServingTables["endpoint"]>): Endpoint {
  return {
    project: row.project,
    environment: row.environment,
    name: row.name,
    modelVersionId: row.model_version_id,
    candidateVersionId: row.candidate_version_id ?? undefined,
    previousVersionId: row.previous_version_id ?? undefined,
    strategy: JSON.parse(row.strategy) as EndpointStrategy,
    state: row.state,
    options: JSON.parse(row.options) as EndpointOptions,
    generation: row.generation,
    updatedAtMs: row.updated_at_ms,
  };
}
