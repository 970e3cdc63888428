import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isEsteiraError } from "#base";
import { addObservation, type TrialRecord } from "../../../src/delivery/rollout/arm-record.ts";
import { explainPlan } from "../../../src/delivery/rollout/explain-verdict.ts";
import { rowsNeeded } from "../../../src/delivery/rollout/sample-size.ts";
import { atShare, parseStrategy, type CanaryPlan } from "../../../src/delivery/rollout/trial-plan.ts";
import { moveTrial } from "../../../src/delivery/rollout/trial-state.ts";
import { judgeTrial } from "../../../src/delivery/rollout/verdict.ts";
import { simulateTrial, simulateTrials } from "./simulated-trial.ts";

const HALF = { canary: "50%", max_errors: "2%" };
const NONE: TrialRecord = {
  stable: { requests: 0, rows: 0, failures: {}, durations: {} },
  candidate: { requests: 0, rows: 0, failures: {}, durations: {} },
};

function canary(strategy: object): CanaryPlan {
  const plan = parseStrategy(strategy, 0);
  assert.equal(plan?.kind, "canary");
  return plan as CanaryPlan;
}

describe("a candidate", () => {
  it("as good as the stable version takes over, and is hardly ever taken back", () => {
    const { promoted, aborted } = simulateTrials({ strategy: HALF, requests: 6000 }, 60);
    assert.ok(promoted >= 0.95, `${promoted}`);
    assert.ok(aborted <= 0.05, `${aborted}`);
  });

  it("that fails is out within ten of its requests, at a tenth, a half and along growing shares", () => {
    for (const share of ["10%", "50%", ["1%", "10%", "50%"]]) {
      const { aborted, mostRequests, reasons } = simulateTrials(
        { strategy: { canary: share }, candidate: { failing: 1 }, requests: 5000 },
        40,
      );
      assert.deepEqual([aborted, Object.keys(reasons)], [1, ["failures"]]);
      assert.ok(mostRequests <= 10, `${mostRequests}`);
    }
  });

  it("that fails more often than the limit allows does not take over", () => {
    const { promoted } = simulateTrials({ strategy: HALF, candidate: { failing: 0.04 }, requests: 6000 }, 60);
    assert.ok(promoted <= 0.05, `${promoted}`);
  });

  it("that is slow, or answers something else, is taken back for it", () => {
    const slow = simulateTrials({ strategy: HALF, candidate: { medianMs: 60 }, requests: 4000 }, 10);
    assert.deepEqual([slow.aborted, Object.keys(slow.reasons)], [1, ["latency"]]);
    const biased = simulateTrials({ strategy: HALF, candidate: { bias: 0.3 }, requests: 6000 }, 10);
    assert.deepEqual([biased.aborted, Object.keys(biased.reasons)], [1, ["outputs"]]);
  });

  it("without traffic, or without labels for its metric, stays and never takes over", () => {
    const { verdict } = simulateTrial({ strategy: HALF, requests: 0, seed: 1 });
    assert.deepEqual([verdict.action, verdict.reason], ["wait", "waiting_for_traffic"]);
    const unlabelled = simulateTrial({ strategy: { ...HALF, metric: "roc_auc" }, requests: 8000, seed: 1, look: 500 });
    assert.deepEqual([unlabelled.verdict.action, unlabelled.verdict.reason], ["wait", "waiting_for_labels"]);
  });

  it("whose labels come late is judged by them when they come", () => {
    const facts = { strategy: { ...HALF, metric: "roc_auc", max_loss: 0.05 }, requests: 16_000, look: 1000 };
    const equal = simulateTrials({ ...facts, labelledAfter: 500 }, 8);
    assert.ok(equal.promoted >= 7 / 8, JSON.stringify(equal));
    const worse = simulateTrials({ ...facts, labelledAfter: 500, candidate: { area: 0.67 } }, 8);
    assert.deepEqual([worse.promoted, worse.reasons["metric"]], [0, 8]);
  });

  it("that loses what the plan allows is found by the sample size that is printed before", () => {
    const needed = rowsNeeded("roc_auc", 0.05, {}) ?? Infinity;
    assert.match(
      explainPlan(canary({ ...HALF, metric: "roc_auc", max_loss: 0.05 })).join("\n"),
      new RegExp(`about ${needed} labelled rows of each version`),
    );
    const { aborted } = simulateTrials(
      {
        strategy: { ...HALF, metric: "roc_auc", max_loss: 0.05 },
        candidate: { area: 0.7 },
        requests: 2 * needed,
        labelledAfter: 0,
        look: 1000,
      },
      15,
    );
    assert.ok(aborted >= 0.8, `${aborted}`);
  });
});

describe("a trial without a verdict", () => {
  it("leaves after ten times its time, and says what it lacked", () => {
    const plan = canary({ canary: "10%", watch: "10m" });
    const judged = (minutes: number): string[] => {
      const { action, reason } = judgeTrial({ plan, record: NONE, alarmed: false, nowMs: minutes * 60_000 });
      return [action, reason];
    };
    assert.deepEqual(judged(5), ["wait", "watching"]);
    assert.deepEqual(judged(11), ["wait", "waiting_for_traffic"]);
    assert.deepEqual(judged(101), ["abort", "no_traffic"]);
  });
});

describe("versions that are compared", () => {
  const AB = { ab: "50%", max_errors: "2%", metric: "reward" };
  const facts = { strategy: AB, requests: 12_000, look: 1000, labelledAfter: 0 };

  it("end with the better one: a candidate takes over only when it is better, and goes when it is worse", () => {
    const better = simulateTrials({ ...facts, candidate: { labelShare: 0.36 } }, 10);
    assert.ok(better.promoted >= 0.9, JSON.stringify(better));
    assert.ok(Object.keys(better.reasons).includes("better"));
    const worse = simulateTrials({ ...facts, candidate: { labelShare: 0.22 } }, 10);
    assert.deepEqual([worse.promoted, worse.reasons["metric"]], [0, 10]);
  });

  it("have no winner when they are alike, which ends the trial after ten times its time", () => {
    const { promoted, aborted } = simulateTrials({ ...facts, requests: 4000 }, 20);
    assert.ok(promoted <= 0.05 && aborted <= 0.05, `${promoted} ${aborted}`);
    const plan = parseStrategy({ ...AB, watch: "10m" }, 0);
    assert.ok(plan !== undefined);
    let record = NONE;
    for (let request = 0; request < 1000; request++)
      for (const arm of ["stable", "candidate"] as const)
        record = addObservation(record, { arm, rows: 1, durationMs: 1, outputs: { 3: 1 } });
    const judged = judgeTrial({ plan, record, alarmed: false, nowMs: 101 * 60_000 });
    assert.deepEqual([judged.action, judged.reason], ["end", "no_winner"]);
  });

  it("get their share from the labels where a bandit draws it, and the verdict weighs each row by its chance", () => {
    const bandit = {
      strategy: { bandit: "thompson", metric: "reward", max_errors: "2%" },
      look: 250,
      labelledAfter: 0,
    };
    const worse = simulateTrial({ ...bandit, candidate: { labelShare: 0.2 }, requests: 1000, seed: 3 });
    const better = simulateTrial({ ...bandit, candidate: { labelShare: 0.4 }, requests: 1000, seed: 3 });
    assert.ok(better.percent > 60 && worse.percent < 40, `${better.percent} ${worse.percent}`);
    const found = simulateTrials({ ...bandit, candidate: { labelShare: 0.4 }, requests: 8000 }, 10);
    assert.ok(found.promoted >= 0.9, JSON.stringify(found));
    const equal = simulateTrials({ ...bandit, requests: 4000 }, 20);
    assert.ok(equal.promoted <= 0.1 && equal.aborted <= 0.05, JSON.stringify(equal));
  });

  it("are refused without a metric, and where a key belongs to another kind", () => {
    for (const strategy of [
      { ab: "50%" },
      { bandit: "thompson" },
      { bandit: "thompson", metric: "roc_auc" },
      { bandit: "greedy", metric: "reward" },
      { ab: "50%", canary: "5%", metric: "reward" },
      { ab: "50%", metric: "reward", max_loss: 0.1 },
      { ab: "50%", metric: "reward", min_share: "5%" },
      { canary: "5%", min_gain: 0.1 },
      { bandit: "thompson", metric: "reward", min_share: "60%" },
      { shadow: true, header: "x-arm" },
      { canary: "5%", header: "x arm" },
    ])
      assert.throws(
        () => parseStrategy(strategy, 0),
        (error) => isEsteiraError(error, "DELIVERY_STRATEGY_INVALID"),
        JSON.stringify(strategy),
      );
  });
});

describe("growing shares", () => {
  it("follow one another when each has had its time and its requests", () => {
    let plan = canary({ canary: ["1%", "10%", "50%"], watch: "1m", min_requests: 3 });
    let record = NONE;
    const answer = (arm: "stable" | "candidate"): void => {
      record = addObservation(record, { arm, rows: 1, durationMs: 1, outputs: { 3: 1 } });
    };
    for (let request = 0; request < 40; request++) answer("stable");
    for (let request = 0; request < 3; request++) answer("candidate");
    const judge = (nowMs: number): string => judgeTrial({ plan, record, alarmed: false, nowMs }).action;
    assert.equal(judge(59_000), "wait");
    assert.equal(judge(61_000), "advance");
    plan = atShare(plan, { percent: 10, requests: 3, nowMs: 61_000 });
    assert.equal(plan.untilMs, 121_000);
    assert.equal(judge(130_000), "wait");
    for (let request = 0; request < 3; request++) answer("candidate");
    assert.equal(judge(130_000), "advance");
  });

  it("are refused when they do not grow", () => {
    for (const strategy of [{ canary: ["10%", "1%"] }, { canary: [] }, { canary: ["10%", "10%"] }, { max_loss: 1 }])
      assert.throws(
        () => parseStrategy(strategy, 0),
        (error) => isEsteiraError(error, "DELIVERY_STRATEGY_INVALID"),
      );
  });
});

describe("a trial's moves", () => {
  it("are those of its states: what has ended moves no more, and no share follows the last", () => {
    const plan = canary({ canary: "10%" });
    assert.equal(moveTrial({ state: "watching", plan }, "promote"), "promoted");
    for (const [state, move] of [
      ["promoted", "abort"],
      ["aborted", "promote"],
      ["watching", "advance"],
    ] as const)
      assert.throws(
        () => moveTrial({ state, plan }, move),
        (error) => isEsteiraError(error, "DELIVERY_ROLLOUT_MOVE_INVALID"),
      );
  });
});
