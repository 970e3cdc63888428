import type { MonitorScore } from "#metadata-store/monitoring";
import { parseValueExpression } from "./value-expression.ts";
import type { ValueRule } from "./watch-rules.ts";
import type { WindowRows } from "./window-rows.ts";

/** What the answers of a window were worth: an expression per row, its mean or sum. */
export function valueScores(
  rows: Pick<WindowRows, "columns" | "segments" | "predictions" | "outcomes" | "rowCount" | "labelled">,
  rules: readonly ValueRule[],
): readonly MonitorScore[] {
  return rules.map((rule): MonitorScore => {
    const expression = parseValueExpression(rule.expression);
    const withLabels = expression.names.includes("label");
    const { outcomes } = rows;
    const size = withLabels ? outcomes.labels.length : rows.predictions.length;
    const all = withLabels ? rows.labelled : rows.rowCount;
    const read =
      (row: number) =>
      (name: string): unknown => {
        if (name === "label") return outcomes.labels[row];
        if (name === "prediction") return (withLabels ? outcomes.predictions : rows.predictions)[row];
        return withLabels
          ? outcomes.segments.get(name)?.[row]
          : (rows.columns.get(name) ?? rows.segments.get(name))?.[row];
      };
    let [sum, n] = [0, 0];
    for (let row = 0; row < size; row++) {
      const value = expression.evaluate(read(row));
      if (!Number.isFinite(value)) continue;
      sum += value;
      n++;
    }
    const value = n === 0 ? undefined : rule.per === "row" ? sum / n : (sum / size) * all;
    return {
      metric: `value.${rule.per}`,
      subject: rule.expression,
      segment: "",
      value,
      baseline: undefined,
      threshold: undefined,
      breached: undefined,
      n,
      nReference: undefined,
      method: {
        ...(n === 0
          ? { reason: `no ${withLabels ? "row with a label" : "row"} has all that the expression needs` }
          : {}),
        ...(n < size ? { withoutValue: size - n } : {}),
        ...(size < all ? { sampledOf: all } : {}),
      },
    };
  });
}
