// What workflows are made of, each by itself, against what GitHub documents.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { evaluate, holds, interpolate, interpolateText } from "../../src/workflows/expression.ts";
import { passesFilter } from "../../src/workflows/filter-pattern.ts";
import { expandMatrix } from "../../src/workflows/matrix.ts";
import { passesEvent } from "../../src/workflows/push-filter.ts";
import { satisfies } from "../../src/workflows/version-range.ts";
import { parsePairs } from "../../src/workflows/runner/file-commands.ts";
import { parseCommand } from "../../src/workflows/runner/output.ts";

describe("a matrix", () => {
  it("is extended by include as GitHub's own example says", () => {
    const matrix = {
      fruit: ["apple", "pear"],
      animal: ["cat", "dog"],
      include: [
        { color: "green" },
        { color: "pink", animal: "cat" },
        { fruit: "apple", shape: "circle" },
        { fruit: "banana" },
        { fruit: "banana", animal: "cat" },
      ],
    };
    assert.deepEqual(expandMatrix(matrix, "j"), [
      { fruit: "apple", animal: "cat", color: "pink", shape: "circle" },
      { fruit: "apple", animal: "dog", color: "green", shape: "circle" },
      { fruit: "pear", animal: "cat", color: "pink" },
      { fruit: "pear", animal: "dog", color: "green" },
      { fruit: "banana" },
      { fruit: "banana", animal: "cat" },
    ]);
  });

  it("excludes by part, also inside maps, and refuses what is no matrix", () => {
    const matrix = {
      os: [
        { n: "a", v: 1 },
        { n: "b", v: 2 },
      ],
      exclude: [{ os: { n: "a" } }],
    };
    assert.deepEqual(expandMatrix(matrix, "j"), [{ os: { n: "b", v: 2 } }]);
    for (const wrong of [
      null,
      [],
      "x",
      { a: "x" },
      { a: [1], include: {} },
      { a: Array.from({ length: 300 }, () => 1) },
    ])
      assert.throws(() => expandMatrix(wrong, "j"), { code: "WORKFLOWS_MATRIX_WRONG" });
  });
});

describe("an expression", () => {
  const scope = {
    contexts: { github: { ref: "refs/heads/main", head_ref: "$(rm -rf /)`x`${{ 1 }}" }, env: {} },
    functions: { success: () => true, failure: () => false, always: () => true, cancelled: () => false },
  };

  it("is evaluated as GitHub does", () => {
    assert.equal(evaluate("github.REF == 'REFS/heads/main'", scope), true);
    assert.equal(evaluate("'' || 'x'", scope), "x");
    assert.equal(evaluate("github.nothing.at.all", scope), null);
    assert.equal(
      interpolateText("a ${{ true }} ${{ 1.50 }} ${{ null }} ${{ 'it''s }}' }}", scope),
      "a true 1.5  it's }}",
    );
    assert.deepEqual(interpolate("${{ fromJSON('[1,2]') }}", scope), [1, 2]);
  });

  it("is not evaluated again in what it gives", () => {
    assert.equal(interpolateText("${{ github.head_ref }}", scope), scope.contexts.github.head_ref);
  });

  it("holds as a condition only while all is well, unless it asks itself", () => {
    const failed = { ...scope, functions: { ...scope.functions, success: () => false, failure: () => true } };
    assert.equal(holds("", failed), false);
    assert.equal(holds("true", failed), false);
    assert.equal(holds("always()", failed), true);
    assert.equal(holds("${{ failure() }}", failed), true);
    assert.equal(holds("github.ref == 'always()'", failed), false);
    // Text beside the braces makes the whole a text.
    assert.equal(holds("${{ false }} == true", scope), true);
  });

  it("fails with its text for what is no expression, and for one without end", () => {
    for (const wrong of ["1 +", "unknown.x", "nofunction()", `${"(".repeat(5000)}`, "x".repeat(30_000)])
      assert.throws(() => evaluate(wrong, scope), { code: "WORKFLOWS_EXPRESSION_FAILED" });
  });
});

it("patterns of branches, tags and paths match as GitHub's table says", () => {
  const cases: readonly (readonly [string, string, boolean])[] = [
    ["feature/*", "feature/my-branch", true],
    ["feature/*", "feature/a/b", false],
    ["feature/**", "feature/beta-a/my-branch", true],
    ["releases/mona-the-octocat", "releases/mona-the-octocat", true],
    ["*", "main", true],
    ["*", "a/b", false],
    ["**", "all/the/branches", true],
    ["*feature", "ver-10-feature", true],
    ["v2*", "v2.9", true],
    ["v[12].[0-9]+.[0-9]+", "v1.10.1", true],
    ["v[12].[0-9]+.[0-9]+", "v3.1.1", false],
    ["*.jsx?", "page.js", true],
    ["**.js", "js/index.js", true],
    ["docs/**/*.md", "docs/a/markdown/file.md", true],
    ["docs/**/*.md", "docs/README.md", true],
    ["**/docs/**", "dir/docs/my-file.txt", true],
    ["a.b", "axb", false],
  ];
  for (const [pattern, name, expected] of cases)
    assert.equal(passesFilter(name, [pattern]), expected, `${pattern} ${name}`);
  assert.equal(passesFilter("releases/10-alpha", ["releases/**", "!releases/**-alpha"]), false);
});

it("a push passes by branch, tag and paths", () => {
  assert.equal(passesEvent({}, { branch: "x" }), true);
  assert.equal(passesEvent({ branches: ["main"] }, { branch: "main" }), true);
  assert.equal(passesEvent({ branches: ["main"] }, { tag: "v1" }), false);
  assert.equal(passesEvent({ tags: ["v*"] }, { branch: "main" }), false);
  assert.equal(passesEvent({ tags: ["v*"] }, { tag: "v1" }), true);
  assert.equal(passesEvent({ "branches-ignore": ["wip/**"] }, { branch: "wip/a" }), false);
  assert.equal(passesEvent({ paths: ["src/**"] }, { branch: "m", changed: ["docs/a"] }), false);
  assert.equal(passesEvent({ "paths-ignore": ["docs/**"] }, { branch: "m", changed: ["docs/a"] }), false);
  assert.equal(passesEvent({ "paths-ignore": ["docs/**"] }, { branch: "m", changed: ["docs/a", "src/a"] }), true);
});

it("files of commands are read, and refused in GitHub's words", () => {
  assert.deepEqual(parsePairs("a=1\nb<<E\nx=y\n\nE\nc=\n", "env"), { a: "1", b: "x=y\n", c: "" });
  assert.deepEqual(parsePairs("a=b<<c\n", "env"), { a: "b<<c" });
  for (const wrong of ["novalue", "=x", "a<<E\nnever ends"])
    assert.throws(() => parsePairs(wrong, "output"), /Unable to process file command 'output' successfully/);
  assert.deepEqual(parseCommand("::error file=a%2Cb.ts,line=3::x%0Ay::z"), {
    name: "error",
    properties: { file: "a,b.ts", line: "3" },
    value: "x\ny::z",
  });
  assert.equal(parseCommand("echo ::error::x"), undefined);
});

it("versions satisfy ranges as people write them", () => {
  const yes = [
    ["24.21.0", "24"],
    ["24.21.0", "24.x"],
    ["24.21.0", "lts/*"],
    ["24.21.0", ">=18"],
    ["3.11.2", "3.11"],
    ["3.11.2", ">=3.9 <4"],
    ["9.1.0", "^9.0.0"],
    ["20.1.2", "18 || 20"],
  ] as const;
  const no = [
    ["24.21.0", "22"],
    ["3.11.2", "3.1"],
    ["3.11.2", "3.12"],
    ["18.0.0", ">=20"],
    ["10.0.0", "^9"],
  ] as const;
  for (const [version, range] of yes) assert.ok(satisfies(version, range), `${version} ${range}`);
  for (const [version, range] of no) assert.ok(!satisfies(version, range), `${version} ${range}`);
});
