/** What is known of the rows of one arm whose truth has come. Both have the same length. */
export interface Outcomes {
  /** Probability of the positive class or value; NaN where the model answered with a class. */
  readonly predictions: ArrayLike<number>;
  /** The truth: 0 or 1, or a value. NaN where it is a class. */
  readonly labels: ArrayLike<number>;
  /** Of models that answer with classes: whether the answer was the truth, 1 or 0. */
  readonly agreed?: ArrayLike<number> | undefined;
}

export const TRIAL_METRICS = ["roc_auc", "accuracy", "log_loss", "brier", "mae", "mse"] as const;
export type TrialMetric = (typeof TRIAL_METRICS)[number];

/** What a metric came to on a sample. */
export interface Estimate {
  readonly value: number;
  /** Standard deviation of one row's part: the standard error is this by the root of n. */
  readonly deviation: number;
  /** Rows. */
  readonly n: number;
}

/** True of errors: less is better. */
export function isError(metric: TrialMetric): boolean {
  return metric !== "roc_auc" && metric !== "accuracy";
}

/**
 * A metric of one arm.
 *
 * @returns undefined where the rows do not give it: none, or for `roc_auc` fewer than two of either class
 */
export function estimateMetric(metric: TrialMetric, outcomes: Outcomes): Estimate | undefined {
  return metric === "roc_auc" ? estimateArea(outcomes) : estimateMean(lossesOf(metric, outcomes));
}

const CERTAIN = 1e-15;

function lossesOf(metric: Exclude<TrialMetric, "roc_auc">, { predictions, labels, agreed }: Outcomes): number[] {
  const losses: number[] = [];
  for (let row = 0; row < labels.length; row++) {
    const [prediction, label] = [predictions[row] ?? NaN, labels[row] ?? NaN];
    const loss =
      metric === "accuracy" && agreed !== undefined ? (agreed[row] ?? NaN) : lossOf(metric, prediction, label);
    if (!Number.isNaN(loss)) losses.push(loss);
  }
  return losses;
}

function lossOf(metric: Exclude<TrialMetric, "roc_auc">, prediction: number, label: number): number {
  switch (metric) {
    case "accuracy":
      return Number.isNaN(prediction + label) ? NaN : Number(prediction >= 0.5 === label >= 0.5);
    case "log_loss": {
      const share = Math.min(1 - CERTAIN, Math.max(CERTAIN, prediction));
      return -(label * Math.log(share) + (1 - label) * Math.log(1 - share));
    }
    case "brier":
    case "mse":
      return (prediction - label) ** 2;
    case "mae":
      return Math.abs(prediction - label);
  }
}

function estimateMean(values: readonly number[]): Estimate | undefined {
  const n = values.length;
  if (n < 2) return undefined;
  const value = values.reduce((sum, one) => sum + one, 0) / n;
  const squares = values.reduce((sum, one) => sum + (one - value) ** 2, 0);
  return { value, deviation: Math.sqrt(squares / (n - 1)), n };
}

/**
 * Area under the ROC curve with the variance of its placements. Source: DeLong, DeLong and Clarke-Pearson 1988; ties
 * count half.
 */
function estimateArea({ predictions, labels }: Outcomes): Estimate | undefined {
  const rows = Array.from({ length: labels.length }, (_, row) => row).filter(
    (row) => !Number.isNaN((predictions[row] ?? NaN) + (labels[row] ?? NaN)),
  );
  rows.sort((left, right) => (predictions[left] ?? 0) - (predictions[right] ?? 0));
  const isPositive = (row: number): boolean => (labels[row] ?? 0) >= 0.5;
  const positives = rows.filter(isPositive).length;
  const negatives = rows.length - positives;
  if (positives < 2 || negatives < 2) return undefined;
  const placements: { readonly positive: number[]; readonly negative: number[] } = { positive: [], negative: [] };
  let [positivesBelow, negativesBelow] = [0, 0];
  for (let start = 0; start < rows.length;) {
    let end = start;
    while (end < rows.length && predictions[rows[end] ?? 0] === predictions[rows[start] ?? 0]) end++;
    const tied = rows.slice(start, end);
    const tiedPositives = tied.filter(isPositive).length;
    const tiedNegatives = tied.length - tiedPositives;
    const above = positives - positivesBelow - tiedPositives;
    for (const row of tied) {
      if (isPositive(row)) placements.positive.push((negativesBelow + tiedNegatives / 2) / negatives);
      else placements.negative.push((above + tiedPositives / 2) / positives);
    }
    positivesBelow += tiedPositives;
    negativesBelow += tiedNegatives;
    start = end;
  }
  const [byPositives, byNegatives] = [estimateMean(placements.positive), estimateMean(placements.negative)];
  if (byPositives === undefined || byNegatives === undefined) return undefined;
  const variance = byPositives.deviation ** 2 / positives + byNegatives.deviation ** 2 / negatives;
  return { value: byPositives.value, deviation: Math.sqrt(variance * rows.length), n: rows.length };
}

/** What one row's part of a metric deviates by before anything is known of the arms: for a first sample size. */
export function usualDeviation(metric: TrialMetric): number {
  // roc_auc: Hanley and McNeil 1982, area 0.75, three positives in ten rows. Of errors in the unit of the label nothing
  // is known.
  if (metric === "roc_auc") return hanleyDeviation(0.75, 0.3);
  if (metric === "accuracy") return 0.4;
  if (metric === "brier") return 0.2;
  return metric === "log_loss" ? 0.5 : NaN;
}

function hanleyDeviation(area: number, share: number): number {
  // That two positives outrank one negative, and that one positive outranks two negatives.
  const [both, other] = [area / (2 - area), (2 * area ** 2) / (1 + area)];
  return Math.sqrt((both - area ** 2) / (1 - share) + (other - area ** 2) / share);
}
