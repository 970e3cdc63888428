import type { MonitorWindow } from "#metadata-store/monitoring";
import { isLowerBetter, type MetricName } from "#models";
import { defaultThreshold, type DriftMethod, isPValue } from "./drift-method.ts";
import { judgeWindow } from "./judge.ts";
import type { MonitorRule } from "./monitor-file.ts";
import type { Monitor } from "./monitor-set.ts";
import { kindOf } from "./objective-rule.ts";
import { SKEW } from "./skew-example.ts";

/** One series that a monitor watches, as it stood when it was judged last. */
export interface WatchedSeries {
  readonly metric: string;
  /** Column, or empty. */
  readonly subject: string;
  /** `column=value`, or empty for all rows. */
  readonly segment: string;
  /**
   * undefined while it follows from data that have not come: a drop from the reference, a method that is chosen by
   * them.
   */
  readonly threshold: number | undefined;
  /** The side of the threshold that is bad. */
  readonly side: "above" | "below";
  /** undefined: no window could be judged. */
  readonly value?: number | undefined;
  /** End of the window that was judged, epoch ms. */
  readonly atMs?: number | undefined;
}

/**
 * What a monitor watches, by the newest window that it could judge: the last one may still wait for rows or labels.
 *
 * @param windows oldest first, of the monitor's window size
 * @returns at least one series: without any judged window, what the rule declares
 * Pure.
 */
export function readWatchedSeries(monitor: Monitor, windows: readonly MonitorWindow[]): readonly WatchedSeries[] {
  for (const window of windows.toReversed()) {
    const judged = judgeWindow(monitor.rule, window, monitor);
    if (judged.length > 0)
      return judged.map(({ metric, subject, segment, threshold, side, value }) => ({
        metric,
        subject,
        segment,
        threshold,
        side,
        value,
        atMs: window.endMs,
      }));
  }
  return declaredSeries(monitor.rule);
}

function declaredSeries(rule: MonitorRule): readonly WatchedSeries[] {
  const overall = { subject: "", segment: "" };
  if ("objective" in rule)
    return [{ ...overall, metric: `burn.${kindOf(rule.objective)}`, threshold: undefined, side: "above" }];
  if ("drift" in rule) {
    const { columns = [""], method, threshold, share } = rule.drift;
    if (share !== undefined) return [{ ...overall, metric: "drift_share", threshold: share, side: "above" }];
    return columns.map((subject) => ({ subject, segment: "", ...declaredDrift("drift", method, threshold) }));
  }
  if ("prediction_drift" in rule)
    return [
      {
        ...overall,
        ...declaredDrift("prediction_drift", rule.prediction_drift.method, rule.prediction_drift.threshold),
      },
    ];
  if ("performance" in rule) {
    const { metric, estimated, at_least: least, at_most: most } = rule.performance;
    const below = least !== undefined || (most === undefined && !isLowerBetter(metric as MetricName));
    return [
      {
        ...overall,
        metric: estimated ? `estimated_${metric}` : metric,
        threshold: least ?? most,
        side: below ? "below" : "above",
      },
    ];
  }
  if ("features" in rule) return declaredFeatures(rule.features);
  if ("skew" in rule) return declaredSkew(rule.skew);
  return "quality" in rule ? declaredQuality(rule.quality) : [{ ...overall, ...declaredAsked(rule) }];
}

type RuleOf<Key extends string> = Extract<MonitorRule, Readonly<Record<Key, unknown>>>;

function declaredQuality({ columns = [""], ...limits }: RuleOf<"quality">["quality"]): readonly WatchedSeries[] {
  const ofColumns = columns.flatMap((subject) =>
    (["null_share", "out_of_range", "unseen", "type_mismatch"] as const).flatMap((metric): WatchedSeries[] =>
      limits[metric] === undefined ? [] : [{ metric, subject, segment: "", threshold: limits[metric], side: "above" }],
    ),
  );
  const ofRows = [
    ["duplicates", limits.duplicates, "above"],
    ["max_gap_hours", limits.max_gap_hours, "above"],
    ["row_count", limits.rows_at_most, "above"],
    ["row_count", limits.rows_at_least, "below"],
  ] as const;
  return [
    ...ofColumns,
    ...ofRows.flatMap(([metric, threshold, side]): WatchedSeries[] =>
      threshold === undefined ? [] : [{ metric, subject: "", segment: "", threshold, side }],
    ),
  ];
}

function declaredFeatures({ columns = [""], ...limits }: RuleOf<"features">["features"]): readonly WatchedSeries[] {
  const ofLacks = [
    ["feature_missing", limits.missing_share],
    ["feature_stale", limits.stale_share],
  ] as const;
  return columns.flatMap((subject) =>
    ofLacks.flatMap(([metric, threshold]): WatchedSeries[] =>
      threshold === undefined ? [] : [{ metric, subject, segment: "", threshold, side: "above" }],
    ),
  );
}

function declaredSkew({ columns = [""], share }: RuleOf<"skew">["skew"]): readonly WatchedSeries[] {
  return columns.map((subject) => ({ metric: SKEW, subject, segment: "", threshold: share, side: "above" }));
}

function declaredAsked(
  rule: RuleOf<"fairness"> | RuleOf<"slices"> | RuleOf<"multivariate"> | RuleOf<"value">,
): Pick<WatchedSeries, "metric" | "threshold" | "side"> {
  if ("fairness" in rule) {
    const { metric, at_least: least, at_most: most } = rule.fairness;
    return { metric: `fairness.${metric}`, threshold: least ?? most, side: least === undefined ? "above" : "below" };
  }
  if ("slices" in rule) return { metric: "slice", threshold: rule.slices.effect, side: "above" };
  if ("multivariate" in rule)
    return {
      metric: `multivariate_drift.${rule.multivariate.method}`,
      threshold: rule.multivariate.threshold,
      side: "above",
    };
  const { per, at_least: least, at_most: most } = rule.value;
  return { metric: `value.${per}`, threshold: least ?? most, side: least === undefined ? "above" : "below" };
}

function declaredDrift(
  metric: string,
  method: DriftMethod | undefined,
  threshold: number | undefined,
): Pick<WatchedSeries, "metric" | "threshold" | "side"> {
  if (method === undefined) return { metric, threshold, side: "above" };
  return {
    metric: `${metric}.${method}`,
    threshold: threshold ?? defaultThreshold(method),
    side: isPValue(method) ? "below" : "above",
  };
}
