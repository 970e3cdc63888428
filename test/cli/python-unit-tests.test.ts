import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

const SCRIPT = `import csv, os
import esteira
from names import FIELDS

rows = esteira.input("raw")
assert os.path.exists("src/names.py") and not os.path.exists("secret.txt"), os.listdir(".")
least = esteira.params.get("least", 0)
print(rows.files[0].stat().st_size > 0, rows.columns)
if least < 0:
    raise ValueError("least must not be negative")
with open(esteira.output("clean") / "rows.csv", "w") as file:
    writer = csv.writer(file)
    writer.writerow(FIELDS)
    for number in range(2):
        writer.writerow([number + least, os.environ.get("GREETING", ""), 0.1 + 0.2])
`;

it("esteira test runs Python models on given rows and params, in a sandbox with their own files", async () => {
  const folder = await temporaryFolder();
  const write = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  };
  await write("esteira.yaml", "name: p\n");
  await write("secret.txt", "not for tests");
  await write("src/clean.py", SCRIPT);
  await write("src/names.py", 'FIELDS = ["n", "greeting", "x"]\n');
  const pipeline = (more: string): string =>
    `steps:\n  raw: { capture: { files: data/*.csv } }\n  clean: { python: src/clean.py, tests: src/clean.tests.yaml, env: { GREETING: hello }${more} }\n`;
  await write("pipelines/p.yaml", pipeline(", makes: data"));
  const test = (name: string, rest: string): string => `  - name: ${name}\n    given: { raw: [{ n: 1 }] }\n${rest}`;
  await write(
    "src/clean.tests.yaml",
    `tests:\n${test("counts", "    expect: [{ n: 1, x: 0.3 }, { n: 0, x: 0.3 }]\n")}${test("begins later", "    params: { least: 5 }\n    expect: [{ n: 5, greeting: hello }, { n: 6, greeting: hello }]\n")}`,
  );
  const good = await runEsteira(folder, ["test"]);
  assert.deepEqual(
    [good.code, good.stdout],
    [0, "✔ clean  counts\n✔ clean  begins later\n2 unit tests pass\n"],
    good.stdout + good.stderr,
  );
  assert.match((await runEsteira(folder, ["plan", "p"])).stdout, /clean .* 2 unit tests/);
  await write(
    "src/clean.tests.yaml",
    `tests:\n${test("differs", "    expect: [{ n: 0 }, { n: 7 }]\n")}${test("raises", "    params: { least: -1 }\n    expect: []\n")}${test("misnames", "    expect: [{ m: 0 }]\n")}`,
  );
  const bad = await runEsteira(folder, ["test", "clean"]);
  assert.equal(bad.code, 1);
  assert.match(bad.stdout, /✖ clean {2}differs: 1 expected.*\n {4}n\n {2}- 7\n {2}\+ 1\n/);
  assert.match(
    bad.stdout,
    /✖ clean {2}raises: src\/clean\.py ended with exit code 1: ValueError: least must not be negative/,
  );
  assert.match(bad.stdout, /✖ clean {2}misnames: There is no column "m" in the result; it has n, greeting, x/);
  assert.match(bad.stdout, /3 of 3 unit tests fail/);
  await write(
    "src/clean.tests.yaml",
    "tests:\n  - name: a\n    given: { row: [] }\n    existing: []\n    expect: []\n",
  );
  const lint = await runEsteira(folder, ["lint"]);
  assert.match(lint.stdout, /src\/clean\.tests\.yaml:3:\d+ +The script reads raw, and no rows of it are given/);
  assert.match(
    lint.stdout,
    /src\/clean\.tests\.yaml:3:\d+ +The script does not read row; it reads raw\n +Did you mean raw\?/,
  );
  await write("pipelines/p.yaml", pipeline(""));
  assert.match((await runEsteira(folder, ["lint"])).stdout, /unit tests compare rows, and the step makes nothing/);
});
