/** Metrics in the order in which people look at them; others follow by name. */
const ORDER = ["roc_auc", "log_loss", "brier", "accuracy", "f1", "precision", "recall", "rmse", "mae", "r2"];

/** Metrics for which a smaller value is a better one. */
const LOWER_IS_BETTER = new Set(["log_loss", "brier", "rmse", "mae", "mse", "mape"]);

/** Names of all metrics in some records, the most telling first. */
export function metricNames(records: readonly Readonly<Record<string, number>>[]): readonly string[] {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))];
  const rank = (name: string): number => {
    const index = ORDER.indexOf(name);
    return index < 0 ? ORDER.length : index;
  };
  return names.sort((left, right) => rank(left) - rank(right) || left.localeCompare(right));
}

/** `better`, `worse` or `equal`, by what the metric means; undefined for one whose meaning is not known. */
export function compareMetric(name: string, value: number, champion: number): "better" | "worse" | "equal" | undefined {
  const base = name.replace(/^(test|train|val|validation)_/, "");
  if (value === champion) return "equal";
  if (!ORDER.includes(base) && !LOWER_IS_BETTER.has(base)) return undefined;
  return value > champion !== LOWER_IS_BETTER.has(base) ? "better" : "worse";
}
