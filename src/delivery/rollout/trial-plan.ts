import type { TrialMetric } from "./outcome-metric.ts";
import { type StrategyDeclaration, strategySchema, toPercent } from "./strategy.ts";
import { strategyInvalid } from "../errors.ts";

/** What a candidate must show, and how long it is looked at. Times are epoch ms. */
export interface TrialRules {
  /** When the trial began. */
  readonly sinceMs: number;
  /** Until when it is watched at its share. */
  readonly untilMs: number;
  readonly rollbackOnAlert: boolean;
  /** Requests that the candidate must have had at its share. */
  readonly minRequests?: number;
  /** A candidate whose 95th percentile is slower does not take over. */
  readonly maxP95Ms?: number;
  readonly maxP99Ms?: number;
  /** The same as a multiple of the stable version's. */
  readonly maxP99Ratio?: number;
  /** By how much its share of failing requests may exceed the stable version's, 0–1. */
  readonly maxErrors?: number;
  /** How far its answers may lie from the stable version's, 0–1. */
  readonly maxShift?: number;
  readonly metric?: TrialMetric;
  readonly maxLoss?: number;
  /** By how much the metric must be better at least; of `ab` and `bandit`. */
  readonly minGain?: number;
}

/** How requests come to one of the versions. */
export interface Routing {
  /** Share of the routing units that the candidate answers now, 0–100. */
  readonly percent: number;
  /** Lower-case name of a header with which a request chooses: `stable` or `candidate`. */
  readonly header?: string;
  /** Lower-case name of a header that holds the routing unit; missing: the entity key of each row. */
  readonly stickyBy?: string;
}

/** A canary: shares that follow one another, and where it stands. */
export interface CanaryPlan extends TrialRules, Routing {
  readonly kind: "canary";
  /** All shares; missing where there is one. */
  readonly steps?: readonly number[];
  /** When it came to its share, and how many requests the candidate had had before. */
  readonly stepSinceMs?: number;
  readonly stepRequests?: number;
}

export interface ShadowPlan extends TrialRules {
  readonly kind: "shadow";
}

/** A fixed share until labels show which version is better. */
export interface AbPlan extends TrialRules, Routing {
  readonly kind: "ab";
}

/** A share that follows the labels. */
export interface BanditPlan extends TrialRules, Routing {
  readonly kind: "bandit";
  /** The share that neither version falls below, 0–50. */
  readonly minShare: number;
  /** When the share was drawn last. */
  readonly drawnAtMs?: number;
}

/** How a candidate is tried. */
export type TrialPlan = CanaryPlan | ShadowPlan | AbPlan | BanditPlan;

/** Two versions of which the better one is looked for, where a canary must only be no worse. */
export function isComparison({ kind }: Pick<TrialPlan, "kind">): boolean {
  return kind === "ab" || kind === "bandit";
}

const MINUTE_MS = 60_000;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: MINUTE_MS, h: 3_600_000, d: 86_400_000 };

/** Default time that a candidate is watched, in ms. */
const DEFAULT_WATCH_MS = 30 * MINUTE_MS;
/** The same where labels decide, which come late. */
const DEFAULT_COMPARISON_MS = 1440 * MINUTE_MS;
const DEFAULT_MIN_SHARE = 5;
const DEFAULT_MIN_REQUESTS = 20;
const DEFAULT_MAX_ERRORS = 0.01;
const DEFAULT_MAX_SHIFT = 0.25;
const DEFAULT_MAX_LOSS = 0.02;
const DEFAULT_P99_RATIO = 2;

/** What a plan leaves out, and what plans that were kept before did not say. */
export function limitsOf(plan: TrialRules): {
  readonly minRequests: number;
  readonly maxErrors: number;
  readonly maxShift: number;
  readonly maxLoss: number;
  readonly minGain: number;
  readonly maxP99Ratio: number | undefined;
} {
  return {
    minRequests: plan.minRequests ?? DEFAULT_MIN_REQUESTS,
    maxErrors: plan.maxErrors ?? DEFAULT_MAX_ERRORS,
    maxShift: plan.maxShift ?? DEFAULT_MAX_SHIFT,
    maxLoss: plan.maxLoss ?? DEFAULT_MAX_LOSS,
    minGain: plan.minGain ?? 0,
    maxP99Ratio: plan.maxP99Ms === undefined ? (plan.maxP99Ratio ?? DEFAULT_P99_RATIO) : undefined,
  };
}

/**
 * Reads a deploy step's `strategy`: `{ canary: [1%, 10%, 50%], watch: 30m, rollback_on: alert, metric: roc_auc }`,
 * `{ shadow: true, watch: 1d }`, `{ ab: 50%, metric: accuracy }`, `{ bandit: thompson, metric: reward }`.
 *
 * @returns undefined without one: the new version answers at once
 * @throws DELIVERY_STRATEGY_INVALID
 */
export function parseStrategy(declared: object | undefined, nowMs: number): TrialPlan | undefined {
  if (declared === undefined) return undefined;
  const parsed = strategySchema.safeParse(declared);
  if (!parsed.success)
    throw strategyInvalid({
      found: JSON.stringify(declared),
      reason: parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`.trim()).join("; "),
    });
  const { canary, shadow, ab, bandit, header, sticky_by: stickyBy, min_share } = parsed.data;
  const rules = {
    ...rulesOf(parsed.data, nowMs),
    ...(header === undefined ? {} : { header }),
    ...(stickyBy === undefined ? {} : { stickyBy }),
  };
  if (shadow !== undefined) return { kind: "shadow", ...rules };
  if (ab !== undefined) return { kind: "ab", percent: toPercent(ab), ...rules };
  if (bandit !== undefined)
    return { kind: "bandit", percent: 50, minShare: toPercent(min_share ?? DEFAULT_MIN_SHARE), ...rules };
  const steps = [canary ?? 0].flat().map(toPercent);
  return {
    kind: "canary",
    percent: steps[0] ?? 0,
    ...(steps.length > 1 ? { steps, stepSinceMs: nowMs, stepRequests: 0 } : {}),
    ...rules,
  };
}

function rulesOf(declared: StrategyDeclaration, nowMs: number): TrialRules {
  const { watch, rollback_on, min_requests, max_errors, max_p95, max_p99, max_shift, metric } = declared;
  const compares = declared.ab !== undefined || declared.bandit !== undefined;
  // Versions that are compared are meant to answer differently.
  const shift = max_shift ?? (compares ? "100%" : undefined);
  return {
    sinceMs: nowMs,
    untilMs: nowMs + watchOf(watch, compares),
    rollbackOnAlert: rollback_on === "alert",
    minRequests: min_requests ?? DEFAULT_MIN_REQUESTS,
    ...(max_p95 === undefined ? {} : { maxP95Ms: toMs(max_p95) }),
    ...(max_p99 === undefined
      ? {}
      : max_p99.endsWith("x")
        ? { maxP99Ratio: Number(max_p99.slice(0, -1)) }
        : { maxP99Ms: toMs(max_p99) }),
    ...(max_errors === undefined ? {} : { maxErrors: toPercent(max_errors) / 100 }),
    ...(shift === undefined ? {} : { maxShift: toPercent(shift) / 100 }),
    ...(metric === undefined ? {} : { metric, ...metricLimit(declared, compares) }),
  };
}

function watchOf(watch: string | undefined, compares: boolean): number {
  if (watch !== undefined) return toMs(watch);
  return compares ? DEFAULT_COMPARISON_MS : DEFAULT_WATCH_MS;
}

function metricLimit({ min_gain, max_loss }: StrategyDeclaration, compares: boolean): Partial<TrialRules> {
  return compares ? { minGain: min_gain ?? 0 } : { maxLoss: max_loss ?? DEFAULT_MAX_LOSS };
}

function toMs(text: string): number {
  const [, amount, unit = ""] = /^(\d+)(ms|s|m|h|d)$/.exec(text) ?? [];
  return Number(amount) * (UNIT_MS[unit] ?? NaN);
}

/** When the candidate came to its share. */
export function stepSince(plan: TrialPlan): number {
  return plan.kind === "canary" ? (plan.stepSinceMs ?? plan.sinceMs) : plan.sinceMs;
}

/** The share after the one that the candidate has; undefined at the last. */
export function nextPercent(plan: TrialPlan): number | undefined {
  return plan.kind === "canary" ? plan.steps?.find((share) => share > plan.percent) : undefined;
}

/** A plan at its next share, watched there as long as before. */
export function atShare(
  plan: CanaryPlan,
  { percent, requests, nowMs }: { readonly percent: number; readonly requests: number; readonly nowMs: number },
): CanaryPlan {
  const watchMs = plan.untilMs - stepSince(plan);
  return { ...plan, percent, stepSinceMs: nowMs, stepRequests: requests, untilMs: nowMs + watchMs };
}
