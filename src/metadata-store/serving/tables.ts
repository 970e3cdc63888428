import type { EndpointAction, EndpointState } from "./endpoint.ts";
import type { PredictionArm } from "./prediction.ts";
import type { TrialOutcome } from "./trial.ts";

export interface ServingTables {
  endpoint: {
    project: string;
    environment: string;
    name: string;
    /** Asset version that answers. */
    model_version_id: string;
    /** Asset version under trial, while a canary or a shadow runs. */
    candidate_version_id: string | null;
    /** What answered before. */
    previous_version_id: string | null;
    /** JSON: EndpointStrategy */
    strategy: string;
    state: EndpointState;
    /** JSON: EndpointOptions */
    options: string;
    /** Grows with each change, so that every process notices. */
    generation: number;
    updated_at_ms: number;
  };
  endpoint_change: {
    id: string;
    project: string;
    environment: string;
    endpoint: string;
    action: EndpointAction;
    model_version_id: string;
    previous_version_id: string | null;
    strategy: string;
    actor: string;
    at_ms: number;
    /** What asked for it; the same operation changes an endpoint once. */
    operation_id: string;
  };
  endpoint_trial: {
    id: string;
    project: string;
    environment: string;
    endpoint: string;
    /** JSON: EndpointStrategy */
    strategy: string;
    stable_version_id: string;
    candidate_version_id: string;
    started_at_ms: number;
    ended_at_ms: number | null;
    outcome: TrialOutcome | null;
    /** JSON */
    reason: string | null;
    /** JSON: TrialFigures */
    figures: string;
  };
  prediction: {
    id: string;
    project: string;
    environment: string;
    endpoint: string;
    model_version_id: string;
    arm: PredictionArm;
    /** Event time, given by the client; else the time it was received. */
    at_ms: number;
    received_at_ms: number;
    request_id: string;
    /** JSON object: what the model saw, by input name. */
    features: string;
    /** JSON object: what else the request said of the row (join keys, columns for segments). */
    context: string | null;
    /** Probability of the positive class, or the value of a regression; null for text classes and NaN. */
    prediction: number | null;
    /** The predicted class of a multiclass model. */
    prediction_text: string | null;
    entity_key: string | null;
    /**
     * JSON object: features of the endpoint's feature service that were not read as they are stored, each with its
     * status, or CALLER where the request brought it; null: all were.
     */
    feature_status: string | null;
    /** Chance with which the trial drew the version for this row; null where no chance decided. */
    propensity: number | null;
    label: number | null;
    label_text: string | null;
    /** Event time of the label. */
    label_at_ms: number | null;
    label_received_at_ms: number | null;
    /** How often a label was replaced by a later one. */
    label_corrections: number;
  };
  /** The Delta table of the predictions of one endpoint that left the database. */
  prediction_history: {
    project: string;
    environment: string;
    endpoint: string;
    /** Of the table, among the files of tables. */
    folder: string;
    /** Version that readers read; -1 before the first. Never goes back. */
    delta_version: number;
    /** What versions up to this one hold is no longer in `prediction`. */
    cleared_version: number;
    /** Who moves rows, and until when nobody else does. */
    holder: string | null;
    held_until_ms: number;
  };
  /** Labels of predictions that left the database, with what is compared with them. */
  prediction_label: {
    /** Of the prediction. */
    id: string;
    project: string;
    environment: string;
    endpoint: string;
    model_version_id: string;
    arm: PredictionArm;
    at_ms: number;
    received_at_ms: number;
    prediction: number | null;
    prediction_text: string | null;
    label: number | null;
    label_text: string | null;
    label_at_ms: number;
    label_received_at_ms: number;
    label_corrections: number;
    propensity: number | null;
  };
  /** The log counted: one row per version that answered in an arm. */
  prediction_total: {
    project: string;
    environment: string;
    endpoint: string;
    model_version_id: string;
    arm: PredictionArm;
    predictions: number;
    labelled: number;
    /** How often a label was replaced by a different one. */
    corrections: number;
    first_at_ms: number;
    last_at_ms: number;
    /** Grows with each change. */
    revision: number;
  };
  /** The same by hour of the event. */
  prediction_hour: {
    project: string;
    environment: string;
    endpoint: string;
    model_version_id: string;
    arm: PredictionArm;
    /** Start of the hour, epoch ms. */
    hour_ms: number;
    predictions: number;
    labelled: number;
    corrections: number;
    last_received_at_ms: number;
    /** That of the total, when this hour changed last. */
    revision: number;
  };
  unmatched_label: {
    id: string;
    project: string;
    environment: string;
    endpoint: string;
    /** The prediction id or entity key as it was sent. */
    label_key: string;
    /** JSON: the label as it was sent. */
    label: string;
    reason: string;
    received_at_ms: number;
  };
}
