import type { MonitorScore, MonitorWindow } from "#metadata-store/monitoring";
import { isLowerBetter } from "#models";
import { defaultThreshold, type DriftMethod } from "./drift-method.ts";
import type { MetricBand } from "./estimated-scores.ts";
import type { MonitorFile, MonitorRule } from "./monitor-file.ts";
import { DOMAIN_THRESHOLD } from "./multivariate-scores.ts";
import { exampleOf, SKEW } from "./skew-example.ts";
import { isRatio } from "./statistics/fairness.ts";
import type { FairnessRule, FeaturesRule, MultivariateRule, SkewRule, SlicesRule } from "./watch-rules.ts";
import type { ChunkSpread } from "./statistics/chunks.ts";
import { adjustedPValues, type GoneColumn, watches } from "./window-scores.ts";

/** One series that a monitor watches, judged in one window. */
export interface Judgement {
  readonly metric: string;
  /** Column, or empty. */
  readonly subject: string;
  readonly segment: string;
  readonly value: number;
  readonly threshold: number;
  /** The side of the threshold that is bad. */
  readonly side: "above" | "below";
  readonly breached: boolean;
  readonly n: number;
  /** What crossed what, for people. */
  readonly message: string;
}

/**
 * What a monitor says of one window. Series without enough data are left out: no data is no verdict.
 *
 * Pure.
 */
export function judgeWindow(
  rule: MonitorRule,
  window: MonitorWindow,
  file: Pick<MonitorFile, "min_rows">,
): readonly Judgement[] {
  // Counted by the minute, not by windows of rows.
  if ("objective" in rule) return [];
  if ("skew" in rule) return judgeSkew(rule.skew, window.scores, file);
  if (window.predictions < file.min_rows) return "quality" in rule ? judgeRows(rule.quality, window.scores) : [];
  if ("drift" in rule) return judgeDrift(rule.drift, window.scores);
  if ("prediction_drift" in rule)
    return window.scores
      .filter((score) => isDriftOf(score, "prediction_drift", rule.prediction_drift.method))
      .flatMap((score) => judgeScore(score, { what: "the predictions", rule: rule.prediction_drift }));
  if ("performance" in rule) return judgePerformance(rule.performance, window, file);
  if ("quality" in rule)
    return [...judgeQuality(rule.quality, window.scores), ...judgeRows(rule.quality, window.scores)];
  if ("features" in rule) return judgeFeatures(rule.features, window.scores, file);
  return judgeAsked(rule, window.scores);
}

function isDriftOf(score: MonitorScore, metric: string, method: DriftMethod | undefined): boolean {
  if (!score.metric.startsWith(`${metric}.`)) return false;
  const isDefault = (score.method as { default?: boolean }).default === true;
  return score.segment === "" && (method === undefined ? isDefault : score.metric === `${metric}.${method}`);
}

interface Scored {
  readonly what: string;
  readonly rule: { readonly threshold?: number | undefined; readonly deviations?: number | undefined };
  /** The p-value, adjusted for the columns that are judged with it. */
  readonly adjusted?: { readonly value: number; readonly tests: number } | undefined;
}

function judgeScore(score: MonitorScore, { what, rule, adjusted }: Scored): Judgement[] {
  if (isGone(score.method)) return [judgeGone(score, score.method, what)];
  if (score.value === undefined) return [];
  const method = score.metric.slice(score.metric.indexOf(".") + 1) as DriftMethod;
  const threshold = driftThreshold(score, method, rule);
  if (threshold === undefined) return [];
  const small = (score.method as { scale?: string }).scale === "p_value";
  const value = adjusted?.value ?? score.value;
  const breached = small ? value <= threshold : value >= threshold;
  const found =
    adjusted === undefined || adjusted.tests < 2
      ? format(value)
      : `${format(score.value)}, ${format(value)} adjusted for ${adjusted.tests} columns,`;
  const message = `${what} drifted: ${method} ${small ? "p-value " : ""}${found} ${small ? "≤" : "≥"} ${format(threshold)} (${score.n} rows against ${score.nReference ?? 0})`;
  return [
    {
      metric: score.metric,
      subject: score.subject,
      segment: score.segment,
      value,
      threshold,
      side: small ? "below" : "above",
      breached,
      n: score.n,
      message,
    },
  ];
}

/** Undefined while it follows from chunks of a reference that has too few rows. */
function driftThreshold(score: MonitorScore, method: DriftMethod, rule: Scored["rule"]): number | undefined {
  if (rule.deviations === undefined) return rule.threshold ?? defaultThreshold(method);
  const usual = usualOf(score);
  return usual === undefined ? undefined : usual.mean + rule.deviations * usual.deviation;
}

/** What is usual over chunks of the reference. */
function usualOf({ method }: MonitorScore): ChunkSpread | undefined {
  return (method as MetricBand).usual;
}

function isGone(method: object): method is GoneColumn {
  return (method as Partial<GoneColumn>).gone === true;
}

function judgeGone(score: MonitorScore, gone: GoneColumn, what: string): Judgement {
  const message = `${what} drifted: ${percent(gone.nullShare)} of its values are missing (${percent(gone.referenceNullShare)} in the reference)`;
  return {
    metric: score.metric,
    subject: score.subject,
    segment: score.segment,
    value: gone.nullShare,
    threshold: gone.referenceNullShare,
    side: "above",
    breached: true,
    n: score.n,
    message,
  };
}

function percent(share: number): string {
  return `${format(share * 100)} %`;
}

type DriftRule = Extract<MonitorRule, { drift: unknown }>["drift"];

function judgeDrift(rule: DriftRule, scores: readonly MonitorScore[]): readonly Judgement[] {
  const seen = new Set<string>();
  const columns = scores.filter((score) => {
    if (!isDriftOf(score, "drift", rule.method) || !watches(rule, score.subject) || seen.has(score.subject))
      return false;
    seen.add(score.subject);
    return true;
  });
  const adjusted = adjustedPValues(columns);
  const judged = columns.flatMap((score) => {
    const value = adjusted.get(score);
    return judgeScore(score, {
      what: `column "${score.subject}"`,
      rule,
      adjusted: value === undefined ? undefined : { value, tests: adjusted.size },
    });
  });
  const bySegment = rule.segments === true ? judgeSegments(rule, scores) : [];
  if (rule.share === undefined) return [...judged, ...bySegment];
  if (judged.length === 0) return [];
  const drifted = judged.filter((judgement) => judgement.breached);
  const value = drifted.length / judged.length;
  const n = judged.reduce((least, judgement) => Math.min(least, judgement.n), Infinity);
  const names = drifted.map((judgement) => judgement.subject).join(", ");
  return [
    {
      metric: "drift_share",
      subject: "",
      segment: "",
      value,
      threshold: rule.share,
      side: "above",
      breached: value >= rule.share,
      n,
      message: `${drifted.length} of ${judged.length} columns drifted (${names || "none"}): ${format(value)} ≥ ${format(rule.share)}`,
    },
  ];
}

/** Columns within segments, by their default method and its threshold; p-values are adjusted within a segment. */
function judgeSegments(rule: DriftRule, scores: readonly MonitorScore[]): readonly Judgement[] {
  const own = scores.filter(
    (score) => score.metric.startsWith("drift.") && score.segment !== "" && watches(rule, score.subject),
  );
  return [...Map.groupBy(own, ({ segment }) => segment)].flatMap(([segment, ofSegment]) => {
    const adjusted = adjustedPValues(ofSegment);
    return ofSegment.flatMap((score) => {
      const value = adjusted.get(score);
      return judgeScore(score, {
        what: `column "${score.subject}" of ${segment}`,
        rule: {},
        adjusted: value === undefined ? undefined : { value, tests: adjusted.size },
      });
    });
  });
}

type PerformanceRule = Extract<MonitorRule, { performance: unknown }>["performance"];

function judgePerformance(
  rule: PerformanceRule,
  window: MonitorWindow,
  file: Pick<MonitorFile, "min_rows">,
): readonly Judgement[] {
  if (!rule.estimated && window.labelled < Math.max(file.min_rows, rule.coverage * window.predictions)) return [];
  const metric = rule.estimated ? `estimated_${rule.metric}` : rule.metric;
  return window.scores.flatMap((score): Judgement[] => {
    if (
      score.metric !== metric ||
      score.value === undefined ||
      (score.segment !== "" && !rule.segments) ||
      score.n < file.min_rows
    )
      return [];
    const bounds = boundsOf(rule, score);
    const crossed = bounds.find((bound) =>
      bound.side === "below" ? (score.value ?? 0) < bound.threshold : (score.value ?? 0) > bound.threshold,
    );
    const bound = crossed ?? bounds[0];
    if (bound === undefined) return [];
    const message = `${metric}${score.segment === "" ? "" : ` of ${score.segment}`} is ${format(score.value)}, ${bound.side} ${format(bound.threshold)} (${bound.reason}; ${score.n} labelled rows)`;
    return [
      {
        metric,
        subject: "",
        segment: score.segment,
        value: score.value,
        threshold: bound.threshold,
        side: bound.side,
        breached: crossed !== undefined,
        n: score.n,
        message,
      },
    ];
  });
}

interface Bound {
  readonly side: "below" | "above";
  readonly threshold: number;
  readonly reason: string;
}

function boundsOf(rule: PerformanceRule, score: MonitorScore): readonly Bound[] {
  const { baseline } = score;
  const bounds: Bound[] = [];
  if (rule.at_least !== undefined) bounds.push({ side: "below", threshold: rule.at_least, reason: "at_least" });
  if (rule.at_most !== undefined) bounds.push({ side: "above", threshold: rule.at_most, reason: "at_most" });
  if (rule.drop !== undefined && baseline !== undefined) {
    const lower = isLowerBetter(rule.metric);
    bounds.push({
      side: lower ? "above" : "below",
      threshold: lower ? baseline + rule.drop : baseline - rule.drop,
      reason: `${format(baseline)} on the test rows, drop ${rule.drop}`,
    });
  }
  const usual = usualOf(score);
  if (rule.deviations !== undefined && usual !== undefined) {
    const lower = isLowerBetter(rule.metric);
    bounds.push({
      side: lower ? "above" : "below",
      threshold: usual.mean + (lower ? 1 : -1) * rule.deviations * usual.deviation,
      reason: `${format(usual.mean)} ± ${rule.deviations} × ${format(usual.deviation)} over ${usual.chunks} chunks of the test rows`,
    });
  }
  return bounds;
}

type QualityRule = Extract<MonitorRule, { quality: unknown }>["quality"];

function judgeQuality(rule: QualityRule, scores: readonly MonitorScore[]): readonly Judgement[] {
  const limits = [
    ["null_share", rule.null_share, "missing values"],
    ["out_of_range", rule.out_of_range, "values outside the reference's range"],
    ["unseen", rule.unseen, "values that the reference does not have"],
    ["type_mismatch", rule.type_mismatch, "values of another type"],
  ] as const;
  return limits.flatMap(([metric, limit, what]) =>
    scores.flatMap((score): Judgement[] => {
      if (limit === undefined || score.metric !== metric || score.value === undefined || !watches(rule, score.subject))
        return [];
      const threshold = limit + (metric === "null_share" ? (score.baseline ?? 0) : 0);
      const message = `column "${score.subject}": ${format(score.value)} of the rows hold ${what}, allowed are ${format(threshold)}`;
      return [
        {
          metric,
          subject: score.subject,
          segment: "",
          value: score.value,
          threshold,
          side: "above",
          breached: score.value > threshold,
          n: score.n,
          message,
        },
      ];
    }),
  );
}

/** A feature that too few rows asked the online store for has no verdict. */
function judgeFeatures(
  rule: FeaturesRule,
  scores: readonly MonitorScore[],
  file: Pick<MonitorFile, "min_rows">,
): readonly Judgement[] {
  const limits = [
    ["feature_missing", rule.missing_share, "no value in the online store"],
    ["feature_stale", rule.stale_share, "a value that is older than its view allows"],
  ] as const;
  return limits.flatMap(([metric, limit, what]) =>
    scores.flatMap((score): Judgement[] => {
      if (limit === undefined || score.metric !== metric || score.value === undefined) return [];
      if (!watches(rule, score.subject) || score.n < file.min_rows) return [];
      const { value, subject, n } = score;
      const message = `feature "${subject}": ${percent(value)} of the rows found ${what}, allowed are ${percent(limit)} (${n} rows asked for it)`;
      const breached = value > limit;
      return [{ metric, subject, segment: "", value, threshold: limit, side: "above", breached, n, message }];
    }),
  );
}

/** One wrong value is wrong, however few rows there are; a share needs enough of them. */
function judgeSkew(
  { share, columns }: SkewRule,
  scores: readonly MonitorScore[],
  file: Pick<MonitorFile, "min_rows">,
): readonly Judgement[] {
  return scores.flatMap((score): Judgement[] => {
    const { metric, value, subject, n } = score;
    if (metric !== SKEW || value === undefined || !watches({ columns }, subject)) return [];
    if (share > 0 && n < file.min_rows) return [];
    const example = exampleOf(score);
    const message = `feature "${subject}": in ${Math.round(value * n)} of ${n} compared rows the online value is not what the offline join gives, allowed are ${percent(share)}${example === undefined ? "" : `; ${example}`}`;
    return [
      { metric, subject, segment: "", value, threshold: share, side: "above", breached: value > share, n, message },
    ];
  });
}

/** Rows as a whole. */
function judgeRows(rule: QualityRule, scores: readonly MonitorScore[]): readonly Judgement[] {
  const limits = [
    ["duplicates", rule.duplicates, "above", "of the rows have the inputs of an earlier one"],
    ["max_gap_hours", rule.max_gap_hours, "above", "hours passed without a prediction"],
    ["row_count", rule.rows_at_most, "above", "predictions"],
    ["row_count", rule.rows_at_least, "below", "predictions"],
  ] as const;
  return limits.flatMap(([metric, limit, side, what]) => {
    const score = scores.find((one) => one.metric === metric && one.segment === "");
    return limit === undefined || score === undefined ? [] : judgeLimit(score, { limit, side, what });
  });
}

/** One score against one figure. */
function judgeLimit(
  score: MonitorScore,
  { limit, side, what }: { readonly limit: number; readonly side: "above" | "below"; readonly what: string },
): readonly Judgement[] {
  if (score.value === undefined) return [];
  return [
    {
      metric: score.metric,
      subject: score.subject,
      segment: score.segment,
      value: score.value,
      threshold: limit,
      side,
      breached: side === "above" ? score.value > limit : score.value < limit,
      n: score.n,
      message: `${format(score.value)} ${what}, ${side} ${format(limit)} (${score.n} rows)`,
    },
  ];
}

type AskedRule = Extract<
  MonitorRule,
  { fairness: unknown } | { slices: unknown } | { multivariate: unknown } | { value: unknown }
>;

/** What only some rules ask for. */
function judgeAsked(rule: AskedRule, scores: readonly MonitorScore[]): readonly Judgement[] {
  if ("fairness" in rule) return judgeFairness(rule.fairness, scores);
  if ("slices" in rule) return judgeSlices(rule.slices, scores);
  if ("multivariate" in rule) return judgeMultivariate(rule.multivariate, scores);
  const { expression, per, at_least: least, at_most: most } = rule.value;
  const own = scores.filter((score) => score.metric === `value.${per}` && score.subject === expression);
  return own.flatMap((score) => {
    const what = `is the value of ${per === "row" ? "a row" : "the window"} by ${expression}`;
    const isHigh = most !== undefined && (score.value ?? 0) > most;
    if (least !== undefined && !isHigh) return judgeLimit(score, { limit: least, side: "below", what });
    return most === undefined ? [] : judgeLimit(score, { limit: most, side: "above", what });
  });
}

function judgeFairness(rule: FairnessRule, scores: readonly MonitorScore[]): readonly Judgement[] {
  return scores
    .filter((score) => score.metric === `fairness.${rule.metric}` && rule.attributes.includes(score.subject))
    .flatMap((score) => {
      const what = `is the ${rule.metric.replaceAll("_", " ")} of the groups by ${score.subject}`;
      const [limit, side] = isRatio(rule.metric)
        ? ([rule.at_least, "below"] as const)
        : ([rule.at_most, "above"] as const);
      return limit === undefined ? [] : judgeLimit(score, { limit, side, what });
    });
}

function judgeSlices(rule: SlicesRule, scores: readonly MonitorScore[]): readonly Judgement[] {
  return scores
    .filter((score) => score.metric.startsWith("slice.") && score.segment === "")
    .flatMap((score) => {
      const { slices = "" }: { readonly slices?: string } = score.method;
      return judgeLimit(score, {
        limit: rule.effect,
        side: "above",
        what: `standard deviations more than elsewhere grew the errors where ${slices}`,
      });
    });
}

function judgeMultivariate(rule: MultivariateRule, scores: readonly MonitorScore[]): readonly Judgement[] {
  return scores
    .filter((score) => score.metric === `multivariate_drift.${rule.method}`)
    .flatMap((score) => {
      const what = `is the ${rule.method.replaceAll("_", " ")} of all columns together`;
      if (rule.method === "domain_classifier" || rule.threshold !== undefined)
        return judgeLimit(score, { limit: rule.threshold ?? DOMAIN_THRESHOLD, side: "above", what });
      const usual = usualOf(score);
      if (usual === undefined || score.value === undefined) return [];
      const [low, high] = [-1, 1].map((sign) => usual.mean + sign * rule.deviations * usual.deviation);
      const isLow = score.value < (low ?? -Infinity);
      return judgeLimit(score, { limit: (isLow ? low : high) ?? 0, side: isLow ? "below" : "above", what });
    });
}

function format(value: number): string {
  return Number(value.toPrecision(4)).toString();
}
