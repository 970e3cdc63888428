import type { VerdictState } from "./model.ts";

/** `notebook` is of approvals given before recipes: they hold for that source, and let nothing through any more. */
export type ApprovalSubjectKind = "recipe" | "notebook" | "model" | "release" | "contract" | "code" | "rules";

/** A decision, bound to a digest: any change of the content voids it. */
export interface Approval {
  readonly id: string;
  readonly decision: "approved" | "refused";
  readonly subjectKind: ApprovalSubjectKind;
  /** Name of what was approved, when known. */
  readonly subject?: string | undefined;
  readonly digest: string;
  readonly environment?: string | undefined;
  readonly actor: string;
  readonly atMs: number;
  readonly comment?: string | undefined;
  readonly revokedAtMs?: number | undefined;
  readonly expiresAtMs?: number | undefined;
  /** Key that signed it. */
  readonly keyId?: string | undefined;
}

/** What a model that waits for approval is judged by. */
export interface ApprovalEvidence {
  readonly model: string;
  readonly modelVersion: number;
  readonly verdict: VerdictState;
  /** On the test data. */
  readonly metrics: Readonly<Record<string, number>>;
  /** The champion's on the same data; empty when there was none. */
  readonly championMetrics: Readonly<Record<string, number>>;
  readonly championVersion?: number | undefined;
  /** The notebook that made it, with what changed since the version before. */
  readonly notebookVersionId?: string | undefined;
}

/** A closed gate that waits for a decision. */
export interface PendingApproval {
  /** `approval:<digest>:<environment>` */
  readonly key: string;
  readonly subjectKind: ApprovalSubjectKind;
  /** Name with its version, for people. */
  readonly subject: string;
  /** What the version is one of. */
  readonly asset?: string | undefined;
  /** Of what wants to pass the gate: the model, where the approval is bound to its notebook. */
  readonly version?: number | undefined;
  readonly versionId?: string | undefined;
  /** What an approval will be bound to. */
  readonly digest: string;
  readonly environment: string;
  /** Who made it; may not approve it. */
  readonly author?: string | undefined;
  readonly sinceMs: number;
  readonly reason?: string | undefined;
  readonly evidence?: ApprovalEvidence | undefined;
  readonly required: number;
  readonly given: number;
  /** Only signed approvals count. */
  readonly signed: boolean;
  /** Digest of the rules of the environment: part of what is signed. */
  readonly rulesDigest: string;
  readonly pipelineRunId?: string | undefined;
  readonly stepRunId?: string | undefined;
  /** Whether the caller may decide. */
  readonly mayApprove: boolean;
  /** `author` (made it), `role` (is no reviewer), or a sentence. */
  readonly mayNotReason?: string | undefined;
}

export interface Approvals {
  /** Oldest first, at most 100. */
  readonly pending: readonly PendingApproval[];
  readonly pendingCount: number;
  /** Newest first, at most 200. */
  readonly given: readonly Approval[];
  readonly givenCount: number;
}

/** Body of `POST approvals`. */
export interface NewApproval {
  readonly decision: "approved" | "refused";
  readonly subjectKind: ApprovalSubjectKind;
  readonly digest: string;
  readonly environment?: string | undefined;
  readonly comment?: string | undefined;
  /** Until when it counts; of a signed decision, what it says itself. */
  readonly expiresAtMs?: number | undefined;
  /** The decision as it was signed: a DSSE envelope as JSON. */
  readonly envelope?: string | undefined;
}

/** Body of `POST approvals/:id/revoke`. */
export interface ApprovalRevocation {
  readonly comment?: string | undefined;
}
