import { durationQuantile, failureShare, failuresOf, outputShift, slowerThan, type TrialRecord } from "./arm-record.ts";
import {
  chanceOfBetter,
  type Estimate,
  estimateGain,
  estimateMetric,
  isError,
  type Outcomes,
  type TrialMetric,
} from "./outcome-metric.ts";
import { requestsNeeded, rowsNeeded } from "./sample-size.ts";
import { excessEvidence, type Limits, meanBand, shareLimits, SMALL_SHARE } from "./sequential.ts";
import {
  type BanditPlan,
  isComparison,
  limitsOf,
  nextPercent,
  stepSince,
  type TrialPlan,
  type TrialRules,
} from "./trial-plan.ts";

/** Chance that a candidate as good as the stable version is taken back by one check, however long it is looked at. */
export const FALSE_ABORT = 0.01;
/** Chance that a candidate beyond a limit takes over, however long it is looked at. */
export const FALSE_PROMOTION = 0.05;

export const TRIAL_REASONS = [
  "failures",
  "alert",
  "monitors",
  "latency",
  "outputs",
  "metric",
  "no_traffic",
  "no_verdict",
  "passed",
  "rehearsed",
  "watching",
  "next_share",
  "waiting_for_traffic",
  "waiting_for_labels",
  "waiting_for_evidence",
  "not_approved",
  "rules",
  "by_hand",
  "better",
  "no_winner",
  "new_share",
  // Of trials that ended before failures were tested: more failures than the stable version had.
  "failure_share",
] as const;
export type TrialReason = (typeof TRIAL_REASONS)[number];

export const CHECK_NAMES = ["requests", "errors", "latency", "outputs", "metric", "alerts"] as const;
export type CheckName = (typeof CHECK_NAMES)[number];

/** One thing that a candidate must show. */
export interface TrialCheck {
  readonly name: CheckName;
  /** `open`: neither is shown yet. */
  readonly state: "passed" | "failed" | "open";
  /** What was found, in the unit of the limit; undefined while nothing was. */
  readonly value?: number | undefined;
  /** Between which the truth lies, however often one looks; where that is known. */
  readonly low?: number | undefined;
  readonly high?: number | undefined;
  readonly limit?: number | undefined;
  /** Requests or labelled rows of the candidate so far, and about how many an answer takes. */
  readonly count?: number | undefined;
  readonly needed?: number | undefined;
  /** Name of the metric, or of what stands against it. */
  readonly subject?: string | undefined;
  /** What the metric came to in each arm, and of how many labelled rows. */
  readonly arms?: { readonly stable?: ArmMetric; readonly candidate?: ArmMetric } | undefined;
}

export interface ArmMetric {
  readonly value: number;
  readonly rows: number;
}

/** What is to become of a trial, and why. */
export interface TrialVerdict {
  readonly action: "promote" | "advance" | "abort" | "end" | "wait";
  readonly reason: TrialReason;
  /** Requests that the candidate was asked, and of them those it could not answer. */
  readonly requests: number;
  readonly failures: number;
  readonly minRequests: number;
  /** Share of the stable version's requests that it could not answer, 0–1. */
  readonly stableShare: number;
  readonly p95Ms?: number | undefined;
  readonly maxP95Ms?: number | undefined;
  readonly checks?: readonly TrialCheck[];
  /** The candidate's share from now on, 0–100; of a bandit. */
  readonly percent?: number | undefined;
  /** Who ended it by hand, and what they said; why the environment's rules keep it. */
  readonly note?: string | undefined;
}

/** What is known of a trial. */
export interface TrialFacts {
  readonly plan: TrialPlan;
  readonly record: TrialRecord;
  /** Rows whose truth has come, of each arm; undefined where the plan names no metric. */
  readonly outcomes?: { readonly stable: Outcomes; readonly candidate: Outcomes } | undefined;
  /** An alert opened on the endpoint since it began. */
  readonly alarmed: boolean;
  /** Monitors that the candidate's own rows break. */
  readonly broken?: readonly string[];
  readonly nowMs: number;
}

/** A trial that finds no verdict ends after so many times the time it was to be watched. */
const PATIENCE = 10;

/**
 * Judges a trial by what both arms did. It ends at once when a check fails, which the data must show beyond what chance
 * makes of repeated looking; it takes over only when every check has passed. Without a verdict it stays, and leaves
 * after ten times the time.
 *
 * Pure.
 */
export function judgeTrial(facts: TrialFacts): TrialVerdict {
  const { plan, record, nowMs } = facts;
  const checks = checkTrial(facts);
  const said = {
    requests: record.candidate.requests,
    failures: failuresOf(record.candidate),
    minRequests: limitsOf(plan).minRequests,
    stableShare: failureShare(record.stable),
    p95Ms: durationQuantile(record.candidate, 0.95),
    maxP95Ms: plan.maxP95Ms,
    checks,
  };
  const failed = checks.find(({ state }) => state === "failed");
  if (failed !== undefined) return { action: "abort", reason: reasonOfFailure(failed), ...said };
  const percent = plan.kind === "bandit" ? drawnShare(plan, facts) : undefined;
  if (percent !== undefined) return { action: "advance", reason: "new_share", percent, ...said };
  if (nowMs < plan.untilMs) return { action: "wait", reason: "watching", ...said };
  // A shadow was a rehearsal: it takes over by hand only.
  if (plan.kind === "shadow") return { action: "end", reason: "rehearsed", ...said };
  if (nextPercent(plan) !== undefined) {
    if (mayGrow(checks, facts)) return { action: "advance", reason: "next_share", ...said };
  } else if (checks.every(({ state }) => state === "passed"))
    return { action: "promote", reason: isComparison(plan) ? "better" : "passed", ...said };
  const waiting = reasonOfWaiting(checks);
  const since = stepSince(plan);
  if (nowMs < since + PATIENCE * (plan.untilMs - since)) return { action: "wait", reason: waiting, ...said };
  if (waiting === "waiting_for_traffic") return { action: "abort", reason: "no_traffic", ...said };
  // Nobody asked for proof that it is no worse: that neither is better is an answer, too.
  if (isComparison(plan)) return { action: "end", reason: "no_winner", ...said };
  return { action: "abort", reason: "no_verdict", ...said };
}

/** A share that stays at least so long, and moves by so much at least: each change is a switch of the endpoint. */
const LEAST_STEP_MS = 60_000;
const LEAST_STEP = 2;

/** The share that a bandit gives the candidate now; undefined where it keeps what it has. */
function drawnShare(plan: BanditPlan, { outcomes, nowMs }: TrialFacts): number | undefined {
  const { metric, minShare, percent, drawnAtMs = plan.sinceMs } = plan;
  if (metric === undefined || metric === "roc_auc" || outcomes === undefined) return undefined;
  if (nowMs < drawnAtMs + LEAST_STEP_MS) return undefined;
  const chance = chanceOfBetter(metric, outcomes);
  if (chance === undefined) return undefined;
  const share = Math.min(100 - minShare, Math.max(minShare, Math.round(chance * 100)));
  const isAtBound = share === minShare || share === 100 - minShare;
  return share === percent || (Math.abs(share - percent) < LEAST_STEP && !isAtBound) ? undefined : share;
}

/** A larger share needs requests, and nothing that speaks against it; the proof may come on the way. */
function mayGrow(checks: readonly TrialCheck[], { plan, record }: TrialFacts): boolean {
  const { maxErrors } = limitsOf(plan);
  const grows = (name: CheckName): boolean => checks.some((check) => check.name === name && check.state === "passed");
  return (
    grows("requests") &&
    grows("latency") &&
    grows("outputs") &&
    failureShare(record.candidate) <= failureShare(record.stable) + maxErrors
  );
}

function reasonOfFailure({ name, subject }: TrialCheck): TrialReason {
  if (name === "alerts") return subject === undefined ? "alert" : "monitors";
  return name === "errors" || name === "requests" ? "failures" : name;
}

function reasonOfWaiting(checks: readonly TrialCheck[]): TrialReason {
  const open = (name: CheckName): boolean => checks.some((check) => check.name === name && check.state !== "passed");
  if (open("requests") || open("errors")) return "waiting_for_traffic";
  return open("metric") && !open("latency") && !open("outputs") ? "waiting_for_labels" : "waiting_for_evidence";
}

function checkTrial(facts: TrialFacts): readonly TrialCheck[] {
  const { plan, record } = facts;
  return [
    ...checkAlerts(facts),
    checkErrors(record, plan),
    checkLatency(record, plan),
    checkOutputs(record, plan),
    ...(plan.metric === undefined ? [] : [checkMetric(plan.metric, facts)]),
    checkRequests(record, plan),
  ];
}

function checkAlerts({ plan, alarmed, broken = [] }: TrialFacts): readonly TrialCheck[] {
  if (!plan.rollbackOnAlert) return [];
  const isBroken = broken.length > 0;
  const subject = isBroken ? broken.join(", ") : undefined;
  return [{ name: "alerts", state: alarmed || isBroken ? "failed" : "passed", subject }];
}

function checkRequests({ candidate }: TrialRecord, plan: TrialPlan): TrialCheck {
  const { minRequests } = limitsOf(plan);
  const count = candidate.requests - (plan.kind === "canary" ? (plan.stepRequests ?? 0) : 0);
  return { name: "requests", state: count >= minRequests ? "passed" : "open", value: count, limit: minRequests, count };
}

/** The candidate's failures beside the stable version's: the difference of two shares, each with its limits. */
function checkErrors({ stable, candidate }: TrialRecord, plan: TrialRules): TrialCheck {
  const { maxErrors } = limitsOf(plan);
  const counts = {
    candidate: { hits: failuresOf(candidate), trials: candidate.requests },
    stable: { hits: failuresOf(stable), trials: stable.requests },
  };
  const found: Limits = shareLimits(counts.candidate, FALSE_PROMOTION / 2, SMALL_SHARE);
  const beside: Limits = shareLimits(counts.stable, FALSE_PROMOTION / 2, SMALL_SHARE);
  const [low, high] = [found.low - beside.high, found.high - beside.low];
  const isWorse = excessEvidence(counts.candidate, counts.stable, maxErrors) > Math.log(1 / FALSE_ABORT);
  return {
    name: "errors",
    state: isWorse ? "failed" : high <= maxErrors ? "passed" : "open",
    value: candidate.requests === 0 ? undefined : failureShare(candidate) - failureShare(stable),
    low,
    high,
    limit: maxErrors,
    count: candidate.requests,
    needed: requestsNeeded(maxErrors),
  };
}

/** Differences below this are no worse, whatever their ratio. */
const UNFELT_MS = 10;
/** Answers without which the stable version has no 99th percentile to speak of. */
const FEWEST_ANSWERS = 20;

/** The limit of the 99th percentile in ms; undefined while the stable version's is unknown. */
function latencyLimit({ stable }: TrialRecord, plan: TrialRules): number | undefined {
  const { maxP99Ratio } = limitsOf(plan);
  if (maxP99Ratio === undefined) return plan.maxP99Ms;
  const beside = durationQuantile(stable, 0.99);
  if (beside === undefined || slowerThan(stable, 0).trials < FEWEST_ANSWERS) return undefined;
  return Math.max(beside * maxP99Ratio, beside + UNFELT_MS);
}

/** Slow answers: one in a hundred may lie beyond the limit of the 99th percentile, and two are too many. */
function checkLatency(record: TrialRecord, plan: TrialPlan): TrialCheck {
  const { candidate } = record;
  const limit = latencyLimit(record, plan);
  const p99Ms = durationQuantile(candidate, 0.99);
  const facts = { name: "latency", value: p99Ms, limit, count: slowerThan(candidate, 0).trials } as const;
  const late = (share: number, limitMs: number | undefined): boolean =>
    limitMs !== undefined && shareLimits(slowerThan(candidate, limitMs), FALSE_ABORT).low > 2 * share;
  if (late(0.01, limit) || late(0.05, plan.maxP95Ms)) return { ...facts, state: "failed" };
  if (p99Ms === undefined || (limit === undefined && !isAlone(plan))) return { ...facts, state: "open" };
  const isQuick =
    p99Ms <= (limit ?? Infinity) && (durationQuantile(candidate, 0.95) ?? Infinity) <= (plan.maxP95Ms ?? Infinity);
  return { ...facts, state: isQuick ? "passed" : "open" };
}

/** Nobody else answers, so there is nothing to compare with. */
function isAlone(plan: TrialPlan): boolean {
  return plan.kind === "canary" && plan.percent === 100 && plan.steps === undefined;
}

function checkOutputs(record: TrialRecord, plan: TrialPlan): TrialCheck {
  const { maxShift } = limitsOf(plan);
  const found = outputShift(record, FALSE_ABORT);
  const facts = { name: "outputs", limit: maxShift } as const;
  if (found === undefined) return { ...facts, state: isAlone(plan) || maxShift >= 1 ? "passed" : "open" };
  const { shift, least } = found;
  const state = least > maxShift ? "failed" : shift <= maxShift ? "passed" : "open";
  return { ...facts, state, value: shift, low: least };
}

/** Labelled rows below which an estimate is not yet normal. */
const FEWEST_ROWS = 100;

/** The metric of both arms: the difference is positive where the candidate is better. */
function checkMetric(metric: TrialMetric, { plan, outcomes }: TrialFacts): TrialCheck {
  const { maxLoss, minGain } = limitsOf(plan);
  const limit = isComparison(plan) ? minGain : -maxLoss;
  const [ours, theirs] = [outcomes?.candidate, outcomes?.stable].map((rows) =>
    rows === undefined ? undefined : estimateMetric(metric, rows),
  );
  const known = { stable: theirs, candidate: ours };
  const facts = {
    name: "metric",
    subject: metric,
    limit,
    count: ours?.n ?? 0,
    needed: rowsNeeded(metric, isComparison(plan) ? Math.max(minGain, FOUND_GAIN) : maxLoss, known),
    arms: { ...armMetric("stable", theirs), ...armMetric("candidate", ours) },
  } as const;
  if (ours === undefined || theirs === undefined || outcomes === undefined) return { ...facts, state: "open" };
  const gain = plan.kind === "bandit" ? gainOfDrawn(metric, outcomes) : gainOf(metric, { ours, theirs });
  if (gain === undefined) return { ...facts, state: "open" };
  const { value, error, n } = gain;
  if (Math.min(ours.n, theirs.n) < FEWEST_ROWS) return { ...facts, state: "open", value };
  const [low, high] = [value - meanBand(error, n, FALSE_PROMOTION), value + meanBand(error, n, FALSE_ABORT)];
  const state = high < 0 ? "failed" : low > limit ? "passed" : "open";
  return { ...facts, state, value, low, high };
}

/** A difference that is worth finding where none is named, for the sample size that is said beforehand. */
export const FOUND_GAIN = 0.02;

function armMetric(arm: "stable" | "candidate", found: Estimate | undefined): NonNullable<TrialCheck["arms"]> {
  return found === undefined ? {} : { [arm]: { value: found.value, rows: found.n } };
}

/** How much better the candidate is, with its standard error and the sample size that goes with it. */
interface Gain {
  readonly value: number;
  readonly error: number;
  readonly n: number;
}

function gainOf(metric: TrialMetric, { ours, theirs }: { readonly ours: Estimate; readonly theirs: Estimate }): Gain {
  return {
    value: isError(metric) ? theirs.value - ours.value : ours.value - theirs.value,
    error: Math.sqrt(ours.deviation ** 2 / ours.n + theirs.deviation ** 2 / theirs.n),
    n: 2 / (1 / ours.n + 1 / theirs.n),
  };
}

function gainOfDrawn(metric: TrialMetric, outcomes: NonNullable<TrialFacts["outcomes"]>): Gain | undefined {
  const found = metric === "roc_auc" ? undefined : estimateGain(metric, outcomes);
  if (found === undefined) return undefined;
  return { value: found.value, error: found.deviation / Math.sqrt(found.n), n: found.n };
}
