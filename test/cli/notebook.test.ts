// Notebooks looked through and compared on the command line, as a reviewer or a hook does.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

interface Cell {
  readonly id: string;
  readonly source: string;
  readonly count?: number;
  readonly output?: string;
}

function notebook(cells: readonly Cell[]): string {
  return JSON.stringify({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: "python3", display_name: "Python 3", language: "python" } },
    cells: cells.map(({ id, source, count, output }) => ({
      cell_type: "code",
      id,
      metadata: {},
      source,
      execution_count: count ?? null,
      outputs: output === undefined ? [] : [{ output_type: "stream", name: "stdout", text: output }],
    })),
  });
}

it("notebook diff names what an approval would be asked for, and what it would not", async () => {
  const folder = await temporaryFolder();
  const before = [
    { id: "load", source: "rows = 3", count: 1 },
    { id: "train", source: "score = rows * 2\nprint(score)", count: 2, output: "6\n" },
    { id: "old", source: "del rows", count: 3 },
  ];
  await writeFile(join(folder, "before.ipynb"), notebook(before));
  const [load, train] = before as [Cell, Cell];
  await writeFile(join(folder, "again.ipynb"), notebook([load, { ...train, output: "six\n" }, before[2] as Cell]));
  await writeFile(
    join(folder, "açúcar.ipynb"),
    notebook([{ ...train, source: "score = rows * -2\nprint(score)" }, load, { id: "new", source: "'ü'" }]),
  );

  const outputs = await runEsteira(folder, ["notebook", "diff", "before.ipynb", "again.ipynb"]);
  assert.equal(outputs.code, 0, outputs.stderr);
  assert.match(outputs.stdout, /cell 2, now cell 2: source the same \(outputs\)/);

  const changed = await runEsteira(folder, ["notebook", "diff", "before.ipynb", "açúcar.ipynb"]);
  assert.equal(changed.code, 1);
  assert.match(changed.stdout, /- score = rows \* 2\n.*\+ score = rows \* -2/);
  assert.match(changed.stdout, /- cell 3: removed/);
  assert.match(changed.stdout, /\+ now cell 3: added/);
  const { stdout } = await runEsteira(folder, ["notebook", "diff", "before.ipynb", "açúcar.ipynb", "--json"]);
  const json = JSON.parse(stdout) as { readonly changesSource: boolean; readonly changes: readonly { kind: string }[] };
  assert.equal(json.changesSource, true);
  assert.deepEqual(json.changes.map(({ kind }) => kind).sort(), ["added", "changed", "moved", "removed"]);
});

it("notebook check finds hidden state and secrets, never shows the secret, and says which file is none", async () => {
  const folder = await temporaryFolder();
  const secret = `ghp_${"a8Kd93kfLs02mVbn47xQzWe1RtYu65PoIjHg".slice(0, 36)}`;
  await writeFile(join(folder, "clean.ipynb"), notebook([{ id: "a", source: "x = 1\nprint(x)", count: 1 }]));
  await writeFile(
    join(folder, "hidden.ipynb"),
    notebook([
      { id: "a", source: "print(y)", count: 4 },
      { id: "b", source: `y = 2\ntoken = "${secret}"`, count: 3 },
    ]),
  );
  await writeFile(join(folder, "none.ipynb"), "{}");

  const clean = await runEsteira(folder, ["notebook", "check", "clean.ipynb"]);
  assert.equal(clean.code, 0, clean.stdout + clean.stderr);
  assert.match(clean.stdout, /clean\.ipynb: no hidden state, no secret/);

  const found = await runEsteira(folder, ["notebook", "check", "clean.ipynb", "hidden.ipynb"]);
  assert.equal(found.code, 1);
  assert.match(found.stdout, /secret {2}cell 2, source, line 2/);
  assert.match(found.stdout, /"y" is used in cell 1, before the cell that defines it/);
  assert.doesNotMatch(found.stdout, new RegExp(secret));
  const json = await runEsteira(folder, ["notebook", "check", "hidden.ipynb", "--json"]);
  assert.doesNotMatch(json.stdout, new RegExp(secret));

  for (const [file, says] of [
    ["none.ipynb", /none\.ipynb.*not a notebook/],
    ["gone.ipynb", /gone\.ipynb cannot be read/],
    [".", /cannot be read/],
  ] as const) {
    const { code, stderr } = await runEsteira(folder, ["notebook", "check", file]);
    assert.notEqual(code, 0);
    assert.match(stderr, says);
  }
});
