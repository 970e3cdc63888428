import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isEsteiraError } from "#base";
import { decideRequirement, parseRequirement } from "#models";

const METRICS = ["roc_auc", "log_loss", "brier"];

function decide(text: string, values: Readonly<Record<string, number>>): ReturnType<typeof decideRequirement> {
  return decideRequirement(
    parseRequirement(text, METRICS),
    ({ of, metric, segment }) =>
      values[`${of}.${metric}${segment === undefined ? "" : `[${segment.column}=${segment.value}]`}`],
  );
}

describe("requirements", () => {
  it("compare metrics with numbers, with the champion and with each other", () => {
    assert.deepEqual(decide("roc_auc >= 0.70", { "candidate.roc_auc": 0.71 }), {
      left: 0.71,
      right: 0.7,
      passed: true,
    });
    assert.equal(
      decide("roc_auc >= champion.roc_auc - 0.005", { "candidate.roc_auc": 0.7, "champion.roc_auc": 0.71 }).passed,
      false,
    );
    assert.equal(
      decide("log_loss < 2 * (champion.log_loss + 0.1) / 4", { "candidate.log_loss": 0.3, "champion.log_loss": 0.6 })
        .passed,
      true,
    );
    assert.equal(decide("-roc_auc <= -0.5", { "candidate.roc_auc": 0.5 }).passed, true);
    assert.equal(decide("1 - 0.2 - 0.3 == roc_auc", { "candidate.roc_auc": 1 - 0.2 - 0.3 }).passed, true);
  });

  it("reach into segments, quoted or not", () => {
    assert.equal(decide("roc_auc[origin=ATL] >= 0.6", { "candidate.roc_auc[origin=ATL]": 0.61 }).passed, true);
    assert.equal(
      decide('roc_auc[ city = "New York" ] >= champion.roc_auc[city="New York"]', {
        "candidate.roc_auc[city=New York]": 0.5,
        "champion.roc_auc[city=New York]": 0.6,
      }).passed,
      false,
    );
  });

  it("stay undecided when a metric does not exist", () => {
    assert.equal(decide("roc_auc >= champion.roc_auc", { "candidate.roc_auc": 0.9 }).passed, undefined);
  });

  const mistakes: readonly (readonly [string, number, RegExp, string?])[] = [
    ["roc_uac >= 0.7", 1, /no metric "roc_uac"/, "Did you mean roc_auc?"],
    ["0.7 <= champion.roc_ac", 8, /no metric/, "Did you mean roc_auc?"],
    ["roc_auc => 0.7", 9, /has no meaning/],
    ["roc_auc", 8, /rule ends where one of >=/],
    ["roc_auc >=", 11, /rule ends where a metric or a number/],
    ["roc_auc >= 0.7 0.8", 16, /after the end/],
    ["roc_auc[origin] >= 0.7", 1, /segment is written/],
    ["(roc_auc >= 0.7", 10, /expected "\)"/],
    ["champion.roc_auc >= 0.7", 1, /no metric of the model itself/],
    ["roc_auc >= $1", 12, /has no meaning/],
  ];
  for (const [text, column, problem, hint] of mistakes) {
    it(`point at column ${column} of ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => parseRequirement(text, METRICS),
        (error) =>
          isEsteiraError(error, "MODELS_REQUIREMENT_INVALID") &&
          assert.equal(error.context["column"], column) === undefined &&
          problem.test(error.message) &&
          (hint === undefined || error.hint === hint),
      );
    });
  }
});
