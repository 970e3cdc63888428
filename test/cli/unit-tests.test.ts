import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

it("esteira test runs the tests of all models or one, and says by its exit code whether they pass", async () => {
  const folder = await temporaryFolder();
  for (const name of ["pipelines", "sql", "data"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "esteira.yaml"), "name: p\n");
  await writeFile(
    join(folder, "pipelines/p.yaml"),
    "steps:\n  raw: { capture: { files: data/*.csv } }\n  twice: { sql: sql/twice.sql, tests: sql/twice.tests.yaml }\n",
  );
  await writeFile(join(folder, "sql/twice.sql"), "SELECT 2 * n AS n FROM raw\n");
  const write = (n: number) =>
    writeFile(
      join(folder, "sql/twice.tests.yaml"),
      `tests:\n  - name: doubles\n    given: { raw: [{ n: 2 }] }\n    expect: [{ n: ${n} }]\n`,
    );
  await write(4);
  const good = await runEsteira(folder, ["test"]);
  assert.deepEqual([good.code, good.stdout], [0, "✔ twice  doubles\n1 unit test passes\n"], good.stderr);
  await write(5);
  const bad = await runEsteira(folder, ["test", "twice"]);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /✖ twice {2}doubles: 1 expected.*\n {4}n\n {2}- 5\n {2}\+ 4\n1 of 1 unit test fails\n/);
  const json = await runEsteira(folder, ["test", "--json"]);
  const read = JSON.parse(json.stdout) as { failed: number; models: { results: { difference: unknown }[] }[] };
  assert.deepEqual(
    [read.failed, read.models[0]?.results[0]?.difference],
    [1, { columns: ["n"], missing: [["5"]], unexpected: [["4"]], isOrder: false }],
  );
  assert.match((await runEsteira(folder, ["test", "twise"])).stderr, /PIPELINE_STEP_UNKNOWN[\s\S]*twice/);
  assert.match((await runEsteira(folder, ["test", "raw"])).stdout, /No model has unit tests/);
});
