import type { Metrics } from "#base";
import type { EndpointKey } from "#metadata-store/serving";
import type { FeatureReport } from "./endpoints.ts";
import { codeOf } from "./failure.ts";
import type { PredictionPart } from "./prediction-part.ts";

/** What is counted of predictions. Only of endpoints that exist: names that callers make up are no labels. */
export interface PredictionMetrics {
  answered(
    key: EndpointKey,
    answer: {
      readonly parts: readonly PredictionPart[];
      readonly features: FeatureReport | undefined;
      readonly durationMs: number;
    },
  ): void;
  failed(key: EndpointKey, failure: { readonly error: unknown; readonly durationMs: number }): void;
  /** Rows that a candidate or a shadow could not answer. */
  armFailed(
    key: EndpointKey,
    failure: { readonly arm: string; readonly modelVersion: number; readonly rows: number },
  ): void;
}

const STATUS_LABELS = {
  NULL_VALUE: "null",
  NOT_FOUND: "missing",
  OUTSIDE_MAX_AGE: "stale",
  DEFAULT: "default",
} as const;

export function createPredictionMetrics(metrics: Metrics | undefined): PredictionMetrics | undefined {
  if (metrics === undefined) return undefined;
  const rows = metrics.counter(
    "esteira_predictions_total",
    "Rows that endpoints were asked to predict, by what became of them.",
  );
  const duration = metrics.histogram(
    "esteira_prediction_duration_seconds",
    "How long endpoints took to answer requests, features and log included; error_type is empty when it went well.",
  );
  const features = metrics.counter(
    "esteira_feature_values_total",
    "Features that endpoints read online, by status; present are not listed by feature.",
  );
  const place = ({
    environment,
    endpoint,
  }: EndpointKey): { readonly environment: string; readonly endpoint: string } => ({ environment, endpoint });
  return {
    answered(key, { parts, features: report, durationMs }) {
      for (const { arm, model, rows: answered } of parts)
        rows.add(
          { ...place(key), arm, model_version: String(model.version.version), outcome: "answered" },
          answered.length,
        );
      duration.observe({ ...place(key), error_type: "" }, durationMs / 1000);
      for (const statuses of report?.rows ?? []) {
        for (const [feature, status] of Object.entries(statuses))
          features.add({ ...place(key), feature, status: STATUS_LABELS[status] });
      }
      if (report !== undefined)
        features.add({ ...place(key), feature: "", status: "present" }, presentOf(report).present);
    },
    failed(key, { error, durationMs }) {
      duration.observe({ ...place(key), error_type: codeOf(error) }, durationMs / 1000);
    },
    armFailed(key, { arm, modelVersion, rows: failed }) {
      rows.add({ ...place(key), arm, model_version: String(modelVersion), outcome: "failed" }, failed);
    },
  };
}

/** How many feature values were read or sent as they should be, of how many. */
export function presentOf({ names, rows }: FeatureReport): { readonly present: number; readonly wanted: number } {
  const wanted = names.length * rows.length;
  return { present: wanted - rows.reduce((sum, statuses) => sum + Object.keys(statuses).length, 0), wanted };
}
