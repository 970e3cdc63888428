import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { estimateMetric } from "../../../src/delivery/rollout/outcome-metric.ts";
import {
  distributionBand,
  excessEvidence,
  logGamma,
  meanBand,
  shareLimits,
} from "../../../src/delivery/rollout/sequential.ts";
import { seededRandom } from "./simulated-trial.ts";

function assertNear(found: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(found - expected) <= tolerance, `${found}, expected ${expected}`);
}

describe("the logarithm of the gamma function", () => {
  // Abramowitz and Stegun, table 6.1: Γ(1/2) = √π, Γ(5) = 24; ln Γ(100) = 359.1342053695754.
  it("is what tables say", () => {
    assertNear(logGamma(0.5), Math.log(Math.sqrt(Math.PI)), 1e-12);
    assertNear(logGamma(5), Math.log(24), 1e-12);
    assertNear(logGamma(100), 359.1342053695754, 1e-9);
  });
});

describe("limits of a share", () => {
  it("hold what was seen, are everything before, and grow tighter", () => {
    assert.deepEqual(shareLimits({ hits: 0, trials: 0 }, 0.05), { low: 0, high: 1 });
    const few = shareLimits({ hits: 3, trials: 30 }, 0.05);
    const many = shareLimits({ hits: 300, trials: 3000 }, 0.05);
    for (const { low, high } of [few, many]) assert.ok(low < 0.1 && high > 0.1);
    assert.ok(many.high - many.low < (few.high - few.low) / 4);
    assert.equal(shareLimits({ hits: 0, trials: 50 }, 0.05).low, 0);
    assert.equal(shareLimits({ hits: 50, trials: 50 }, 0.05).high, 1);
  });

  it("miss the truth in at most one of twenty sequences that are looked at after every request", () => {
    const random = seededRandom(7);
    let missed = 0;
    for (let sequence = 0; sequence < 300; sequence++) {
      let hits = 0;
      for (let trials = 1; trials <= 400; trials++) {
        if (random() < 0.1) hits++;
        const { low, high } = shareLimits({ hits, trials }, 0.05);
        if (low <= 0.1 && high >= 0.1) continue;
        missed++;
        break;
      }
    }
    assert.ok(missed / 300 <= 0.05, `${missed} of 300`);
  });
});

describe("evidence of an excess", () => {
  it("is strong after six failures beside six answers, and none where the second share is as large", () => {
    assert.ok(excessEvidence({ hits: 6, trials: 6 }, { hits: 0, trials: 6 }, 0.01) > Math.log(100));
    assert.ok(excessEvidence({ hits: 6, trials: 6 }, { hits: 6, trials: 6 }, 0.01) < 0);
    assert.equal(excessEvidence({ hits: 0, trials: 0 }, { hits: 0, trials: 9 }, 0.01), 0);
  });
});

describe("bands", () => {
  // 0.85 √((ln ln(1000 e) + 0.8 ln(1612 / 0.05)) / 1000), by hand.
  it("of distribution functions are those of Howard and Ramdas", () =>
    assertNear(distributionBand(1000, 0.05), 0.0867, 1e-3));

  it("of means are wider than those of one look, and shrink", () => {
    const at = (n: number): number => meanBand(1 / Math.sqrt(n), n, 0.05) * Math.sqrt(n);
    assert.ok(at(2000) > 1.96 && at(2000) < 3.5);
    assert.ok(meanBand(1 / Math.sqrt(8000), 8000, 0.05) < meanBand(1 / Math.sqrt(2000), 2000, 0.05));
  });
});

describe("a metric", () => {
  it("of ranks is what scikit-learn says, ties counting half", () => {
    // roc_auc_score([0, 0, 1, 1, 0, 1], [0.1, 0.4, 0.4, 0.8, 0.2, 0.15]) = 0.7222222222222222
    const found = estimateMetric("roc_auc", {
      predictions: [0.1, 0.4, 0.4, 0.8, 0.2, 0.15],
      labels: [0, 0, 1, 1, 0, 1],
    });
    assertNear(found?.value ?? NaN, 0.7222222222222222, 1e-12);
    assert.equal(found?.n, 6);
  });

  it("of one class, of no rows or of rows without an answer is unknown", () => {
    assert.equal(estimateMetric("roc_auc", { predictions: [0.1, 0.2], labels: [1, 1] }), undefined);
    assert.equal(estimateMetric("mae", { predictions: [], labels: [] }), undefined);
    assert.equal(estimateMetric("mae", { predictions: [NaN, NaN, 1], labels: [1, 1, 1] }), undefined);
  });
});
