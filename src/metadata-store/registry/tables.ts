/** Stages of model versions; deprecated in MLflow, still used by R and by old code. */
export const MODEL_STAGES = ["None", "Staging", "Production", "Archived"] as const;
export type ModelStage = (typeof MODEL_STAGES)[number];

export const LOGGED_MODEL_STATUSES = [
  "LOGGED_MODEL_PENDING",
  "LOGGED_MODEL_READY",
  "LOGGED_MODEL_UPLOAD_FAILED",
] as const;
export type LoggedModelStatus = (typeof LOGGED_MODEL_STATUSES)[number];

export const WEBHOOK_STATUSES = ["ACTIVE", "DISABLED"] as const;
export type WebhookStatus = (typeof WEBHOOK_STATUSES)[number];

/** `delivered` and `failed` are ends; a `pending` delivery is tried again when `due_at_ms` has passed. */
export const WEBHOOK_DELIVERY_STATES = ["pending", "delivered", "failed"] as const;
export type WebhookDeliveryState = (typeof WEBHOOK_DELIVERY_STATES)[number];

export interface RegistryTables {
  registered_model: {
    /** ULID: a rename changes one row. */
    id: string;
    project: string;
    name: string;
    description: string | null;
    created_at_ms: number;
    updated_at_ms: number;
    /** Highest number ever given; numbers are never used again. */
    last_version: number;
    /** 1 for MLflow prompts, which are registered models with a tag. */
    is_prompt: number;
  };
  /** `position`: ULID, the order in which tags were first set; MLflow answers them in it. */
  registered_model_tag: { registered_model_id: string; key: string; value: string; position: string };
  registered_model_alias: { registered_model_id: string; alias: string; version: number };
  model_version: {
    id: string;
    registered_model_id: string;
    version: number;
    created_at_ms: number;
    updated_at_ms: number;
    description: string | null;
    stage: ModelStage;
    /** As the client gave it. */
    source: string;
    /** Where the files are: `models:/…` sources resolved. */
    storage_location: string;
    run_id: string | null;
    run_link: string | null;
    /** Logged model it was registered from. */
    logged_model_id: string | null;
    /** Our own version of the asset, when a step made it. */
    asset_version_id: string | null;
    actor: string;
  };
  model_version_tag: { model_version_id: string; key: string; value: string; position: string };
  logged_model: {
    id: string;
    experiment_id: string;
    name: string;
    artifact_uri: string;
    created_at_ms: number;
    updated_at_ms: number;
    status: LoggedModelStatus;
    model_type: string | null;
    source_run_id: string | null;
    /** 1 when deleted. */
    deleted: number;
    deleted_at_ms: number | null;
  };
  logged_model_param: { logged_model_id: string; key: string; value: string };
  logged_model_tag: { logged_model_id: string; key: string; value: string };
  /** Every point that was logged for a model. Empty strings: no dataset. */
  logged_model_metric: {
    logged_model_id: string;
    key: string;
    dataset_name: string;
    dataset_digest: string;
    run_id: string;
    /** 0 when `is_nan` is 1. */
    value: number;
    is_nan: number;
    timestamp_ms: number | bigint;
    step: number | bigint;
  };
  webhook: {
    id: string;
    name: string;
    description: string | null;
    url: string;
    /** JSON: `[{"entity","action"}]`, upper case. */
    events: string;
    /** As it was given: deliveries are signed with it. Never part of an answer, an event or a log line. */
    secret: string | null;
    status: WebhookStatus;
    created_at_ms: number;
    updated_at_ms: number;
  };
  webhook_delivery: {
    /** UUID, sent as `X-MLflow-Delivery-Id`. */
    id: string;
    webhook_id: string;
    /** The body that is sent. */
    body: string;
    state: WebhookDeliveryState;
    attempts: number;
    /** Not before this time; also the end of a claim. */
    due_at_ms: number;
    created_at_ms: number;
    response_status: number | null;
    error: string | null;
  };
}
