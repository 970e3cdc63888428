export interface GovernanceTables {
  approval: {
    id: string;
    project: string;
    subject_kind: string;
    digest: string;
    /** Empty: every environment. */
    environment: string;
    decision: "approved" | "refused";
    actor: string;
    /** The person it counts for: the actor, or the owner of a service account. */
    counts_for: string;
    comment: string;
    at_ms: number;
    revoked_at_ms: number | null;
    revoked_by: string | null;
    /** Epoch milliseconds; null: until it is revoked. */
    expires_at_ms: number | null;
    /** The signed decision, a DSSE envelope; null: not signed. */
    envelope: string | null;
  };
  signing_key: {
    /** sha256 of the public key. */
    id: string;
    user_name: string;
    /** Raw, base64. */
    public_key: string;
    label: string;
    created_at_ms: number;
    revoked_at_ms: number | null;
  };
  approval_request: {
    project: string;
    digest: string;
    environment: string;
    subject_kind: string;
    /** The name a person knows: asset and version. */
    subject: string;
    version_id: string | null;
    reason: string;
    needed: number;
    requested_by: string;
    requested_at_ms: number;
    /** Set when it was approved or refused. */
    closed_at_ms: number | null;
  };
  verdict: {
    version_id: string;
    project: string;
    passed: number;
    at_ms: number;
    step_run_id: string | null;
    /** JSON: rules, metrics, segments, champion. */
    content: string;
  };
}
