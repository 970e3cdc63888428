import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { runEsteira } from "../setup/command-line.ts";
import { temporaryFolder } from "../setup/stores.ts";

describe("esteira query", async () => {
  const folder = await temporaryFolder();

  before(async () => {
    await mkdir(join(folder, "data"));
    await mkdir(join(folder, "pipelines"));
    await writeFile(join(folder, "esteira.yaml"), "name: p\n");
    await writeFile(join(folder, "data/a.csv"), 'port,ships\n"São, Paulo",12\nRio,7\n');
    await writeFile(join(folder, "pipelines/ships.yaml"), "steps:\n  ships: { capture: { files: data/*.csv } }\n");
    assert.equal((await runEsteira(folder, ["run", "ships"])).code, 0);
    await writeFile(join(folder, "data/b.csv"), "port,ships\nItajaí,3\n");
    assert.equal((await runEsteira(folder, ["run", "ships"])).code, 0);
  });

  it("answers as table, CSV and JSON, and of an earlier version", async () => {
    const table = await runEsteira(folder, ["query", "SELECT port, ships FROM ships ORDER BY ships"]);
    assert.match(table.stdout, /port\s+ships\s+Itajaí\s+3\s+Rio\s+7\s+São, Paulo\s+12/);
    const csv = await runEsteira(folder, [
      "query",
      `SELECT * FROM "ships@1" WHERE ships > 8`,
      "--format",
      "csv",
      "--output",
      "late.csv",
    ]);
    assert.equal(csv.code, 0, csv.stderr);
    assert.equal(await readFile(join(folder, "late.csv"), "utf8"), 'port,ships\n"São, Paulo",12\n');
    const json = await runEsteira(folder, ["query", "SELECT sum(ships) AS n FROM SHIPS", "--json"]);
    const answer = JSON.parse(json.stdout) as { rows: unknown; sources: { dataset: string; version: number }[] };
    assert.deepEqual(answer.rows, [[22]]);
    assert.deepEqual(
      answer.sources.map(({ dataset, version }) => [dataset, version]),
      [["ships", 2]],
    );
  });

  it("names the place of a mistake, and what is not there", async () => {
    const unknown = await runEsteira(folder, ["query", "SELECT *\nFROM shps"]);
    assert.equal(unknown.code, 1);
    assert.match(
      unknown.stderr,
      /Line 2, column 6: there is no dataset shps {2}\[DATA_DATASET_UNKNOWN\]\s+Did you mean ships/,
    );
    for (const sql of ["DROP TABLE ships", "SELECT 1; SELECT 2", "SELECT * FROM read_text('/etc/passwd')", "SELEC 1"]) {
      const { code, stderr } = await runEsteira(folder, ["query", sql]);
      assert.equal(code, 1, sql);
      assert.match(stderr, /line 1[\s\S]*DATA_QUERY_FAILED/, sql);
    }
  });

  it("makes the folder of its output, and says in words what cannot be read or written", async () => {
    const done = await runEsteira(folder, ["query", "select 1 as n", "--format", "csv", "--output", "out/new/n.csv"]);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(await readFile(join(folder, "out/new/n.csv"), "utf8"), "n\n1\n");
    const refused = await runEsteira(folder, ["query", "select 1 as n", "--output", "esteira.yaml/n.csv"]);
    assert.match(refused.stderr, /--output esteira.yaml\/n.csv cannot be written/);
    assert.doesNotMatch(refused.stderr, /\n    at /);
    const missing = await runEsteira(folder, ["query", "--file", "none.sql"]);
    assert.match(missing.stderr, /--file none.sql cannot be read/);
  });
});
