import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { fairnessScores } from "../../src/monitoring/fairness-scores.ts";
import {
  compareGroups,
  FAIRNESS_METRICS,
  type FairnessMetric,
  type GroupCounts,
  type GroupRates,
  ratesOf,
} from "../../src/monitoring/statistics/fairness.ts";

/** Values of fairlearn 0.15.0 and scikit-learn, on rows drawn with numpy. */
interface Golden {
  readonly groups: Readonly<Record<string, Omit<GroupCounts, "group">>>;
  readonly scores: Readonly<Record<FairnessMetric, number>>;
  readonly rates: Readonly<Record<string, Readonly<Record<keyof GroupRates, number>>>>;
}
const cases: Readonly<Record<string, Golden>> = JSON.parse(
  await readFile(new URL("groups.json", import.meta.url), "utf8"),
);

const near = (found: number | undefined, expected: number, label: string): void =>
  assert.ok(Math.abs((found ?? NaN) - expected) < 1e-12, `${label}: ${found} against ${expected}`);

describe("groups are compared as fairlearn compares them", () => {
  for (const [name, golden] of Object.entries(cases)) {
    it(name, () => {
      const groups = Object.entries(golden.groups).map(([group, counts]) => ({ group, ...counts }));
      for (const metric of FAIRNESS_METRICS) near(compareGroups(metric, groups), golden.scores[metric], metric);
      for (const group of groups)
        for (const [rate, expected] of Object.entries(golden.rates[group.group] ?? {}))
          near(new Map(Object.entries(ratesOf(group))).get(rate), expected, `${group.group} ${rate}`);
    });
  }

  it("and not at all with one group, or without the rate", () => {
    const alone = { group: "a", rows: 10, selected: 5, tp: 0, fp: 0, fn: 0, tn: 0 };
    assert.equal(compareGroups("demographic_parity_ratio", [alone]), undefined);
    assert.equal(compareGroups("equalized_odds_difference", [alone, { ...alone, group: "b" }]), undefined);
    const none = { ...alone, selected: 0 };
    assert.equal(compareGroups("demographic_parity_ratio", [none, { ...none, group: "b" }]), 1);
  });
});

describe("fairness of a window", () => {
  const groupOf = (row: number): string | null => (row < 100 ? "a" : row < 200 ? "b" : row < 205 ? "c" : null);
  const rows = (labelled: number) => {
    const predictions = Float64Array.from({ length: 210 }, (_, row) =>
      row % 2 === 0 && row < 100 ? 0.9 : row % 4 === 0 ? 0.7 : 0.2,
    );
    const places = Array.from({ length: labelled }, (_, index) => index * Math.floor(200 / Math.max(1, labelled)));
    return {
      segments: new Map([["sex", Array.from(predictions, (_, row) => groupOf(row))]]),
      predictions,
      outcomes: {
        labels: Float64Array.from(places, (row) => row % 2),
        predictions: Float64Array.from(places, (row) => predictions[row] ?? NaN),
        times: Float64Array.from(places),
        segments: new Map([["sex", places.map(groupOf)]]),
      },
    };
  };
  const rule = { attributes: ["sex"], metric: "demographic_parity_difference", at_most: 0.1, min_group: 50 } as const;

  it("leaves small groups out and names them", () => {
    const [score] = fairnessScores(rows(0), "binary_classification", [rule]);
    near(score?.value, 0.25, "difference");
    assert.match(JSON.stringify(score?.method), /"groups":"a, b".*"tooSmall":"c, null"/);
  });

  it("says when labels are too few, or the model has no two classes", () => {
    const [few] = fairnessScores(rows(40), "binary_classification", [{ ...rule, metric: "equalized_odds_difference" }]);
    assert.equal(few?.value, undefined);
    assert.match(JSON.stringify(few?.method), /0 of 4 groups have 50 rows with a label; two are needed/);
    const [other] = fairnessScores(rows(40), "regression", [rule]);
    assert.match(JSON.stringify(other?.method), /classifiers of two classes only/);
  });

  it("refuses a column that is no group", () => {
    const many = { ...rows(0), segments: new Map([["sex", Array.from({ length: 210 }, (_, row) => `p${row}`)]]) };
    assert.match(JSON.stringify(fairnessScores(many, "binary_classification", [rule])[0]?.method), /210 values/);
  });
});
