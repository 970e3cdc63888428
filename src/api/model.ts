import type { Approval, PendingApproval } from "./approval.ts";
import type { VersionReference } from "./asset.ts";
import type { LineageGraph } from "./lineage.ts";
import type { ReleaseStatus } from "./release.ts";

export type VerdictState = "passed" | "refused" | "none";

/** Where a model version answers now. */
export interface ServedAt {
  readonly environment: string;
  readonly endpoint: string;
}

export interface ModelVersionSummary {
  readonly name: string;
  readonly version: number;
  readonly assetVersionId: string;
  readonly digest: string;
  readonly madeAtMs: number;
  readonly actor?: string | undefined;
  readonly aliases: readonly string[];
  readonly metrics: Readonly<Record<string, number>>;
  readonly verdict: VerdictState;
  readonly servedAt: readonly ServedAt[];
  readonly pipelineRunId?: string | undefined;
}

export interface ModelSummary {
  readonly name: string;
  readonly task?: string | undefined;
  readonly versionCount: number;
  readonly latest: ModelVersionSummary;
  /** The version in production. */
  readonly champion?: ModelVersionSummary | undefined;
}

export interface ModelDetail extends ModelSummary {
  readonly description?: string | undefined;
  readonly tags: Readonly<Record<string, string>>;
  /** Newest first, at most 200 of `versionCount`; `GET models/:name/versions` pages through all. */
  readonly versions: readonly ModelVersionSummary[];
}

export interface VerdictRule {
  /** As written: `roc_auc >= champion.roc_auc - 0.005`. */
  readonly rule: string;
  readonly passed: boolean;
  readonly value?: number | undefined;
  readonly threshold?: number | undefined;
  /** `origin=ATL` for a rule on a segment. */
  readonly segment?: string | undefined;
  /** Why it passed or failed without numbers: no champion yet, … */
  readonly note?: string | undefined;
}

export interface Verdict {
  readonly state: VerdictState;
  readonly atMs: number;
  readonly reason?: string | undefined;
  readonly rowCount?: number | undefined;
  readonly data?: VersionReference | undefined;
  /** Version that it was compared with. */
  readonly championVersion?: number | undefined;
  readonly rules: readonly VerdictRule[];
  readonly metrics: Readonly<Record<string, number>>;
  readonly championMetrics?: Readonly<Record<string, number>> | undefined;
  readonly segments: readonly {
    readonly column: string;
    readonly value: string;
    readonly rowCount: number;
    readonly metrics: Readonly<Record<string, number>>;
  }[];
}

export interface ModelColumn {
  readonly name: string;
  readonly type: string;
}

/** One deployment of a model version. */
export interface ModelDeployment {
  readonly releaseId: string;
  readonly environment: string;
  readonly atMs: number;
  readonly untilMs?: number | undefined;
  readonly actor: string;
  readonly status: ReleaseStatus;
}

/** Everything that is known of a model version. */
export interface ModelVersionRecord extends ModelVersionSummary {
  readonly task?: string | undefined;
  readonly runtime?: string | undefined;
  readonly label?: string | undefined;
  readonly inputs: readonly ModelColumn[];
  readonly outputs: readonly ModelColumn[];
  readonly trainingData: readonly VersionReference[];
  readonly testData: readonly VersionReference[];
  readonly features: readonly VersionReference[];
  readonly notebook?:
    | {
        readonly versionId?: string | undefined;
        readonly asset?: string | undefined;
        readonly path?: string | undefined;
        readonly sourceDigest: string;
        readonly stepRunId?: string | undefined;
      }
    | undefined;
  readonly commit?: { readonly id: string; readonly dirty: boolean } | undefined;
  readonly hyperparameters: Readonly<Record<string, string>>;
  readonly testVerdict?: Verdict | undefined;
  readonly environmentLock?:
    | { readonly digest: string; readonly python?: string | undefined; readonly lock?: string | undefined }
    | undefined;
  readonly trackingRun?: { readonly experimentId: string; readonly runId: string } | undefined;
  readonly files: readonly { readonly path: string; readonly sizeBytes: number; readonly digest: string }[];
  readonly approvals: readonly Approval[];
  readonly pendingApprovals: readonly PendingApproval[];
  readonly deployments: readonly ModelDeployment[];
  /** Upstream, up to the captured files. */
  readonly lineage: LineageGraph;
}
