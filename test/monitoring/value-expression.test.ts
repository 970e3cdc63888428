import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseValueExpression } from "../../src/monitoring/value-expression.ts";

const of = (text: string, row: Readonly<Record<string, unknown>> = {}): number =>
  parseValueExpression(text).evaluate((name) => row[name]);

describe("the expression of a value", () => {
  it("computes as one reads it", () => {
    assert.equal(of("1 + 2 * 3 - 4 / 2"), 5);
    assert.equal(of("-(2 + 3) * -2 % 7"), 3);
    assert.equal(of("if(label = 1 and prediction > 0.5, 20, -1)", { label: 1, prediction: 0.9 }), 20);
    assert.equal(of("if(label = 1 and prediction > 0.5, 20, -1)", { label: 0, prediction: 0.9 }), -1);
    assert.equal(of("if(not (origin = 'O''Hare' or origin <> 'x'), 1, 2)", { origin: "O'Hare" }), 2);
    assert.equal(of('"the amount" * 2', { "the amount": 4 }), 8);
    assert.equal(of("greatest(1, least(5, 3), abs(-2)) + round(1.4)"), 4);
    assert.equal(of("coalesce(a, b, 7)", { b: null }), 7);
    assert.equal(of("true + 1"), 2);
  });

  it("has no number where a value is missing, no number, or divided by zero", () => {
    for (const text of ["a + 1", "a > 1", "1 / 0", "-a", "'x' * 2", "least(1, a)"])
      assert.ok(Number.isNaN(of(text, { a: null })), text);
  });

  it("names its columns", () => {
    assert.deepEqual(parseValueExpression('amount * prediction + "A B" + label').names, [
      "amount",
      "prediction",
      "A B",
      "label",
    ]);
  });

  it("says what is wrong, and where", () => {
    for (const [text, message] of [
      ["1 +", /found the end, expected a value/],
      ["rounds(1)", /no function rounds; is round meant/],
      ["if(1, 2)", /if takes 3 values, found 2/],
      ["(1", /expected \)/],
      ["1 1", /found 1, expected the end/],
      ["a; drop table x", /";/],
      ["constructor(1)", /no function constructor/],
      ["__proto__(1)", /no function __proto__/],
      [`${"(".repeat(200)}1`, /nested too deep/],
    ] as const)
      assert.throws(() => parseValueExpression(text), message, text);
  });

  it("reaches nothing but the row", () => {
    const asked: string[] = [];
    parseValueExpression("constructor + __proto__ + process").evaluate((name) => void asked.push(name));
    assert.deepEqual(asked, ["constructor", "__proto__", "process"]);
  });
});
