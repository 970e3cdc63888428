import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { isEsteiraError } from "#base";
import { evaluate, evaluateAll, type MetricName, type ModelTask, pickRows, segmentsOf } from "#models";

interface Reference {
  readonly source: string;
  readonly cases: readonly {
    readonly task: ModelTask;
    readonly labels: number[];
    readonly predictions: number[];
    readonly expected: Record<MetricName, number>;
  }[];
}

const reference = JSON.parse(readFileSync(new URL("metrics.json", import.meta.url), "utf8")) as Reference;

describe("evaluation", () => {
  for (const [number, sample] of reference.cases.entries()) {
    it(`agrees with ${reference.source} to 1e-12 (case ${number + 1}, ${sample.task})`, () => {
      for (const [metric, expected] of Object.entries(sample.expected)) {
        const found = evaluate(metric as MetricName, sample, sample.task);
        assert.ok(Math.abs(found - expected) < 1e-12, `${metric}: ${found}, expected ${expected}`);
      }
      assert.deepEqual(Object.keys(evaluateAll(sample, sample.task)).sort(), Object.keys(sample.expected).sort());
    });
  }

  it("leaves rows without a label or an answer out, and says when none is left", () => {
    assert.equal(
      evaluate("accuracy", { labels: [1, Number.NaN, 0], predictions: [0.9, 0.9, 0.9] }, "binary_classification"),
      0.5,
    );
    const withoutAnswers = { labels: [1, 0, 1, 0, 1], predictions: [0.9, NaN, 0.8, 0.1, NaN] };
    assert.equal(evaluate("roc_auc", withoutAnswers, "binary_classification"), 1);
    assert.throws(
      () => evaluate("accuracy", { labels: [Number.NaN], predictions: [0.5] }, "binary_classification"),
      (error) => isEsteiraError(error, "MODELS_SAMPLE_EMPTY"),
    );
    assert.throws(
      () => evaluate("mae", { labels: [1], predictions: [] }, "regression"),
      (error) => isEsteiraError(error, "MODELS_SAMPLE_MISMATCH"),
    );
  });

  it("says why a metric does not exist instead of inventing a number", () => {
    assert.throws(
      () => evaluate("roc_auc", { labels: [1, 1], predictions: [0.2, 0.7] }, "binary_classification"),
      (error) => isEsteiraError(error, "MODELS_METRIC_UNDEFINED") && /all 2 rows have the label 1/.test(error.message),
    );
    assert.equal("roc_auc" in evaluateAll({ labels: [1, 1], predictions: [0.2, 0.7] }, "binary_classification"), false);
    assert.throws(
      () => evaluate("r2", { labels: [3, 3], predictions: [3, 4] }, "regression"),
      (error) => isEsteiraError(error, "MODELS_METRIC_UNDEFINED"),
    );
  });

  it("groups rows into segments, largest first, missing values apart", () => {
    const segments = segmentsOf(["ATL", null, "ORD", "ATL"]);
    assert.deepEqual(
      segments.map(({ value, rows }) => [value, [...rows]]),
      [
        ["ATL", [0, 3]],
        ["ORD", [2]],
        ["null", [1]],
      ],
    );
    assert.deepEqual(
      [
        ...(pickRows({ labels: [1, 2, 3, 4], predictions: [5, 6, 7, 8] }, Uint32Array.of(0, 3))
          .predictions as Float64Array),
      ],
      [5, 8],
    );
  });
});
