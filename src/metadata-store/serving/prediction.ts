import type { Selectable } from "kysely";
import type { ServingTables } from "./tables.ts";

/** Which version answered: the stable one, the candidate of a canary, or a shadow nobody saw. */
export const PREDICTION_ARMS = ["stable", "candidate", "shadow"] as const;
export type PredictionArm = (typeof PREDICTION_ARMS)[number];

/** One logged prediction. */
export interface Prediction {
  /** ULID */
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  readonly endpoint: string;
  readonly modelVersionId: string;
  readonly arm: PredictionArm;
  /** Event time, epoch ms. */
  readonly atMs: number;
  readonly receivedAtMs: number;
  readonly requestId: string;
  /** JSON text of an object: input name to value, as the model saw it. */
  readonly features: string;
  /** JSON text of an object: what else the request said of the row. */
  readonly context: string | undefined;
  readonly prediction: number | undefined;
  readonly predictionText: string | undefined;
  readonly entityKey: string | undefined;
  /** JSON text of an object: feature to status, of those that were not present in the online store. */
  readonly featureStatus?: string | undefined;
  /** Chance with which the trial drew the version for this row, 0–1; undefined where no chance decided. */
  readonly propensity?: number | undefined;
  readonly label: number | undefined;
  readonly labelText: string | undefined;
  readonly labelAtMs: number | undefined;
  readonly labelReceivedAtMs: number | undefined;
  readonly labelCorrections: number;
}

export function toPrediction(row: Selectable<ServingTables["prediction"]>): Prediction {
  return {
    id: row.id,
    project: row.project,
    environment: row.environment,
    endpoint: row.endpoint,
    modelVersionId: row.model_version_id,
    arm: row.arm,
    atMs: row.at_ms,
    receivedAtMs: row.received_at_ms,
    requestId: row.request_id,
    features: row.features,
    context: row.context ?? undefined,
    prediction: row.prediction ?? undefined,
    predictionText: row.prediction_text ?? undefined,
    entityKey: row.entity_key ?? undefined,
    featureStatus: row.feature_status ?? undefined,
    propensity: row.propensity ?? undefined,
    label: row.label ?? undefined,
    labelText: row.label_text ?? undefined,
    labelAtMs: row.label_at_ms ?? undefined,
    labelReceivedAtMs: row.label_received_at_ms ?? undefined,
    labelCorrections: row.label_corrections,
  };
}
