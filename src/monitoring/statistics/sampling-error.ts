import type { ModelTask, ScoredSample } from "#models";
import { evaluateAll, pickRows } from "#models";
import { seededRandom } from "./seeded-random.ts";

/**
 * Standard error of each metric on one row: divided by √n it is that of n rows.
 *
 * Of a binary classifier and of `mae` it follows from the variance of what each row adds; of several classes from 50
 * resamples.
 */
export type SamplingErrors = ReadonlyMap<string, number>;

const RESAMPLES = 50;
const MOST_ROWS = 20_000;
const SEED = 5;

/**
 * How far a metric varies by the chance of which rows came, learned from rows with labels.
 *
 * Pure: the resamples are drawn with a fixed seed. Source: NannyML 0.13 `sampling_error` (binary, mae); `rmse` by the
 * delta method, SE(mse) / (2·rmse).
 */
export function learnSamplingErrors(sample: ScoredSample, task: ModelTask): SamplingErrors {
  const known = Uint32Array.from({ length: sample.labels.length }, (_, row) => row).filter(
    (row) => !Number.isNaN(sample.labels[row] ?? NaN) && !Number.isNaN(sample.predictions[row] ?? NaN),
  );
  if (known.length < 2) return new Map();
  const rows = pickRows(sample, known);
  if (task === "regression") return regressionErrors(rows);
  return task === "binary_classification" ? binaryErrors(rows) : resampledErrors(rows, task);
}

function deviation(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index] ?? 0;
  const mean = sum / values.length;
  let squares = 0;
  for (let index = 0; index < values.length; index++) squares += ((values[index] ?? 0) - mean) ** 2;
  return Math.sqrt(squares / values.length);
}

function regressionErrors({ labels, predictions }: ScoredSample): SamplingErrors {
  const errors = Float64Array.from(labels, (label, row) => Math.abs(label - (predictions[row] ?? 0)));
  const squares = errors.map((error) => error ** 2);
  const rmse = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / squares.length);
  return defined({ mae: deviation(errors), rmse: rmse === 0 ? 0 : deviation(squares) / (2 * rmse) });
}

function binaryErrors({ labels, predictions }: ScoredSample): SamplingErrors {
  const n = labels.length;
  const said = Array.from(predictions, (probability) => (probability > 0.5 ? 1 : 0));
  const rows = Array.from(labels, (label, row) => ({ label, said: said[row] ?? 0 }));
  const count = (label: number, answer: number): number =>
    rows.filter((row) => row.label === label && row.said === answer).length;
  const [tp, fp, fn] = [count(1, 1), count(0, 1), count(1, 0)];
  const spread = (values: readonly number[]): number | undefined =>
    values.length === 0 ? undefined : deviation(values) / Math.sqrt(values.length / n);
  const ones = (many: number, of: number, worth: number = 1): readonly number[] =>
    Array.from({ length: of }, (_, index) => (index < many ? worth : 0));
  const part = tp + fp + fn;
  return defined({
    accuracy: spread(rows.map((row) => Number(row.label === row.said))),
    precision: spread(ones(tp, tp + fp)),
    recall: spread(ones(tp, tp + fn)),
    f1: spread(ones(tp, part, part / (tp + (fp + fn) / 2))),
    roc_auc: spread(rankShares(labels, predictions)),
  });
}

function defined(values: Readonly<Record<string, number | undefined>>): SamplingErrors {
  return new Map(Object.entries(values).flatMap(([metric, value]) => (value === undefined ? [] : [[metric, value]])));
}

/** Of each row of the rarer class: the share of the other class on the right side of it. Ties count as wrong. */
function rankShares(labels: ArrayLike<number>, predictions: ArrayLike<number>): readonly number[] {
  const of = (label: number): Float64Array =>
    Float64Array.from(Array.from(predictions).filter((_, row) => labels[row] === label)).sort();
  const [negatives, positives] = [of(0), of(1)];
  if (negatives.length === 0 || positives.length === 0) return [];
  const below = (sorted: Float64Array, value: number): number => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((sorted[middle] ?? 0) < value) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  if (positives.length <= negatives.length)
    return Array.from(positives, (value) => below(negatives, value) / negatives.length);
  const turned = positives.map((value) => -value).sort();
  return Array.from(negatives, (value) => below(turned, -value) / positives.length);
}

function resampledErrors(rows: ScoredSample, task: ModelTask): SamplingErrors {
  const random = seededRandom(SEED);
  const n = Math.min(rows.labels.length, MOST_ROWS);
  const found = new Map<string, number[]>();
  for (let round = 0; round < RESAMPLES; round++) {
    const drawn = Uint32Array.from({ length: n }, () => Math.floor(random() * rows.labels.length));
    for (const [metric, value] of Object.entries(evaluateAll(pickRows(rows, drawn), task)))
      found.set(metric, [...(found.get(metric) ?? []), value]);
  }
  return new Map([...found].map(([metric, values]) => [metric, deviation(values) * Math.sqrt(n)]));
}
