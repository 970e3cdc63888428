import assert from "node:assert/strict";
import { it } from "node:test";
import { parseStepOutputs } from "../../src/executors/step-outputs.ts";

it("output files hold values, texts of several lines, and nothing else", () => {
  assert.deepEqual(parseStepOutputs(""), {});
  assert.deepEqual(parseStepOutputs("a=1\nb=x=y \r\n\nc<<END\none\n a=2\nEND\na=3\n"), {
    a: "3",
    b: "x=y ",
    c: "one\n a=2",
  });
  assert.deepEqual(parseStepOutputs("empty=\nnone<<E\nE"), { empty: "", none: "" });
  for (const [text, said] of [
    ["just words", /line 1 is neither NAME=VALUE/],
    ["a=1\n1b=2", /line 2 has no name/],
    ["__proto__ =1", /line 1 has no name/],
    ["a<<END\nnever", /line 1 begins a text that ends with "END", which does not come/],
    ["a<<\nx", /line 1 has no mark/],
    [Array.from({ length: 300 }, (_, index) => `o${index}=1`).join("\n"), /at most 256 outputs/],
  ] as const)
    assert.throws(() => parseStepOutputs(text), said);
  assert.equal(Object.getOwnPropertyDescriptor(parseStepOutputs("__proto__=x"), "__proto__")?.value, "x");
});
