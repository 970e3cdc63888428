import type { ArmFigures, PredictionArm, TrialComparison, TrialFigures } from "#metadata-store/serving";
import type { ModelOutput } from "./model-runtime.ts";

/** What one arm did with one request of a trial. */
export interface ArmObservation {
  readonly arm: PredictionArm;
  readonly rows: number;
  /** How long its answer took, in ms; undefined when it failed. */
  readonly durationMs?: number;
  /** Code of the error that it answered with. */
  readonly failure?: string;
  readonly comparison?: TrialComparison;
}

/** Ratio of a bucket's bounds: percentiles are known to about 5 percent. */
const GROWTH = 1.1;
const SMALLEST_MS = 0.1;

/** Adds what was seen to what was seen before. Pure. */
export function addObservation(figures: TrialFigures, observation: ArmObservation): TrialFigures {
  const arm = observation.arm === "stable" ? "stable" : "candidate";
  const changed: TrialFigures = { ...figures, [arm]: addToArm(figures[arm], observation) };
  const { comparison } = observation;
  if (comparison === undefined) return changed;
  const before = figures.comparison ?? { rows: 0, difference: 0, agreed: 0 };
  return {
    ...changed,
    comparison: {
      rows: before.rows + comparison.rows,
      difference: before.difference + comparison.difference,
      agreed: before.agreed + comparison.agreed,
    },
  };
}

function addToArm(figures: ArmFigures, { rows, durationMs, failure }: ArmObservation): ArmFigures {
  return {
    requests: figures.requests + 1,
    rows: figures.rows + rows,
    failures: failure === undefined ? figures.failures : increment(figures.failures, failure),
    durations:
      durationMs === undefined ? figures.durations : increment(figures.durations, String(bucketOf(durationMs))),
  };
}

function increment(counts: Readonly<Record<string, number>>, key: string): Readonly<Record<string, number>> {
  return { ...counts, [key]: (counts[key] ?? 0) + 1 };
}

function bucketOf(durationMs: number): number {
  return Math.max(0, Math.ceil(Math.log(Math.max(durationMs, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH)));
}

export function failuresOf(figures: ArmFigures): number {
  return Object.values(figures.failures).reduce((sum, count) => sum + count, 0);
}

/** Share of an arm's requests that it could not answer, 0–1. */
export function failureShare(figures: ArmFigures): number {
  return figures.requests === 0 ? 0 : failuresOf(figures) / figures.requests;
}

/** A quantile of the durations in ms, to about 5 percent; undefined when nothing was answered. */
export function durationQuantile(figures: ArmFigures, quantile: number): number | undefined {
  const buckets = Object.entries(figures.durations)
    .map(([bucket, count]) => [Number(bucket), count] as const)
    .toSorted(([left], [right]) => left - right);
  const wanted = Math.ceil(quantile * buckets.reduce((sum, [, count]) => sum + count, 0));
  let seen = 0;
  for (const [bucket, count] of buckets) {
    seen += count;
    // The middle of the bucket, as ratios go.
    if (seen >= wanted) return SMALLEST_MS * GROWTH ** (bucket - 0.5);
  }
  return undefined;
}

/** How far two answers to the same rows lie apart. Rows that either did not answer with a number are left out. */
export function compareOutputs(given: ModelOutput, shadow: ModelOutput): TrialComparison {
  if (given.kind === "classes" && shadow.kind === "classes") {
    const { labels } = shadow;
    return {
      rows: given.labels.length,
      difference: 0,
      agreed: given.labels.filter((label, row) => label === labels[row]).length,
    };
  }
  if (given.kind !== "numbers" || shadow.kind !== "numbers") return { rows: 0, difference: 0, agreed: 0 };
  let [rows, difference, agreed] = [0, 0, 0];
  for (const [row, value] of given.values.entries()) {
    const apart = Math.abs(value - (shadow.values[row] ?? NaN));
    if (!Number.isFinite(apart)) continue;
    rows++;
    difference += apart;
    if (apart === 0) agreed++;
  }
  return { rows, difference, agreed };
}
