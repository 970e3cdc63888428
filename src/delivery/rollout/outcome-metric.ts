/** What is known of the rows of one arm whose truth has come. Both have the same length. */
export interface Outcomes {
  /** Probability of the positive class or value; NaN where the model answered with a class. */
  readonly predictions: ArrayLike<number>;
  /** The truth: 0 or 1, or a value. NaN where it is a class. */
  readonly labels: ArrayLike<number>;
  /** Of models that answer with classes: whether the answer was the truth, 1 or 0. */
  readonly agreed?: ArrayLike<number> | undefined;
  /** Chance with which each row came to this arm, 0–1; where chance decided, at a share that changed. */
  readonly propensities?: ArrayLike<number> | undefined;
}

export const TRIAL_METRICS = ["roc_auc", "accuracy", "log_loss", "brier", "mae", "mse", "reward"] as const;
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
  return metric !== "roc_auc" && metric !== "accuracy" && metric !== "reward";
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

/** A metric of which each row has its part. */
export type RowMetric = Exclude<TrialMetric, "roc_auc">;

function lossesOf(metric: RowMetric, outcomes: Outcomes): number[] {
  return Array.from({ length: outcomes.labels.length }, (_, row) => partOf(metric, outcomes, row)).filter(
    (loss) => !Number.isNaN(loss),
  );
}

/** One row's part of a metric; NaN where it has none. */
function partOf(metric: RowMetric, { predictions, labels, agreed }: Outcomes, row: number): number {
  if (metric === "accuracy" && agreed !== undefined) return agreed[row] ?? NaN;
  return lossOf(metric, predictions[row] ?? NaN, labels[row] ?? NaN);
}

function lossOf(metric: RowMetric, prediction: number, label: number): number {
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
    case "reward":
      return label;
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
 * By how much a candidate is better in a metric, of rows that came to the arms with chances that changed: each row
 * counts by the inverse of its chance (Horvitz and Thompson 1952), less what both arms have in common, which makes the
 * sum vary less and does not move its mean.
 *
 * @returns undefined where an arm has fewer than two rows
 */
export function estimateGain(
  metric: RowMetric,
  { stable, candidate }: { readonly stable: Outcomes; readonly candidate: Outcomes },
): Estimate | undefined {
  const sign = isError(metric) ? -1 : 1;
  const rows = [
    ...weightsOf(metric, candidate).map(({ value, chance }) => ({ value: sign * value, weight: 1 / chance })),
    ...weightsOf(metric, stable).map(({ value, chance }) => ({ value: sign * value, weight: -1 / chance })),
  ];
  const taken = rows.filter(({ weight }) => weight > 0).length;
  if (taken < 2 || rows.length - taken < 2) return undefined;
  const middle = rows.reduce((sum, { value }) => sum + value, 0) / rows.length;
  return estimateMean(rows.map(({ value, weight }) => (value - middle) * weight));
}

function weightsOf(
  metric: RowMetric,
  outcomes: Outcomes,
): readonly { readonly value: number; readonly chance: number }[] {
  return Array.from({ length: outcomes.labels.length }, (_, row) => ({
    value: partOf(metric, outcomes, row),
    chance: outcomes.propensities?.[row] ?? NaN,
  })).filter(({ value, chance }) => !Number.isNaN(value) && chance > 0);
}

/** Labelled rows of each arm below which a bandit keeps its share. */
const FEWEST_TO_DRAW = 10;

/**
 * Chance that the candidate is the better one, as what was seen shows it (Thompson 1933): both arms' means are thought
 * normal, of shares with the moments of Beta(1 + hits, 1 + misses). Rows count by the inverse of their chance, so that
 * what changed with time does not speak for the arm that had the larger share then.
 *
 * @returns undefined while either arm has too few labelled rows
 */
export function chanceOfBetter(
  metric: RowMetric,
  { stable, candidate }: { readonly stable: Outcomes; readonly candidate: Outcomes },
): number | undefined {
  const [ours, theirs] = [posteriorOf(weightsOf(metric, candidate)), posteriorOf(weightsOf(metric, stable))];
  if (ours === undefined || theirs === undefined) return undefined;
  const gain = isError(metric) ? theirs.mean - ours.mean : ours.mean - theirs.mean;
  const spread = Math.sqrt(ours.variance + theirs.variance);
  return spread === 0 ? (gain === 0 ? 0.5 : Number(gain > 0)) : normalShare(gain / spread);
}

function posteriorOf(
  rows: ReturnType<typeof weightsOf>,
): { readonly mean: number; readonly variance: number } | undefined {
  if (rows.length < FEWEST_TO_DRAW) return undefined;
  const sum = rows.reduce((total, { chance }) => total + 1 / chance, 0);
  // Kish 1965: as many rows of one weight vary as much.
  const n = sum ** 2 / rows.reduce((total, { chance }) => total + chance ** -2, 0);
  const found = rows.reduce((total, { value, chance }) => total + value / chance, 0) / sum;
  if (rows.every(({ value }) => value === 0 || value === 1)) {
    const mean = (found * n + 1) / (n + 2);
    return { mean, variance: (mean * (1 - mean)) / (n + 3) };
  }
  const squares = rows.reduce((total, { value, chance }) => total + (value - found) ** 2 / chance, 0);
  return { mean: found, variance: squares / sum / n };
}

/** Distribution function of the normal distribution. Source: Abramowitz and Stegun 7.1.26, error below 1.5e-7. */
function normalShare(value: number): number {
  const scaled = Math.abs(value) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * scaled);
  const polynomial = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = (polynomial * Math.exp(-(scaled ** 2))) / 2;
  return value < 0 ? tail : 1 - tail;
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
  // roc_auc: Hanley and McNeil 1982, area 0.75, three positives in ten rows. Of what is in the unit of the label
  // nothing is known.
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
