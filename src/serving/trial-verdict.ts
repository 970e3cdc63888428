import type { EndpointStrategy, TrialFigures } from "#metadata-store/serving";
import { DEFAULT_MIN_REQUESTS } from "./strategy.ts";
import { durationQuantile, failureShare, failuresOf } from "./trial-figures.ts";

export const TRIAL_REASONS = [
  "failures",
  "alert",
  "rules",
  "failure_share",
  "latency",
  "no_traffic",
  "passed",
  "rehearsed",
  "watching",
  "waiting_for_traffic",
] as const;
export type TrialReason = (typeof TRIAL_REASONS)[number];

/** What is to become of a trial, and why. */
export interface TrialVerdict {
  readonly action: "promote" | "abort" | "end" | "wait";
  readonly reason: TrialReason;
  /** Requests that the candidate was asked, and of them those it could not answer. */
  readonly requests: number;
  readonly failures: number;
  readonly minRequests: number;
  /** Share of the stable version's requests that it could not answer, 0–1. */
  readonly stableShare: number;
  readonly p95Ms?: number | undefined;
  readonly maxP95Ms?: number | undefined;
  /** What the rules of the environment say against it. */
  readonly problem?: string | undefined;
}

/** Failures among the first requests that end a trial at once. */
const FEW_REQUESTS = 20;
const FEW_FAILURES = 3;
/**
 * By how much the candidate's share of failures may exceed the stable version's: what one unlucky request in a hundred
 * makes.
 */
const TOLERATED_SHARE = 0.01;
/** A trial without enough requests waits for them this many times as long as it was to be watched. */
const PATIENCE = 10;

/**
 * Judges a trial by the candidate's own figures. It leaves at once with 3 failures when they are among its first 20
 * requests or exceed the stable version's share of failures by more than a point, and when an alert opened. It takes
 * over when its time is over, it had enough requests, and neither failures nor latency speak against it; without enough
 * requests it stays, and leaves after ten times the time.
 */
export function judgeTrial(trial: {
  readonly strategy: Exclude<EndpointStrategy, { kind: "direct" }>;
  readonly figures: TrialFigures;
  readonly alarmed: boolean;
  readonly nowMs: number;
}): TrialVerdict {
  const { strategy, figures, nowMs } = trial;
  const { candidate } = figures;
  const failures = failuresOf(candidate);
  const minRequests = strategy.minRequests ?? DEFAULT_MIN_REQUESTS;
  const p95Ms = durationQuantile(candidate, 0.95);
  const stableShare = failureShare(figures.stable);
  const facts = {
    requests: candidate.requests,
    failures,
    minRequests,
    stableShare,
    p95Ms,
    maxP95Ms: strategy.maxP95Ms,
  };
  const fails = failureShare(candidate) > stableShare + TOLERATED_SHARE;
  if (trial.alarmed) return { action: "abort", reason: "alert", ...facts };
  if (failures >= FEW_FAILURES && (candidate.requests <= FEW_REQUESTS || fails))
    return { action: "abort", reason: "failures", ...facts };
  if (nowMs < strategy.untilMs) return { action: "wait", reason: "watching", ...facts };
  // A shadow was a rehearsal: it never takes over.
  if (strategy.kind === "shadow") return { action: "end", reason: "rehearsed", ...facts };
  if (candidate.requests < minRequests) {
    const isOver = nowMs >= strategy.sinceMs + PATIENCE * (strategy.untilMs - strategy.sinceMs);
    return isOver
      ? { action: "abort", reason: "no_traffic", ...facts }
      : { action: "wait", reason: "waiting_for_traffic", ...facts };
  }
  if (fails) return { action: "abort", reason: "failure_share", ...facts };
  if (strategy.maxP95Ms !== undefined && (p95Ms ?? Infinity) > strategy.maxP95Ms)
    return { action: "abort", reason: "latency", ...facts };
  return { action: "promote", reason: "passed", ...facts };
}

/** A verdict as a sentence, for logs, the command line and programs. */
export function explainVerdict({
  reason,
  requests,
  failures,
  minRequests,
  stableShare,
  p95Ms,
  maxP95Ms,
  problem,
}: TrialVerdict): string {
  const failed = `${failures} of the candidate's ${requests} requests failed`;
  switch (reason) {
    case "alert":
      return `an alert opened on the endpoint; ${failed}`;
    case "rules":
      return `the environment does not let it take over: ${problem ?? "its rules were raised"}`;
    case "failures":
      return `${failed}, of the stable version's ${percent(stableShare)}`;
    case "failure_share":
      return `${failed}, more than the stable version's ${percent(stableShare)}`;
    case "latency":
      return `the candidate's 95th percentile is ${milliseconds(p95Ms)}, more than ${milliseconds(maxP95Ms)}`;
    case "no_traffic":
      return `not enough traffic: the candidate had ${requests} of the ${minRequests} requests it needs, in ten times the time it was to be watched`;
    case "waiting_for_traffic":
      return `its time is over, but it had ${requests} of the ${minRequests} requests it needs: it waits for more`;
    case "watching":
      return `it is being watched; ${failed}`;
    case "rehearsed":
      return `the rehearsal is over; ${failed}`;
    case "passed":
      return `it was watched long enough; ${failed}`;
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} percent`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? "unknown" : `${value.toFixed(1)} ms`;
}
