import { isComparison, limitsOf, type TrialPlan } from "./trial-plan.ts";
import { requestsNeeded, rowsNeeded } from "./sample-size.ts";
import type { TrialMetric } from "./outcome-metric.ts";
import { FOUND_GAIN, type TrialCheck, type TrialReason, type TrialVerdict } from "./verdict.ts";

/** A verdict as a sentence, for logs, the command line and programs. */
export function explainVerdict(verdict: TrialVerdict): string {
  return SENTENCES[verdict.reason](verdict);
}

const SENTENCES: Readonly<Record<TrialReason, (verdict: TrialVerdict) => string>> = {
  alert: explainAlert,
  monitors: explainAlert,
  failures: explainFailures,
  failure_share: explainFailures,
  latency: explainLatency,
  outputs: explainOutputs,
  metric: explainMetric,
  no_traffic: (verdict) =>
    `not enough traffic in ten times the time it was to be watched: the candidate had ${ofNeeded(verdict)}`,
  no_verdict: (verdict) => `no verdict in ten times the time it was to be watched: ${openOf(verdict)}`,
  waiting_for_traffic: (verdict) => `its time is over, but it had ${ofNeeded(verdict)}: it waits for more`,
  waiting_for_labels: explainLabels,
  waiting_for_evidence: (verdict) => `its time is over, but it is not shown yet: ${openOf(verdict)}`,
  not_approved: ({ note }) => `it has passed, but the environment's rules keep it: ${note ?? "no approval"}`,
  rules: ({ note }) => `the environment does not let it take over: ${note ?? "its rules were raised"}`,
  by_hand: (verdict) => `ended by ${verdict.note ?? "a person"}; ${failed(verdict)}`,
  watching: (verdict) => `it is being watched; ${failed(verdict)}`,
  next_share: (verdict) => `it may have a larger share; ${failed(verdict)}`,
  rehearsed: (verdict) => `the rehearsal is over; ${failed(verdict)}`,
  passed: (verdict) => `every check passed; ${failed(verdict)}`,
  better: explainBetter,
  no_winner: (verdict) => `neither version was shown to be better in ten times the time; ${failed(verdict)}`,
  new_share: ({ percent: share, ...verdict }) => `the labels give it ${share} percent from now on; ${failed(verdict)}`,
};

function failed({ failures, requests }: TrialVerdict): string {
  return `${failures} of the candidate's ${requests} requests failed`;
}

function checkOf({ checks }: TrialVerdict, name: TrialCheck["name"]): TrialCheck | undefined {
  return checks?.find((one) => one.name === name);
}

function explainAlert(verdict: TrialVerdict): string {
  const subject = checkOf(verdict, "alerts")?.subject;
  return subject === undefined
    ? `an alert opened on the endpoint; ${failed(verdict)}`
    : `the candidate's own rows break the monitor ${subject}; ${failed(verdict)}`;
}

function explainFailures(verdict: TrialVerdict): string {
  return `${failed(verdict)}, of the stable version's ${percent(verdict.stableShare)}`;
}

function explainLatency(verdict: TrialVerdict): string {
  const { value, limit } = checkOf(verdict, "latency") ?? {};
  const found = `its 99th percentile is ${milliseconds(value)} (limit ${milliseconds(limit)})`;
  return `the candidate is slow: ${found}, its 95th ${milliseconds(verdict.p95Ms)} (limit ${milliseconds(verdict.maxP95Ms)})`;
}

function explainOutputs(verdict: TrialVerdict): string {
  const { value = NaN, limit = NaN } = checkOf(verdict, "outputs") ?? {};
  return `the candidate's answers lie ${percent(value)} from the stable version's, more than ${percent(limit)}`;
}

function explainMetric(verdict: TrialVerdict): string {
  const { value = NaN, subject = "metric", count = 0 } = checkOf(verdict, "metric") ?? {};
  return `the candidate's ${subject} is worse by ${(-value).toPrecision(3)}, which ${count} labelled rows show`;
}

function explainBetter(verdict: TrialVerdict): string {
  const { value = NaN, low = NaN, subject = "metric", count = 0 } = checkOf(verdict, "metric") ?? {};
  return `the candidate's ${subject} is better by ${value.toPrecision(3)}, at least ${low.toPrecision(3)}, which ${count} labelled rows show`;
}

function explainLabels(verdict: TrialVerdict): string {
  const { count = 0, subject = "metric", needed } = checkOf(verdict, "metric") ?? {};
  const about = needed === undefined ? "more are needed" : `about ${needed} would`;
  return `its time is over, but ${count} labelled rows do not show its ${subject}: ${about}`;
}

function ofNeeded({ requests, minRequests, checks }: TrialVerdict): string {
  const needed = checks?.find(({ name }) => name === "errors")?.needed;
  const about =
    needed === undefined || needed <= minRequests ? "" : ` (about ${needed} show that it fails no more often)`;
  return `${requests} requests, of ${minRequests} it needs${about}`;
}

function openOf({ checks = [] }: TrialVerdict): string {
  const open = checks.filter(({ state }) => state === "open").map(({ name, subject }) => subject ?? name);
  return open.length === 0 ? "nothing speaks against it" : open.join(", ");
}

/** What a trial needs, before it begins: requests and labelled rows. */
export function explainPlan(plan: TrialPlan): readonly string[] {
  const { minRequests, maxErrors, maxLoss, minGain } = limitsOf(plan);
  if (plan.kind === "shadow")
    return ["a shadow answers nobody: it takes over by hand only, with esteira rollout promote"];
  const requests = Math.max(minRequests, requestsNeeded(maxErrors) ?? minRequests);
  const lines = [
    `it needs about ${requests} requests without a failure until it may take over: they show that it fails no more than ${percent(maxErrors)} more often`,
  ];
  if (plan.metric === undefined) return lines;
  if (isComparison(plan)) return [...lines, ...explainComparison(plan.metric, Math.max(minGain, FOUND_GAIN))];
  const rows = rowsNeeded(plan.metric, maxLoss, {});
  return [
    ...lines,
    rows === undefined
      ? `how many labelled rows show a loss of ${maxLoss} of ${plan.metric} is known when the first have come`
      : `it needs about ${rows} labelled rows of each version: they show a loss of ${maxLoss} of ${plan.metric} four times in five`,
  ];
}

function explainComparison(metric: TrialMetric, gain: number): readonly string[] {
  const rows = rowsNeeded(metric, gain, {});
  return [
    rows === undefined
      ? `how many labelled rows show a difference in ${metric} is known when the first have come`
      : `about ${rows} labelled rows of each version show a difference of ${gain} in ${metric} four times in five`,
    "it takes over when it is shown to be better; without a winner the trial ends after ten times its watch",
  ];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} percent`;
}

function milliseconds(value: number | undefined): string {
  return value === undefined ? "none" : `${value.toFixed(1)} ms`;
}
