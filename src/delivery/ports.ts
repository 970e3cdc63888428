import type { Digest, Json } from "#base";
import type { AssetVersion } from "#metadata-store";

/** What an endpoint or a service of one environment runs. */
export interface TargetState {
  /** Asset version that answers requests now. */
  readonly versionId: string;
  readonly digest: Digest;
  /** Where it answers, as a base URL or a path of the platform (`/endpoints/production/delay`). */
  readonly address: string;
}

/** One model to put behind an endpoint. */
export interface ModelDeployment {
  /** Id of the deployment: a repeat with the same id changes nothing and answers the same. */
  readonly deploymentId: string;
  readonly project: string;
  readonly environment: string;
  /** Name of the endpoint; the asset's name unless the step says otherwise. */
  readonly endpoint: string;
  readonly version: AssetVersion;
  /** Feature service that the endpoint reads online for the rows of its requests. */
  readonly featureService?: string;
  /** Processes that compute its requests, for models that have them; default 1. */
  readonly workers?: number;
  /** Columns whose values the prediction log never holds. */
  readonly log?: { readonly redact: readonly string[] };
  /** An earlier release comes back: what the log leaves out now stays left out. */
  readonly isRollback?: boolean;
  /** User that caused it, or `engine`. */
  readonly actor: string;
  /** The step's `strategy`, as written; undefined switches all requests at once. */
  readonly strategy?: object;
}

/**
 * Where models answer requests. Declared here, implemented by `serving`.
 *
 * `deploy` loads the model and answers its example row before the endpoint is switched: when it throws, what was
 * there before still answers.
 */
export interface ModelTarget {
  deploy(
    deployment: ModelDeployment,
    options: { readonly signal: AbortSignal; readonly log: (line: string) => void },
  ): Promise<TargetState>;
  /** What the endpoint runs now, and the version that it tries beside it; undefined when it runs nothing. */
  current(endpoint: {
    readonly project: string;
    readonly environment: string;
    readonly endpoint: string;
  }): Promise<(TargetState & { readonly candidateVersionId?: string | undefined }) | undefined>;
  /** Takes the endpoint out of service. Idempotent. */
  remove(endpoint: {
    readonly project: string;
    readonly environment: string;
    readonly endpoint: string;
  }): Promise<void>;
}

/** Rules that protect one environment, from `environments` in `esteira.yaml`. */
export interface EnvironmentRules {
  /** Distinct approvals that must stand; 0 for none. */
  readonly approvals: number;
  /**
   * `version`: each digest needs its own; `recipe`: an approved recipe lets every model through that it made and that
   * passed its test.
   */
  readonly bind: "version" | "recipe";
}

/** What `ApprovalCheck` answers. */
export type ApprovalDecision =
  | { readonly open: true; readonly approvedBy: readonly string[]; readonly digest: Digest | undefined }
  | {
      readonly open: false;
      /** Refused for good (a reviewer rejected the digest, a verdict refused the model); waiting does not help. */
      readonly refused: boolean;
      /** `approval:<digest>:<environment>`; approving the digest opens it. */
      readonly gate: { readonly key: string; readonly reason: string };
    };

/** A version that is to go to an environment, or that is there. */
export interface ProtectedVersion {
  readonly project: string;
  readonly environment: string;
  readonly rules: EnvironmentRules;
  readonly version: AssetVersion;
  /** How it would be deployed: part of its recipe. */
  readonly deploy: Json;
  readonly requestedBy: string;
  /** What ran there before comes back: it goes in a freeze too. */
  readonly isRollback?: boolean;
}

/** Whether a version may go to an environment. Declared here, implemented by `governance`. */
export interface ApprovalCheck {
  /** Decides now; a closed gate is recorded as a request that reviewers see. */
  check(subject: ProtectedVersion): Promise<ApprovalDecision>;
  /** Whether what runs there could go there now. Nothing is recorded. */
  stands(subject: ProtectedVersion): Promise<ApprovalDecision>;
}
