import type { MonitorScore } from "#metadata-store/monitoring";
import type { MetricName } from "#models";
import type { Reference } from "./reference.ts";
import { sampledOf } from "./row-sample.ts";
import type { ChunkSpread } from "./statistics/chunks.ts";
import type { ScoreRequest } from "./window-scores.ts";
import type { WindowRows } from "./window-rows.ts";

const ASSUMPTION = {
  CBPE: "estimated from the model's own probabilities: right only if they can be read as frequencies and only the inputs changed, not what they mean",
  DLE: "estimated from the errors that rows with such inputs had: right only if the inputs changed, not what they mean",
} as const;

/** Estimated metrics of a window, each with the band in which chance alone would leave the true value. */
export async function estimatedScores(
  rows: WindowRows,
  reference: Reference,
  request: ScoreRequest,
): Promise<readonly MonitorScore[]> {
  const { estimator } = reference;
  const n = rows.predictions.filter((value) => !Number.isNaN(value)).length;
  if (estimator === undefined || n < request.minRows) return [];
  const found = (await estimator.estimate(rows)) ?? {};
  const sampled = sampledOf(rows.predictions.length, rows.rowCount);
  return Object.entries(found).map(([metric, value]) => ({
    metric: `estimated_${metric}`,
    subject: "",
    segment: "",
    value: Number.isNaN(value) ? undefined : value,
    baseline: reference.performance.overall[metric as MetricName],
    threshold: undefined,
    breached: undefined,
    n,
    nReference: estimator.n,
    method: {
      name: estimator.name,
      [estimator.name === "CBPE" ? "calibration" : "learned"]: estimator.basis,
      assumption: ASSUMPTION[estimator.name],
      ...bandOf(metric, value, n, reference),
      ...sampled,
    },
  }));
}

/** Standard errors to each side of a value. */
const BAND = 3;

/** In the `method` of a metric. */
export interface MetricBand {
  /** Three standard errors of sampling below and above. */
  readonly low?: number;
  readonly high?: number;
  /** The metric over chunks of the held-out rows. */
  readonly usual?: ChunkSpread;
}

/** What chance alone makes of a metric of `n` rows. Source: NannyML 0.13. */
export function bandOf(
  metric: string,
  value: number,
  n: number,
  reference: Pick<Reference, "samplingErrors" | "metricSpread" | "model">,
): MetricBand {
  const usual = reference.metricSpread.get(metric);
  const ofOneRow = reference.samplingErrors.get(metric);
  if (ofOneRow === undefined || n === 0 || Number.isNaN(value)) return usual === undefined ? {} : { usual };
  const error = BAND * (ofOneRow / Math.sqrt(n));
  const most = reference.model.task === "regression" ? Infinity : 1;
  return {
    low: Math.max(0, value - error),
    high: Math.min(most, value + error),
    ...(usual === undefined ? {} : { usual }),
  };
}
