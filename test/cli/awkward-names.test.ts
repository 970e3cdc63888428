// Names that every JavaScript object has already are names like any other.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

it("a dataset called constructor is captured, read by a later step, and has a recipe", async () => {
  const folder = await temporaryFolder();
  for (const name of ["pipelines", "data", "sql"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  await writeFile(join(folder, "data/a.csv"), "id,constructor\n1,2\n");
  await writeFile(join(folder, "sql/twice.sql"), 'SELECT id, "constructor" * 2 AS twice FROM "constructor"\n');
  await writeFile(join(folder, "sql/again.sql"), 'SELECT * FROM twice, "constructor" AS c\n');
  await writeFile(
    join(folder, "pipelines/a.yaml"),
    'steps:\n  constructor: { capture: { files: "data/*.csv" } }\n  twice: { sql: sql/twice.sql }\n  again: { sql: sql/again.sql }\n',
  );
  const run = await runEsteira(folder, ["run", "a"]);
  assert.equal(run.code, 0, run.stdout + run.stderr);
  const again = await runEsteira(folder, ["run", "a"]);
  assert.match(again.stdout, /0 run, 3 cached/, again.stdout + again.stderr);
  const shown = await runEsteira(folder, ["recipe", "show", "twice", "--json"]);
  assert.equal(shown.code, 0, shown.stderr);
  const { changes } = JSON.parse(shown.stdout) as { readonly changes: readonly { readonly step: string }[] };
  assert.deepEqual([...new Set(changes.map(({ step }) => step))].sort(), ["constructor", "twice"]);
  const diff = await runEsteira(folder, ["recipe", "diff", "twice", "1", "1", "--json"]);
  assert.equal(diff.code, 0, diff.stderr);
});
