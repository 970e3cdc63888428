import { distributionBand } from "./sequential.ts";

/** What one arm of a trial did so far. Records of several processes add up. */
export interface ArmRecord {
  /** Requests of which it had to answer at least one row. */
  readonly requests: number;
  readonly rows: number;
  /** Requests that it could not answer, by error code. */
  readonly failures: Readonly<Record<string, number>>;
  /** Answered requests by the bucket of their duration. */
  readonly durations: Readonly<Record<string, number>>;
  /** Answered rows by the bucket of their answer; missing in records that were kept before answers were. */
  readonly outputs?: Readonly<Record<string, number>> | undefined;
}

/** How far the answers of a shadow lie from those that were given. */
export interface AnswerComparison {
  readonly rows: number;
  /** Sum of the absolute differences of numbers. */
  readonly difference: number;
  /** Rows with the same class. */
  readonly agreed: number;
}

/** What both arms of a trial did so far. */
export interface TrialRecord {
  readonly stable: ArmRecord;
  readonly candidate: ArmRecord;
  readonly comparison?: AnswerComparison | undefined;
}

/** What one arm did with one request of a trial. */
export interface ArmObservation {
  readonly arm: "stable" | "candidate" | "shadow";
  readonly rows: number;
  /** How long its answer took, in ms; undefined when it failed. */
  readonly durationMs?: number;
  /** Code of the error that it answered with. */
  readonly failure?: string;
  /** Answered rows by `bucketOfNumber` or `bucketOfClass`. */
  readonly outputs?: Readonly<Record<string, number>>;
  readonly comparison?: AnswerComparison;
}

/** Ratio of a bucket's bounds: percentiles are known to about 5 percent. */
const GROWTH = 1.1;
const SMALLEST_MS = 0.1;
const SMALLEST_ANSWER = 1e-6;
const PROBABILITY_BUCKETS = 50;
/** Classes that are told apart; those that come later are one. */
const MOST_CLASSES = 200;
const OTHER_CLASSES = "c:";

/** Adds what was seen to what was seen before. Pure. */
export function addObservation<Record extends TrialRecord>(record: Record, observation: ArmObservation): Record {
  const arm = observation.arm === "stable" ? "stable" : "candidate";
  const changed = { ...record, [arm]: addToArm(record[arm], observation) };
  const { comparison } = observation;
  if (comparison === undefined) return changed;
  const before = record.comparison ?? { rows: 0, difference: 0, agreed: 0 };
  return {
    ...changed,
    comparison: {
      rows: before.rows + comparison.rows,
      difference: before.difference + comparison.difference,
      agreed: before.agreed + comparison.agreed,
    },
  };
}

function addToArm(record: ArmRecord, { rows, durationMs, failure, outputs }: ArmObservation): ArmRecord {
  return {
    requests: record.requests + 1,
    rows: record.rows + rows,
    failures: failure === undefined ? record.failures : increment(record.failures, failure),
    durations: durationMs === undefined ? record.durations : increment(record.durations, bucketOfDuration(durationMs)),
    outputs: outputs === undefined ? record.outputs : addOutputs(record.outputs ?? {}, outputs),
  };
}

function increment(counts: Readonly<Record<string, number>>, key: string): Readonly<Record<string, number>> {
  return { ...counts, [key]: (counts[key] ?? 0) + 1 };
}

function addOutputs(
  known: Readonly<Record<string, number>>,
  added: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const sum: Record<string, number> = { ...known };
  for (const [bucket, count] of Object.entries(added)) {
    const isNew = bucket.startsWith("c:") && !Object.hasOwn(sum, bucket) && Object.keys(sum).length >= MOST_CLASSES;
    const place = isNew ? OTHER_CLASSES : bucket;
    sum[place] = (sum[place] ?? 0) + count;
  }
  return sum;
}

function bucketOfDuration(durationMs: number): string {
  return String(Math.max(0, Math.ceil(Math.log(Math.max(durationMs, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH))));
}

/** Bucket of a number that a model answered with; of a probability a fiftieth. Buckets are whole numbers, in order. */
export function bucketOfNumber(value: number, isProbability: boolean): string {
  if (Number.isNaN(value)) return "nan";
  if (isProbability)
    return String(Math.min(PROBABILITY_BUCKETS - 1, Math.max(0, Math.floor(value * PROBABILITY_BUCKETS))));
  const size = Math.min(1e300, Math.abs(value));
  if (size < SMALLEST_ANSWER) return "0";
  return String(Math.sign(value) * (1 + Math.floor(Math.log(size / SMALLEST_ANSWER) / Math.log(GROWTH))));
}

/** Bucket of a class. */
export function bucketOfClass(label: string): string {
  return `c:${label}`;
}

export function failuresOf({ failures }: ArmRecord): number {
  return sumOf(failures);
}

/** Share of an arm's requests that it could not answer, 0–1. */
export function failureShare(record: ArmRecord): number {
  return record.requests === 0 ? 0 : failuresOf(record) / record.requests;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** A quantile of the durations in ms, to about 5 percent; undefined when nothing was answered. */
export function durationQuantile({ durations }: ArmRecord, quantile: number): number | undefined {
  const buckets = Object.entries(durations)
    .map(([bucket, count]) => [Number(bucket), count] as const)
    .toSorted(([left], [right]) => left - right);
  const wanted = Math.ceil(quantile * sumOf(durations));
  let seen = 0;
  for (const [bucket, count] of buckets) {
    seen += count;
    // The middle of the bucket, as ratios go.
    if (seen >= wanted) return SMALLEST_MS * GROWTH ** (bucket - 0.5);
  }
  return undefined;
}

/** Answers that took longer than a time for certain: those of buckets that lie above it, of all. */
export function slowerThan(
  { durations }: ArmRecord,
  limitMs: number,
): { readonly hits: number; readonly trials: number } {
  const hits = Object.entries(durations)
    .filter(([bucket]) => SMALLEST_MS * GROWTH ** (Number(bucket) - 1) > limitMs)
    .reduce((sum, [, count]) => sum + count, 0);
  return { hits, trials: sumOf(durations) };
}

/**
 * How far the answers of two arms lie apart: the largest difference of their distribution functions, of classes half
 * the sum of the differences of their shares; 0 (equal) to 1 (nothing in common).
 *
 * @returns undefined while either has answered nothing; `least` is what it is at least, whenever one looks
 */
export function outputShift(
  { stable, candidate }: TrialRecord,
  alpha: number,
): { readonly shift: number; readonly least: number } | undefined {
  const [left, right] = [stable.outputs ?? {}, candidate.outputs ?? {}];
  const [ofLeft, ofRight] = [sumOf(left), sumOf(right)];
  if (ofLeft === 0 || ofRight === 0) return undefined;
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])];
  const apart = (key: string): number => (left[key] ?? 0) / ofLeft - (right[key] ?? 0) / ofRight;
  let [sum, largest] = [0, 0];
  for (const key of keys.toSorted(byOrder)) {
    sum += apart(key);
    largest = Math.max(largest, Math.abs(sum));
  }
  const bands = distributionBand(ofLeft, alpha / 2) + distributionBand(ofRight, alpha / 2);
  // In any order that does not depend on what was seen, the distribution functions of classes lie no further apart.
  const least = Math.max(0, largest - bands);
  if (!keys.some((key) => key.startsWith("c:"))) return { shift: largest, least };
  return { shift: keys.reduce((total, key) => total + Math.abs(apart(key)), 0) / 2, least };
}

/** Numbers as they grow, then what is none. */
function byOrder(left: string, right: string): number {
  const [one, other] = [Number(left), Number(right)];
  if (Number.isNaN(one) || Number.isNaN(other)) return left < right ? -1 : 1;
  return one - other;
}
