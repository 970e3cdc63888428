import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { digestOf, isEsteiraError } from "#base";
import {
  changesSource,
  createNotebookKind,
  diffNotebooks,
  digestOfNotebook,
  findSecrets,
  type Notebook,
  parseNotebook,
  redactSecrets,
  reportHiddenState,
  scanNotebook,
  strippedNotebook,
} from "#notebooks";
import { digestOfSource } from "../../src/notebooks/source-digest.ts";
import { notebookText, type TestCell } from "./notebook-text.ts";

const read = (cells: readonly TestCell[], metadata?: object): Notebook =>
  parseNotebook(notebookText(cells, metadata), "n.ipynb");
const digest = (cells: readonly TestCell[], metadata?: object): string => digestOfNotebook(read(cells, metadata));

describe("the digest of a notebook", () => {
  const cells: readonly TestCell[] = [
    { source: "x = 1\ny = 2", tags: ["b", "a"] },
    { source: "# title", type: "markdown" },
  ];
  const stream = { output_type: "stream", name: "stdout", text: ["1\n"] };
  const kernel = {
    kernelspec: { name: "python3", language: "python" },
    language_info: { name: "python", version: "3.12" },
    widgets: { a: 1 },
  };

  it("stays when outputs, counts, line ends, the order of tags or other metadata change, and when parameters were injected", () => {
    const same = digest(cells);
    assert.equal(
      digest([
        { ...cells[0], source: "x = 1\r\ny = 2", tags: ["a", "b"], outputs: [stream], executionCount: 7 },
        cells[1] as TestCell,
      ]),
      same,
    );
    assert.equal(digest(cells, kernel), same);
    assert.equal(
      digest([
        cells[0] as TestCell,
        { source: "x = 9", tags: ["injected-parameters"], id: "i" },
        { ...(cells[1] as TestCell), id: "cell-2" },
      ]),
      same,
    );
    assert.equal(digestOfNotebook(parseNotebook(strippedNotebook(read(cells)), "s.ipynb")), same);
  });

  it("changes with a character, a tag, a type, an id, the order, the kernel or a declared parameter schema", () => {
    const [first, second] = cells as [TestCell, TestCell];
    const others = [
      digest([{ ...first, source: "x = 1\ny = 3" }, second]),
      digest([{ ...first, tags: ["a"] }, second]),
      digest([first, { ...second, type: "code" }]),
      digest([{ ...first, id: "other" }, second]),
      digest([
        { ...second, id: "cell-2" },
        { ...first, id: "cell-1" },
      ]),
      digest(cells, { kernelspec: { name: "julia", language: "julia" } }),
      digest(cells, { ...kernel, esteira: { parameters: { x: "int" } } }),
    ];
    assert.equal(new Set([digest(cells), ...others]).size, others.length + 1);
  });

  it("is stable for notebooks without cell ids, whose equal cells get different ones", () => {
    const text = JSON.stringify({
      cells: [0, 1].map(() => ({ cell_type: "code", metadata: {}, source: "x", outputs: [], execution_count: null })),
      metadata: {},
      nbformat: 4,
      nbformat_minor: 4,
    });
    const notebook = parseNotebook(text, "n.ipynb");
    assert.match(notebook.cells[0]?.id ?? "", /^c[0-9a-f]{10}$/);
    assert.equal(notebook.cells[1]?.id, `${notebook.cells[0]?.id}-2`);
  });
});

describe("a file that is no notebook", () => {
  const refused = (text: string): string => {
    try {
      parseNotebook(text, "n.ipynb");
    } catch (error) {
      if (isEsteiraError(error)) return error.message;
      throw error;
    }
    return "accepted";
  };
  it("is refused with the place and the reason", () => {
    assert.match(refused('{\n "cells": [,]'), /^n\.ipynb:2:12: not a notebook: the file is no JSON: "," is unexpected/);
    assert.match(refused('{\n "cells": ['), /^n\.ipynb:2:12: not a notebook: the file ends too early/);
    assert.match(refused("[]"), /holds no JSON object/);
    assert.match(refused('{"nbformat": 3}'), /notebook format 3; expected 4/);
    assert.match(
      refused('{"nbformat": 4, "cells": [{"cell_type": "sql", "source": ""}]}'),
      /cell 1 has cell_type "sql"/,
    );
    assert.match(
      refused(
        notebookText([
          { source: "a", id: "x" },
          { source: "b", id: "x" },
        ]),
      ),
      /two cells have the id "x"/,
    );
  });
});

describe("the difference of two notebooks", () => {
  const kinds = (before: readonly TestCell[], after: readonly TestCell[]): unknown[] =>
    diffNotebooks(read(before), read(after)).map(({ kind, before: old, after: now }) => [kind, (now ?? old)?.id]);
  const [a, b, c]: readonly TestCell[] = [
    { source: "a = 1\nb = 2\nc = 3", id: "a" },
    { source: "print(a)", id: "b" },
    { source: "plot()", id: "c" },
  ] as const;

  it("names cells that were added, removed, changed and moved, by id", () => {
    if (a === undefined || b === undefined || c === undefined) throw new Error("cells");
    assert.deepEqual(kinds([a, b, c], [{ ...a, source: "a = 1\nb = 5\nc = 3" }, { source: "new", id: "n" }, c]), [
      ["changed", "a"],
      ["added", "n"],
      ["removed", "b"],
      ["same", "c"],
    ]);
    assert.deepEqual(kinds([a, b, c], [c, a, b]), [
      ["moved", "c"],
      ["same", "a"],
      ["same", "b"],
    ]);
    assert.deepEqual(
      diffNotebooks(read([a]), read([{ ...a, source: "a = 1\nb = 5\nc = 3" }]))[0]?.lines.map(
        ({ kind, text }) => `${kind} ${text}`,
      ),
      ["same a = 1", "removed b = 2", "added b = 5", "same c = 3"],
    );
  });

  it("finds a cell that lost its id by its text, and does not count outputs", () => {
    if (a === undefined || b === undefined) throw new Error("cells");
    assert.deepEqual(kinds([a, b], [{ ...a, id: "new", source: "a = 1\nb = 2\nc = 4" }, b]), [
      ["changed", "new"],
      ["same", "b"],
    ]);
    const outputs = diffNotebooks(
      read([a]),
      read([{ ...a, outputs: [{ output_type: "stream", name: "stdout", text: [] }] }]),
    );
    assert.deepEqual([outputs[0]?.outputsChanged, changesSource(outputs)], [true, false]);
    assert.equal(changesSource(diffNotebooks(read([a, b]), read([b, a]))), true);
  });
});

describe("the scan for secrets", () => {
  // Put together here, so that this file holds none itself.
  const aws = `AKIA${"QYLPMN5HHHFPZAM2"}`;
  const github = `ghp_${"a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"}`;

  it("finds them in decoded sources, outputs behind colours, tracebacks and metadata, and never shows them", () => {
    const notebook = read([
      { source: ["import os\n", `key = "${aws}"`] },
      {
        source: "print(1)",
        outputs: [
          {
            output_type: "stream",
            name: "stdout",
            text: [`\u001b[31m${github.slice(0, 10)}\u001b[0m${github.slice(10)}\n`],
          },
          { output_type: "error", ename: "E", evalue: "", traceback: ["postgres://ana:s3cr3tpw@db/x"] },
        ],
      },
      { source: "plot()", outputs: [{ output_type: "display_data", data: { "image/png": aws }, metadata: {} }] },
      { source: `# ${aws}`, tags: ["not-a-secret"] },
    ]);
    const findings = scanNotebook(notebook, "salt");
    assert.deepEqual(
      findings.map(({ rule, cellId, channel, line, column }) => [rule, cellId, channel, line, column]),
      [
        ["aws-access-key", "cell-1", "source", 2, 8],
        ["github-token", "cell-2", "output", 1, 1],
        ["url-password", "cell-2", "output", 1, 16],
      ],
    );
    assert.ok(!JSON.stringify(findings).includes(aws));
  });

  it("passes over placeholders, references and ordinary code", () => {
    for (const text of [
      'password = "<your password>"',
      'token = os.environ["TOKEN"]',
      'secret="secret:DB_PASSWORD"',
      'api_key = "xxxxxxxxxxxx"',
      "https://example.com/a:b@c",
      'tokens = "the quick brown fox"',
      'url = "postgres://user:${PASSWORD}@db"',
    ])
      assert.deepEqual(findSecrets(text), [], text);
    assert.equal(redactSecrets(`a ${github} b`), "a [removed: github-token] b");
  });
});

describe("the report of hidden state", () => {
  const rules = async (cells: readonly TestCell[]): Promise<unknown[]> =>
    (await reportHiddenState(read(cells))).findings.map(({ rule, cellId, name }) => [rule, cellId, name]);

  it("finds counts that are not those of one execution from top to bottom", async () => {
    const outputs = [{ output_type: "stream", name: "stdout", text: [] }];
    assert.deepEqual(
      await rules([
        { source: "1", executionCount: 3 },
        { source: "2", executionCount: 1 },
        { source: "3" },
        { source: "4", outputs },
        { source: "5", executionCount: 3 },
      ]),
      [
        ["gap-in-counts", "cell-1", undefined],
        ["executed-out-of-order", "cell-2", undefined],
        ["never-executed", "cell-3", undefined],
        ["output-without-count", "cell-4", undefined],
        ["executed-again", "cell-5", undefined],
      ],
    );
  });

  it("finds names used before or without a definition, and redefined ones, and knows scopes", async () => {
    const source =
      "import numpy as np, os.path\nfrom a import (b, c as d)\ndef f(x, y=np, *args, **kw):\n    z = x + later\n    return [w * z for w in args if w], kw\nclass K:\n    def m(self): return self.q\nfor i, (j, k) in enumerate([]): pass\nwith open('x') as h: t = h\ntotal = sum(n for n in range(3))\ng = lambda u: u + total\nprint(f'{i}', key=1)\n(p := 3)\nt += 1";
    assert.deepEqual(
      await rules([{ source }, { source: "later = d + gone\ntotal = np.mean([e for e in (1, 2)]) + os.sep + j" }]),
      [
        ["used-before-defined", "cell-1", "later"],
        ["never-defined", "cell-2", "gone"],
        ["defined-again", "cell-2", "total"],
      ],
    );
  });

  it("has nothing to say of the flights example", async () => {
    const { findings, edges } = await reportHiddenState(
      parseNotebook(
        await readFile(new URL("../../examples/flights/notebooks/train.ipynb", import.meta.url), "utf8"),
        "train.ipynb",
      ),
    );
    assert.deepEqual(
      findings.filter(({ rule }) => rule !== "defined-again"),
      [],
    );
    assert.ok(edges.some(({ name }) => name === "FEATURES"));
  });
});

describe("analysing a notebook step", () => {
  const kind = createNotebookKind({} as never);
  it("finds its inputs, and every mistake with the line of the file", async () => {
    const aws = `AKIA${"QYLPMN5HHHFPZAM2"}`;
    const cells: readonly TestCell[] = [
      { source: "depth: int = 3\nbad = len('x')\n", tags: ["parameters"] },
      {
        source: `import esteira\nrows = esteira.input("training_set")\nx = esteira.input("traning_set")\nkey = "${aws}"`,
      },
    ];
    const text = notebookText(cells);
    const analysis = await kind.analyse(
      { notebook: "n.ipynb", params: { dept: 4, depth: "x" }, python: "requirements.txt", makes: "model" },
      {
        project: "p",
        projectFolder: "/",
        step: "delay",
        knownAssets: new Map([["training_set", "data"]]),
        readFile: async (path) => (path === "n.ipynb" ? text : undefined),
        glob: async () => ["requirement.txt"],
      },
    );
    const lineOf = (part: string): number => text.split("\n").findIndex((line) => line.includes(part)) + 1;
    assert.deepEqual(
      analysis.inputs.map(({ asset }) => asset),
      ["training_set"],
    );
    assert.deepEqual(analysis.makes, [{ asset: "delay", kind: "model" }]);
    assert.deepEqual(
      analysis.problems.map(({ path, at, message, hint }) => [at?.line ?? path.join("."), message, hint]),
      [
        ["python", "There is no file requirements.txt in the project", "Did you mean requirement.txt?"],
        [
          lineOf("bad = "),
          'the default of parameter "bad" is computed; expected a literal',
          "Compute it in a later cell, from a parameter.",
        ],
        ["params.dept", 'n.ipynb: the notebook has no parameter "dept"', 'Did you mean "depth"?'],
        ["params.depth", 'n.ipynb: parameter "depth" is "x"; expected int', undefined],
        [
          lineOf(aws),
          "cell 2 holds an AWS access key (rule aws-access-key) in its source",
          'Remove it, revoke it, and give it by reference: params: { NAME: "secret:NAME" }. If it is none, tag the cell "not-a-secret".',
        ],
        [
          lineOf("traning_set"),
          'esteira.input("traning_set"): no step makes "traning_set"',
          'Did you mean "training_set"?',
        ],
      ],
    );
  });
});

describe("what an approval of a notebook is bound to", () => {
  it("is its own digest, and with every file that it imports another one", () => {
    const notebook = parseNotebook(notebookText([{ source: "import helper" }]), "n.ipynb");
    const bound = (text: string): string => digestOfSource(notebook, { "src/helper.py": digestOf(text) });
    assert.equal(digestOfSource(notebook, {}), digestOfNotebook(notebook));
    assert.notEqual(bound("x = 1"), digestOfNotebook(notebook));
    assert.notEqual(bound("x = 1"), bound("x = -1"));
    assert.equal(bound("x = 1"), bound("x = 1"));
  });
});
