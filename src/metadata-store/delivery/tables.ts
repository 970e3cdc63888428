export interface DeliveryTables {
  release: {
    id: string;
    project: string;
    environment: string;
    /** 1, 2, 3, … per project and environment. */
    number: number;
    asset: string;
    version_id: string;
    created_at_ms: number;
    created_by: string;
    /** JSON: how it was deployed (command, health, …), enough to deploy it again. */
    settings: string;
  };
  release_version: {
    release_id: string;
    version_id: string;
    asset: string;
    kind: string;
    digest: string;
    /** `deployed` or `made_from` */
    role: string;
  };
  deployment: {
    id: string;
    project: string;
    environment: string;
    asset: string;
    release_id: string;
    /** `deploy` or `rollback` */
    reason: string;
    status: string;
    /** One deployment per step run and environment, whatever is killed in between. */
    idempotency_key: string;
    step_run_id: string | null;
    actor: string;
    started_at_ms: number;
    ended_at_ms: number | null;
    /** JSON: address, process, … */
    target: string | null;
    /** JSON: code, message, hint */
    error: string | null;
    /** Why it was asked for, in words of who did. */
    comment: string | null;
  };
  deployed: {
    project: string;
    environment: string;
    asset: string;
    deployment_id: string;
    release_id: string;
    version_id: string;
    at_ms: number;
  };
  push_delivery: {
    project: string;
    id: string;
    branch: string;
    commit_id: string;
    pusher: string;
    at_ms: number;
    /** JSON */
    answer: string;
  };
  pull_request: {
    project: string;
    number: number;
    /** Of its environment and of what its runs make. */
    preview: string;
    title: string;
    author: string;
    branch: string;
    base: string;
    commit_id: string;
    url: string;
    /** 1: from another repository, whose authors may not write to this one. */
    outside: number;
    state: "open" | "merged" | "closed";
    opened_at_ms: number;
    updated_at_ms: number;
    /** When nothing was left of its preview; null while something may be. */
    removed_at_ms: number | null;
  };
  commit_check: {
    pipeline_run_id: string;
    project: string;
    commit_id: string;
    pipeline: string;
    /** Null: a push started it. */
    pull_request: number | null;
    /** What the forge was told last: a status of a pipeline run; null: nothing yet. */
    told: string | null;
    /** The status that could not be told, for good. */
    refused: string | null;
    attempts: number;
    next_at_ms: number;
    last_error: string | null;
  };
}
