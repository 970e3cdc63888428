import { addObservation, bucketOfNumber } from "../../../src/delivery/rollout/arm-record.ts";
import type { TrialRecord } from "../../../src/delivery/rollout/arm-record.ts";
import { atShare, nextPercent, parseStrategy, type TrialPlan } from "../../../src/delivery/rollout/trial-plan.ts";
import type { Outcomes } from "../../../src/delivery/rollout/outcome-metric.ts";
import { judgeTrial, type TrialVerdict } from "../../../src/delivery/rollout/verdict.ts";

/** How one version behaves. */
export interface Behaviour {
  /** Share of its requests that fail. */
  readonly failing: number;
  /** Median of its answers' duration, ms. */
  readonly medianMs: number;
  /** Added to every probability that it answers with. */
  readonly bias: number;
  /** Area under its ROC curve. */
  readonly area: number;
  /** Share of its rows whose label is 1. */
  readonly labelShare: number;
}

export const USUAL: Behaviour = { failing: 0.01, medianMs: 5, bias: 0, area: 0.75, labelShare: 0.3 };

export interface Simulation {
  readonly strategy: object;
  readonly stable?: Partial<Behaviour>;
  readonly candidate?: Partial<Behaviour>;
  /** Requests of the endpoint. */
  readonly requests: number;
  /** Requests between two looks; default 50. */
  readonly look?: number;
  /** Requests after which a label comes; undefined: never. */
  readonly labelledAfter?: number;
  readonly seed: number;
}

export interface Simulated {
  readonly verdict: TrialVerdict;
  /** Requests of the candidate when it ended, or at the end. */
  readonly candidateRequests: number;
  readonly labelled: number;
  /** The candidate's share at the end, 0–100. */
  readonly percent: number;
}

/** Mulberry32: a small generator whose numbers depend on the seed alone. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Box and Muller 1958. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Quantile of the normal distribution by bisection of its distribution function (Abramowitz and Stegun 7.1.26). */
function normalQuantile(share: number): number {
  let [low, high] = [-8, 8];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < share) low = middle;
    else high = middle;
  }
  return low;
}

function normalShare(value: number): number {
  const t = 1 / (1 + (0.3275911 * Math.abs(value)) / Math.SQRT2);
  const tail =
    t *
    (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) *
    Math.exp((-value * value) / 2);
  return value < 0 ? tail / 2 : 1 - tail / 2;
}

const EMPTY = { requests: 0, rows: 0, failures: {}, durations: {} };
const MINUTE_MS = 60_000;

interface Arm {
  readonly behaviour: Behaviour;
  /** Distance of the two classes' scores. */
  readonly apart: number;
  readonly predictions: number[];
  readonly labels: number[];
  readonly propensities: number[];
}

/**
 * Lets simulated callers ask an endpoint under trial, a request of one row each, and judges it every so many requests
 * and after every failure of the candidate, as serving does. Times are past the watch, so that only verdicts decide.
 */
export function simulateTrial(simulation: Simulation): Simulated {
  const { requests, look = 50, seed, labelledAfter } = simulation;
  const random = seededRandom(seed);
  const parsed = parseStrategy(simulation.strategy, 0);
  if (parsed === undefined) throw new Error("a simulated trial has a strategy");
  let plan: TrialPlan = parsed;
  let record: TrialRecord = { stable: EMPTY, candidate: EMPTY };
  const arms = { stable: armOf(simulation.stable), candidate: armOf(simulation.candidate) };
  let nowMs = plan.untilMs + 1;
  const judge = (): TrialVerdict =>
    judgeTrial({
      plan,
      record,
      outcomes: plan.metric === undefined ? undefined : labelledOf(arms, labelledAfter),
      alarmed: false,
      nowMs,
    });
  let verdict = judge();
  for (let request = 1; request <= requests; request++) {
    const percent = plan.kind === "shadow" ? 0 : plan.percent;
    const isCandidate = random() * 100 < percent;
    let failed = false;
    if (isCandidate) {
      failed = random() < arms.candidate.behaviour.failing;
      record = ask(record, "candidate", arms.candidate, { failed, random, chance: percent / 100 });
    }
    // The stable version answers what the candidate could not.
    if (!isCandidate || failed)
      record = ask(record, "stable", arms.stable, {
        failed: random() < arms.stable.behaviour.failing,
        random,
        chance: isCandidate ? NaN : 1 - percent / 100,
      });
    if (request % look !== 0 && !(isCandidate && failed)) continue;
    verdict = judge();
    if (verdict.action === "advance" && plan.kind === "canary") {
      const next = nextPercent(plan) ?? plan.percent;
      plan = atShare(plan, { percent: next, requests: record.candidate.requests, nowMs });
      nowMs = plan.untilMs + MINUTE_MS / 60;
    } else if (verdict.action === "advance" && plan.kind === "bandit") {
      plan = { ...plan, percent: verdict.percent ?? plan.percent, drawnAtMs: nowMs - MINUTE_MS };
    } else if (verdict.action !== "wait") break;
  }
  const labelled = labelledOf(arms, labelledAfter).candidate.labels.length;
  const percent = plan.kind === "shadow" ? 0 : plan.percent;
  return { verdict, candidateRequests: record.candidate.requests, labelled, percent };
}

function armOf(behaviour: Partial<Behaviour> = {}): Arm {
  const whole = { ...USUAL, ...behaviour };
  return {
    behaviour: whole,
    apart: Math.SQRT2 * normalQuantile(whole.area),
    predictions: [],
    labels: [],
    propensities: [],
  };
}

function labelledOf(
  { stable, candidate }: { readonly stable: Arm; readonly candidate: Arm },
  labelledAfter: number | undefined,
): { readonly stable: Outcomes; readonly candidate: Outcomes } {
  const part = ({ predictions, labels, propensities }: Arm): Outcomes & { readonly labels: readonly number[] } => {
    const known = labelledAfter === undefined ? 0 : Math.max(0, labels.length - labelledAfter);
    return {
      predictions: predictions.slice(0, known),
      labels: labels.slice(0, known),
      propensities: propensities.slice(0, known),
    };
  };
  return { stable: part(stable), candidate: part(candidate) };
}

function ask(
  record: TrialRecord,
  arm: "stable" | "candidate",
  { behaviour, apart, predictions, labels, propensities }: Arm,
  { failed, random, chance }: { readonly failed: boolean; readonly random: () => number; readonly chance: number },
): TrialRecord {
  if (failed) return addObservation(record, { arm, rows: 1, failure: "SERVING_RUNTIME_FAILED" });
  const label = Number(random() < behaviour.labelShare);
  const score = normal(random) + label * apart;
  const probability = Math.min(1, Math.max(0, 1 / (1 + Math.exp(-(score - apart))) + behaviour.bias));
  predictions.push(probability);
  labels.push(label);
  propensities.push(chance);
  return addObservation(record, {
    arm,
    rows: 1,
    durationMs: behaviour.medianMs * Math.exp(0.4 * normal(random)),
    outputs: { [bucketOfNumber(probability, true)]: 1 },
  });
}

export interface Rates {
  readonly promoted: number;
  readonly aborted: number;
  readonly open: number;
  /** Requests of the candidate at the end, in the middle of all trials and in the slowest one. */
  readonly medianRequests: number;
  readonly mostRequests: number;
  readonly reasons: Readonly<Record<string, number>>;
}

/** Many trials of one kind, each with a seed of its own. */
export function simulateTrials(simulation: Omit<Simulation, "seed">, count: number, firstSeed = 1): Rates {
  const found = Array.from({ length: count }, (_, index) => simulateTrial({ ...simulation, seed: firstSeed + index }));
  const share = (action: TrialVerdict["action"]): number =>
    found.filter(({ verdict }) => verdict.action === action).length / count;
  const requests = found.map(({ candidateRequests }) => candidateRequests).toSorted((left, right) => left - right);
  const reasons: Record<string, number> = {};
  for (const { verdict } of found) reasons[verdict.reason] = (reasons[verdict.reason] ?? 0) + 1;
  return {
    promoted: share("promote"),
    aborted: share("abort"),
    open: 1 - share("promote") - share("abort"),
    medianRequests: requests[Math.floor(count / 2)] ?? 0,
    mostRequests: requests.at(-1) ?? 0,
    reasons,
  };
}
