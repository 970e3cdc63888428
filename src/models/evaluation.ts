import { metricUndefined, sampleEmpty, sampleMismatch } from "./errors.ts";
import type { ModelTask } from "./model-description.ts";

/** Metrics of a binary classifier, from the probability of the positive class. */
export const BINARY_METRICS = ["roc_auc", "log_loss", "brier", "accuracy", "precision", "recall", "f1"] as const;
/** Metrics of a multiclass classifier, from the predicted class. */
export const MULTICLASS_METRICS = ["accuracy", "f1", "precision", "recall"] as const;
/** Metrics of a regression. */
export const REGRESSION_METRICS = ["rmse", "mae", "r2"] as const;

export type MetricName = (typeof BINARY_METRICS)[number] | (typeof REGRESSION_METRICS)[number];

/** Labels and what the model said of them; same length, one pair per row. */
export interface ScoredSample {
  /** Binary: 0 or 1. Multiclass: class index. Regression: the true value. NaN: no label, the row is left out. */
  readonly labels: ArrayLike<number>;
  /** Binary: probability of class 1. Multiclass: class index. Regression: predicted value. */
  readonly predictions: ArrayLike<number>;
}

/** Above this probability a row counts as class 1; a tie goes to class 0, as in scikit-learn. */
const DECISION_THRESHOLD = 0.5;

/** The metrics that exist for a task; outputs of any shape have none. */
export function metricsOf(task: ModelTask): readonly MetricName[] {
  if (task === "outputs") return [];
  if (task === "regression") return REGRESSION_METRICS;
  return task === "binary_classification" ? BINARY_METRICS : MULTICLASS_METRICS;
}

/** True for errors, where less is better. */
export function isLowerBetter(metric: MetricName): boolean {
  return metric === "log_loss" || metric === "brier" || metric === "rmse" || metric === "mae";
}

/**
 * One metric of a sample. Rows without a label or without an answer (NaN) are left out.
 *
 * `roc_auc`: area under the ROC curve, ties count half, range [0, 1]. `log_loss`: mean negative log-likelihood in nats,
 * probabilities clipped to machine epsilon, [0, ∞). `brier`: mean squared error of the probability, [0, 1]. `accuracy`,
 * `precision`,
 * `recall`, `f1`:
 * [0, 1], above probability 0.5; 0 when there is nothing to divide by; multiclass averages are weighted by class size.
 * `rmse`, `mae`: in the
 * label's unit; `r2`: (−∞, 1].
 *
 * @throws MODELS_SAMPLE_EMPTY, MODELS_SAMPLE_MISMATCH, MODELS_METRIC_UNDEFINED (one class only for roc_auc, constant
 *   labels for r2)
 * Pure. Same definitions and values as scikit-learn 1.x.
 */
export function evaluate(metric: MetricName, sample: ScoredSample, task: ModelTask): number {
  const { labels, predictions } = labelled(sample);
  switch (metric) {
    case "roc_auc":
      return rocAuc(labels, predictions);
    case "log_loss":
      return logLoss(labels, predictions);
    case "brier":
      return mean(labels, predictions, (label, probability) => (probability - label) ** 2);
    case "rmse":
      return Math.sqrt(mean(labels, predictions, (label, value) => (value - label) ** 2));
    case "mae":
      return mean(labels, predictions, (label, value) => Math.abs(value - label));
    case "r2":
      return r2(labels, predictions);
    case "accuracy":
    case "precision":
    case "recall":
    case "f1": {
      const classes =
        task === "binary_classification"
          ? predictions.map((probability) => (probability > DECISION_THRESHOLD ? 1 : 0))
          : predictions;
      return task === "binary_classification"
        ? binaryRate(metric, labels, classes)
        : weightedRate(metric, labels, classes);
    }
  }
}

/**
 * Every metric of the task that can be computed on the sample; those that cannot are left out. Errors as {@link
 * evaluate}, without MODELS_METRIC_UNDEFINED.
 */
export function evaluateAll(sample: ScoredSample, task: ModelTask): Readonly<Partial<Record<MetricName, number>>> {
  const values: Partial<Record<MetricName, number>> = {};
  for (const metric of metricsOf(task)) {
    try {
      values[metric] = evaluate(metric, sample, task);
    } catch (error) {
      if ((error as { code?: unknown }).code !== metricUndefined.code) throw error;
    }
  }
  return values;
}

/** A segment of a sample: the rows where a column has one value. */
export interface Segment {
  readonly value: string;
  /** Row numbers, ascending. */
  readonly rows: Uint32Array;
}

/**
 * Groups rows by the text of a column's value; missing values form the segment `null`. Largest first, then by value.
 */
export function segmentsOf(column: ArrayLike<unknown>): readonly Segment[] {
  const rows = new Map<string, number[]>();
  for (let row = 0; row < column.length; row++) {
    const value = textOf(column[row]);
    const known = rows.get(value);
    if (known === undefined) rows.set(value, [row]);
    else known.push(row);
  }
  return [...rows]
    .map(([value, numbers]) => ({ value, rows: Uint32Array.from(numbers) }))
    .sort((left, right) => right.rows.length - left.rows.length || (left.value < right.value ? -1 : 1));
}

/** The rows of a sample, as a sample. */
export function pickRows(sample: ScoredSample, rows: Uint32Array): ScoredSample {
  return {
    labels: Float64Array.from(rows, (row) => sample.labels[row] ?? Number.NaN),
    predictions: Float64Array.from(rows, (row) => sample.predictions[row] ?? Number.NaN),
  };
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" || typeof value === "bigint"
    ? `${value}`
    : JSON.stringify(value);
}

function labelled({ labels, predictions }: ScoredSample): { labels: Float64Array; predictions: Float64Array } {
  if (labels.length !== predictions.length)
    throw sampleMismatch({ labels: labels.length, predictions: predictions.length });
  const rows: number[] = [];
  for (let row = 0; row < labels.length; row++)
    if (!Number.isNaN(labels[row]) && !Number.isNaN(predictions[row])) rows.push(row);
  if (rows.length === 0) throw sampleEmpty({ where: "evaluation" });
  return {
    labels: Float64Array.from(rows, (row) => labels[row] ?? Number.NaN),
    predictions: Float64Array.from(rows, (row) => predictions[row] ?? Number.NaN),
  };
}

/** Mann–Whitney U over ranks; tied predictions get their mean rank. */
function rocAuc(labels: Float64Array, predictions: Float64Array): number {
  const order = Uint32Array.from(predictions, (_, index) => index).sort(
    (left, right) => (predictions[left] ?? 0) - (predictions[right] ?? 0),
  );
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    const value = predictions[order[start] ?? 0];
    while (end < order.length && predictions[order[end] ?? 0] === value) end++;
    const rank = (start + 1 + end) / 2;
    for (let index = start; index < end; index++) {
      if (labels[order[index] ?? 0] !== 1) continue;
      positives++;
      rankSum += rank;
    }
    start = end;
  }
  const negatives = order.length - positives;
  if (positives === 0 || negatives === 0) {
    throw metricUndefined({
      metric: "roc_auc",
      reason: `all ${order.length} rows have the label ${positives === 0 ? 0 : 1}`,
    });
  }
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

function logLoss(labels: Float64Array, predictions: Float64Array): number {
  return mean(labels, predictions, (label, probability) => {
    const clipped = Math.min(1 - Number.EPSILON, Math.max(Number.EPSILON, probability));
    return label === 1 ? -Math.log(clipped) : -Math.log(1 - clipped);
  });
}

function r2(labels: Float64Array, predictions: Float64Array): number {
  const average = mean(labels, labels, (label) => label);
  const total = mean(labels, labels, (label) => (label - average) ** 2);
  if (total === 0) throw metricUndefined({ metric: "r2", reason: "every label has the same value" });
  return 1 - mean(labels, predictions, (label, value) => (value - label) ** 2) / total;
}

function mean(
  labels: Float64Array,
  predictions: Float64Array,
  term: (label: number, prediction: number) => number,
): number {
  let sum = 0;
  for (let row = 0; row < labels.length; row++) sum += term(labels[row] ?? Number.NaN, predictions[row] ?? Number.NaN);
  return sum / labels.length;
}

type RateName = "accuracy" | "precision" | "recall" | "f1";

function binaryRate(metric: RateName, labels: Float64Array, classes: Float64Array): number {
  if (metric === "accuracy") return mean(labels, classes, (label, found) => (label === found ? 1 : 0));
  return classRate(metric, labels, classes, 1);
}

/** Averages over classes, weighted by how many rows have the class. */
function weightedRate(metric: RateName, labels: Float64Array, classes: Float64Array): number {
  if (metric === "accuracy") return mean(labels, classes, (label, found) => (label === found ? 1 : 0));
  const sizes = new Map<number, number>();
  for (const label of labels) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  let sum = 0;
  for (const [label, size] of sizes) sum += classRate(metric, labels, classes, label) * size;
  return sum / labels.length;
}

function classRate(
  metric: Exclude<RateName, "accuracy">,
  labels: Float64Array,
  classes: Float64Array,
  positive: number,
): number {
  let [hit, missed, wrong] = [0, 0, 0];
  for (let row = 0; row < labels.length; row++) {
    const [is, said] = [labels[row] === positive, classes[row] === positive];
    if (is && said) hit++;
    else if (is) missed++;
    else if (said) wrong++;
  }
  const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  if (metric === "precision") return ratio(hit, hit + wrong);
  if (metric === "recall") return ratio(hit, hit + missed);
  return ratio(2 * hit, 2 * hit + wrong + missed);
}
