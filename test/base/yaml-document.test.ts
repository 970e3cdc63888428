import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";
import { formatProblems, readYaml } from "#base";

const schema = z.strictObject({
  name: z.string(),
  mode: z.enum(["append", "replace"]).optional(),
  steps: z
    .record(
      z.string(),
      z.union([
        z.strictObject({ sql: z.string() }),
        z.strictObject({ run: z.string(), retry: z.strictObject({ times: z.number() }).optional() }),
      ]),
    )
    .optional(),
});

function problemsOf(text: string): string {
  return formatProblems(readYaml(text, "p.yaml", schema).problems);
}

describe("a YAML file that a user wrote", () => {
  it("is read with the places of its values", () => {
    const { value, document } = readYaml("name: a\nsteps:\n  x:\n    sql: y\n", "p.yaml", schema);
    assert.equal(value?.name, "a");
    assert.deepEqual(document.at(["steps", "x", "sql"]), { file: "p.yaml", line: 4, column: 10 });
    assert.deepEqual(document.atKey(["steps", "x", "sql"]), { file: "p.yaml", line: 4, column: 5 });
  });

  it("names an unknown key, its place and the nearest valid one", () => {
    assert.match(problemsOf("nmae: a\nname: b\n"), /p\.yaml:1:1 {2}Unknown key "nmae"\n.*Did you mean "name"\?/);
  });

  it("reports every mistake at once", () => {
    const text = problemsOf("name: 3\nmode: apend\nstep: 1\n");
    assert.match(text, /"name" is 3 \(number\); expected text/);
    assert.match(text, /p\.yaml:2:7 {2}"mode" is "apend" \(text\); expected "append", "replace"\n.*"append"/);
    assert.match(text, /Unknown key "step"/);
  });

  it("says what is wrong inside the alternative that was meant", () => {
    assert.match(
      problemsOf("name: a\nsteps:\n  x:\n    run: ls\n    retry: { tmes: 1, times: 2 }\n"),
      /p\.yaml:5:14 {2}Unknown key "tmes" in "steps.x.retry"/,
    );
  });

  for (const [title, text, expected] of [
    ["empty", "", /empty/],
    ["only comments", "# nothing\n", /empty/],
    ["a duplicate key", "name: a\nname: b\n", /2:1 {2}name stands twice/],
    ["a tab", "name: a\nsteps:\n\tx: 1\n", /3:1|tab/i],
    ["two documents", "name: a\n---\nname: b\n", /more than one/],
    ["a number as key", "name: a\nsteps:\n  1: {sql: x}\n", /key 1 is not text/],
    ["too large", `name: ${"x".repeat(1_000_001)}`, /bytes/],
    ["a list", "- a\n", /a list; expected a mapping/],
  ] as const) {
    it(`is refused when it is or has ${title}`, () => assert.match(problemsOf(text), expected));
  }

  it("is refused when aliases multiply", () => {
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${["b", "c", "d", "e"].map((name, index) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${"abcd"[index]}`).join(",")}]`).join("\n")}\n`;
    assert.match(problemsOf(bomb), /repeats its anchors/);
  });
});
