import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { evaluate } from "#models";
import { learnCalibration } from "../../src/monitoring/statistics/calibration.ts";
import { chunkRanges, spreadOf } from "../../src/monitoring/statistics/chunks.ts";
import { calibrateClasses, estimateClasses } from "../../src/monitoring/statistics/estimated-classes.ts";
import { learnLoss } from "../../src/monitoring/statistics/estimated-loss.ts";
import { fitTrees } from "../../src/monitoring/statistics/gradient-boosting.ts";
import { learnSamplingErrors } from "../../src/monitoring/statistics/sampling-error.ts";
import { seededRandom } from "../../src/monitoring/statistics/seeded-random.ts";

function near(found: number | undefined, expected: number, label: string = ""): void {
  assert.ok(Math.abs((found ?? NaN) - expected) <= 1e-9 * Math.abs(expected), `${label} ${found} against ${expected}`);
}

const gauss = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

describe("what chance makes of a metric", () => {
  it("is what NannyML 0.13.1 says of a binary classifier", () => {
    const errors = learnSamplingErrors(
      {
        labels: [0, 0, 1, 0, 1, 1, 0, 1, 0, 0],
        predictions: [0.1, 0.3, 0.35, 0.4, 0.6, 0.8, 0.7, 0.9, 0.2, 0.50001],
      },
      "binary_classification",
    );
    const expected = {
      roc_auc: 0.03227486121839514,
      accuracy: 0.045825756949558406,
      precision: 0.06928203230275509,
      recall: 0.06846531968814576,
      f1: 0.08606629658238704,
    };
    for (const [metric, value] of Object.entries(expected)) near((errors.get(metric) ?? NaN) / 10, value, metric);
  });

  it("covers the truth of a regression about as often as three standard errors should", () => {
    const random = seededRandom(9);
    const labels = Float64Array.from({ length: 20_000 }, () => gauss(random));
    const predictions = new Float64Array(20_000);
    const errors = learnSamplingErrors({ labels, predictions }, "regression");
    const truth = { mae: Math.sqrt(2 / Math.PI), rmse: 1 };
    for (const metric of ["mae", "rmse"] as const) {
      let outside = 0;
      for (let round = 0; round < 300; round++) {
        const sample = { labels: Array.from({ length: 100 }, () => gauss(random)), predictions: new Float64Array(100) };
        const band = (3 * (errors.get(metric) ?? NaN)) / 10;
        if (Math.abs(evaluate(metric, sample, "regression") - truth[metric]) > band) outside++;
      }
      assert.ok(outside <= 4, `${metric}: ${outside} of 300 outside`);
    }
  });

  it("is nothing without labels, and of one class only what has a meaning", () => {
    assert.equal(learnSamplingErrors({ labels: [NaN], predictions: [1] }, "regression").size, 0);
    const one = learnSamplingErrors({ labels: [0, 0, 0], predictions: [0.1, 0.2, 0.9] }, "binary_classification");
    assert.equal(one.has("roc_auc"), false);
    assert.equal(one.has("recall"), false);
    assert.ok(one.has("accuracy"));
  });
});

describe("thresholds from chunks", () => {
  it("are NannyML's mean and three deviations", () => {
    const spread = spreadOf([0.7, 0.72, 0.71, 0.69, 0.73, 0.7, 0.71, 0.72, 0.7, 0.72]);
    near((spread?.mean ?? NaN) - 3 * (spread?.deviation ?? NaN), 0.6745035213014022);
    near((spread?.mean ?? NaN) + 3 * (spread?.deviation ?? NaN), 0.7454964786985977);
  });

  it("are of ten chunks, with the rest as one more", () => {
    assert.deepEqual(chunkRanges(25).at(-1), [20, 25]);
    assert.equal(chunkRanges(20).length, 10);
    assert.deepEqual(chunkRanges(9), []);
    assert.equal(spreadOf([1]), undefined);
  });
});

describe("boosted trees", () => {
  it("learn a step, an interaction, and to live with missing values", async () => {
    const random = seededRandom(4);
    const [x, y] = [0, 1].map(() => Float64Array.from({ length: 4000 }, () => (random() < 0.1 ? NaN : random() * 10)));
    const target = Float64Array.from({ length: 4000 }, (_, row) => {
      const [a = NaN, b = NaN] = [x?.[row], y?.[row]];
      return (Number.isNaN(a) ? 7 : a > 5 ? 3 : 1) * (b > 2 ? 1 : -1);
    });
    const columns = [x ?? new Float64Array(), y ?? new Float64Array()];
    const trees = await fitTrees(columns, target);
    const found = trees.predict(columns);
    const error = found.reduce((sum, value, row) => sum + Math.abs(value - (target[row] ?? 0)), 0) / found.length;
    assert.ok(error < 0.1, String(error));
  });

  it("are the mean where nothing can be split", async () => {
    const trees = await fitTrees([Float64Array.of(1, 2, 3)], Float64Array.of(2, 4, 6));
    assert.deepEqual([...trees.predict([Float64Array.of(9)])], [4]);
    const none = await fitTrees([new Float64Array(100).fill(NaN)], new Float64Array(100).fill(5));
    assert.deepEqual([...none.predict([Float64Array.of(NaN)])], [5]);
  });
});

describe("the estimated error of a regression", () => {
  /** Errors grow with x and are larger for one group. */
  function simulate(random: () => number, count: number, shift: number) {
    const x = Float64Array.from({ length: count }, () => random() * 4 + shift);
    const group = Array.from({ length: count }, () => (random() < 0.3 ? "b" : "a"));
    const predictions = x.map((value) => 2 * value);
    const labels = predictions.map(
      (value, row) => value + gauss(random) * (0.2 + 0.5 * (x[row] ?? 0)) * (group[row] === "b" ? 2 : 1),
    );
    return { x, group, predictions, labels };
  }

  it("follows the inputs into worse regions", async () => {
    const random = seededRandom(12);
    const held = simulate(random, 20_000, 0);
    const loss = await learnLoss({ inputs: [held.x, held.group], predictions: held.predictions }, held.labels);
    assert.ok(loss !== undefined);
    // Inside the range that it has seen: trees do not go beyond.
    const current = simulate(random, 20_000, 0);
    const rows = Array.from(current.x.keys()).filter((row) => (current.x[row] ?? 0) > 2.5);
    const pick = <Value>(values: ArrayLike<Value>): Value[] => rows.flatMap((row) => values[row] ?? []);
    const found = loss.estimate({
      inputs: [pick(current.x), pick(current.group)],
      predictions: Float64Array.from(pick(current.predictions)),
    });
    const sample = { labels: pick(current.labels), predictions: pick(current.predictions) };
    for (const metric of ["mae", "rmse"] as const) {
      const truth = evaluate(metric, sample, "regression");
      const before = evaluate(metric, held, "regression");
      assert.ok(Math.abs(found[metric] / truth - 1) < 0.04, `${metric}: ${found[metric]} against ${truth}`);
      assert.ok(truth > 1.2 * before);
    }
  });

  it("is not learned from a few rows", async () => {
    const few = simulate(seededRandom(1), 100, 0);
    assert.equal(await learnLoss({ inputs: [few.x], predictions: few.predictions }, few.labels), undefined);
  });
});

describe("the estimate for several classes", () => {
  const random = seededRandom(21);
  /** Classes drawn by a softmax; the model's own is sharpened. */
  function simulate(count: number, sharpness: number, shift: number) {
    const said = [0, 1, 2].map(() => new Float64Array(count));
    const [labels, predicted] = [new Float64Array(count), new Float64Array(count)];
    for (let row = 0; row < count; row++) {
      const z = [gauss(random) * 1.2 + shift, gauss(random) * 1.2, gauss(random) * 1.2 - shift];
      const softmax = (by: number): number[] => {
        const powers = z.map((value) => Math.exp(value * by));
        const sum = powers.reduce((total, value) => total + value, 0);
        return powers.map((value) => value / sum);
      };
      const truth = softmax(1);
      const drawn = random();
      labels[row] = drawn < (truth[0] ?? 0) ? 0 : drawn < (truth[0] ?? 0) + (truth[1] ?? 0) ? 1 : 2;
      predicted[row] = z.indexOf(Math.max(...z));
      for (const [index, p] of softmax(sharpness).entries()) (said[index] ?? said[0])?.fill(p, row, row + 1);
    }
    return { said, labels, predicted };
  }

  for (const [name, sharpness] of [
    ["a calibrated", 1],
    ["an overconfident", 2.5],
    ["an underconfident", 0.4],
  ] as const) {
    it(`is true within 0.015 for ${name} model on shifted inputs`, () => {
      const held = simulate(30_000, sharpness, 0);
      const calibrations = held.said.map((own, index) =>
        learnCalibration(
          own,
          held.labels.map((label) => Number(label === index)),
        ),
      );
      const current = simulate(30_000, sharpness, 0.3);
      const found = estimateClasses(calibrateClasses(current.said, calibrations), current.predicted);
      for (const metric of ["accuracy", "f1", "precision", "recall"] as const) {
        const truth = evaluate(
          metric,
          { labels: current.labels, predictions: current.predicted },
          "multiclass_classification",
        );
        assert.ok(Math.abs(found[metric] - truth) < 0.015, `${metric}: ${found[metric]} against ${truth}`);
      }
    });
  }

  it("makes rows without any probability alike", () => {
    const rows = calibrateClasses([Float64Array.of(0), Float64Array.of(0)], []);
    assert.deepEqual(
      rows.map((row) => row[0]),
      [0.5, 0.5],
    );
  });
});
