/** Counts of one group of rows. */
export interface GroupCounts {
  readonly group: string;
  /** All rows, and those that were answered with class 1. */
  readonly rows: number;
  readonly selected: number;
  /** Rows with a label, by label and answer. */
  readonly tp: number;
  readonly fp: number;
  readonly fn: number;
  readonly tn: number;
}

/** Rates of one group, each 0 to 1; undefined where there is nothing to divide by. */
export interface GroupRates {
  readonly selection_rate: number | undefined;
  readonly true_positive_rate: number | undefined;
  readonly false_positive_rate: number | undefined;
  readonly precision: number | undefined;
  readonly accuracy: number | undefined;
}

export const GROUP_RATES = [
  "selection_rate",
  "true_positive_rate",
  "false_positive_rate",
  "precision",
  "accuracy",
] as const satisfies readonly (keyof GroupRates)[];

/** Measures of how groups differ. */
export const FAIRNESS_METRICS = [
  "demographic_parity_difference",
  "demographic_parity_ratio",
  "equalized_odds_difference",
  "equalized_odds_ratio",
  "equal_opportunity_difference",
  "predictive_parity_difference",
  "accuracy_difference",
] as const;
export type FairnessMetric = (typeof FAIRNESS_METRICS)[number];

/** Measures that need no label. */
export function needsLabels(metric: FairnessMetric): boolean {
  return !metric.startsWith("demographic_parity");
}

/** Whether a small value is the bad side: a ratio. */
export function isRatio(metric: FairnessMetric): boolean {
  return metric.endsWith("_ratio");
}

/** Rates of a group. Pure. Source: fairlearn 0.15 `MetricFrame` with scikit-learn's rates. */
export function ratesOf({ rows, selected, tp, fp, fn, tn }: GroupCounts): GroupRates {
  const ratio = (part: number, whole: number): number | undefined => (whole === 0 ? undefined : part / whole);
  return {
    selection_rate: ratio(selected, rows),
    true_positive_rate: ratio(tp, tp + fn),
    false_positive_rate: ratio(fp, fp + tn),
    precision: ratio(tp, tp + fp),
    accuracy: ratio(tp + tn, tp + fp + fn + tn),
  };
}

/**
 * How groups differ: differences are largest less smallest, ratios smallest over largest.
 *
 * @param groups those that are large enough
 * @returns undefined for fewer than two groups that have the rate
 * Pure. Source: fairlearn 0.15, `between_groups`, `agg="worst_case"`.
 */
export function compareGroups(metric: FairnessMetric, groups: readonly GroupCounts[]): number | undefined {
  const rates = groups.map(ratesOf);
  const values = (name: keyof GroupRates): readonly number[] => rates.flatMap((rate) => rate[name] ?? []);
  const difference = (name: keyof GroupRates): number | undefined => {
    const own = values(name);
    return own.length < 2 ? undefined : Math.max(...own) - Math.min(...own);
  };
  const ratio = (name: keyof GroupRates): number | undefined => {
    const own = values(name);
    if (own.length < 2) return undefined;
    // All zero: no group is treated otherwise.
    return Math.max(...own) === 0 ? 1 : Math.min(...own) / Math.max(...own);
  };
  switch (metric) {
    case "demographic_parity_difference":
      return difference("selection_rate");
    case "demographic_parity_ratio":
      return ratio("selection_rate");
    case "equalized_odds_difference":
      return worst(difference("true_positive_rate"), difference("false_positive_rate"), Math.max);
    case "equalized_odds_ratio":
      return worst(ratio("true_positive_rate"), ratio("false_positive_rate"), Math.min);
    case "equal_opportunity_difference":
      return difference("true_positive_rate");
    case "predictive_parity_difference":
      return difference("precision");
    case "accuracy_difference":
      return difference("accuracy");
  }
}

/** Both are asked for: one that does not exist leaves no verdict. */
function worst(
  left: number | undefined,
  right: number | undefined,
  choose: (...values: number[]) => number,
): number | undefined {
  return left === undefined || right === undefined ? undefined : choose(left, right);
}
