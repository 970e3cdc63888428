import assert from "node:assert/strict";
import { copyFile, readFile, truncate, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { it } from "node:test";
import type { CaptureDeclaration, DatasetContent } from "#data";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const contract = (properties: string, quality = ""): string => `apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: d
    properties:
${properties}${quality}`;

describeStores("capture", (kind) => {
  it("reads each file once, a changed file again, and nothing when nothing is new", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    await writeFile(join(folder, "a.csv"), "id,name\n1,ana\n2,bia\n");
    const declaration: CaptureDeclaration = { capture: { files: "*.csv" } };
    const first = await runCapture(declaration);
    const again = await runCapture(declaration);
    assert.equal(again.versions[0]?.id, first.versions[0]?.id);
    assert.equal(again.outcome.facts?.["files"], 0);
    await utimes(join(folder, "a.csv"), 1, 1);
    assert.equal((await runCapture(declaration)).outcome.facts?.["files"], 0);
    await writeFile(join(folder, "b.csv"), "id,name\n3,caio\n");
    const third = await runCapture(declaration);
    assert.equal(third.outcome.facts?.["read"], 1);
    assert.deepEqual(await rows(third.versions[0], "select * from d order by id"), [
      { id: 1, name: "ana" },
      { id: 2, name: "bia" },
      { id: 3, name: "caio" },
    ]);
  });

  it("an attempt that died after the commit is finished by the next one, with nothing twice", async () => {
    const { folder, attempt, capture, record, rows } = await openDataProject(kind);
    await writeFile(join(folder, "a.csv"), "id\n1\nx\n");
    await writeFile(join(folder, "contract.yaml"), contract("      - { name: id, logicalType: integer }\n"));
    const declaration: CaptureDeclaration = { capture: { files: "*.csv" }, contract: "contract.yaml" };
    await attempt(capture, declaration, "step-run");
    const outcome = await attempt(capture, declaration, "step-run");
    const [version] = await record(outcome);
    assert.deepEqual(await rows(version, "select * from d"), [{ id: 1 }]);
    assert.deepEqual(
      [outcome.facts?.["read"], outcome.facts?.["published"], outcome.facts?.["quarantined"]],
      [2, 1, 1],
    );
    assert.equal((version?.content as DatasetContent | undefined)?.quarantine?.quarantined, 1);
  });

  it("holds back rows that break the contract, with every rule, the row as received and its line", async () => {
    const { folder, runCapture, batches, held, rows } = await openDataProject(kind);
    await writeFile(
      join(folder, "contract.yaml"),
      contract(
        `      - { name: id, logicalType: integer, required: true }
      - { name: age, logicalType: integer, logicalTypeOptions: { minimum: 0, maximum: 120 } }
      - { name: mail, logicalType: string, logicalTypeOptions: { pattern: "^[^@]+@[^@]+$" } }
      - { name: born, logicalType: date }
`,
        "    quality:\n      - { id: adult, type: custom, engine: esteira, implementation: age >= 18, severity: warning }\n",
      ),
    );
    const lines = [
      "id,age,mail,born",
      "1,30,a@b,2000-01-01",
      "x,30,a@b,",
      ",-5,nope,2000-02-30",
      "2,5.7,a@b,",
      "3,17,c@d,",
      "4,30,too,many,fields",
      '5,30,"q"x,',
      "6",
    ];
    await writeFile(join(folder, "a.csv"), `${lines.join("\n")}\n`);
    const { outcome, versions } = await runCapture({ capture: { files: "a.csv" }, contract: "contract.yaml" });
    assert.deepEqual(
      [outcome.facts?.["read"], outcome.facts?.["published"], outcome.facts?.["quarantined"]],
      [8, 2, 6],
    );
    assert.deepEqual(await rows(versions[0], "select id, age, born from d order by id"), [
      { id: 1, age: 30, born: "2000-01-01" },
      { id: 3, age: 17, born: null },
    ]);
    const [batch] = await batches();
    const found = await held(batch);
    const byLine = new Map(found.map((row) => [row["line"], row]));
    assert.deepEqual(byLine.get(4)?.["rules"], ["type:born", "required:id", "minimum:age", "pattern:mail"]);
    assert.deepEqual(JSON.parse(String(byLine.get(4)?.["row"])), {
      id: null,
      age: "-5",
      mail: "nope",
      born: "2000-02-30",
    });
    assert.deepEqual(byLine.get(3)?.["rules"], ["type:id"]);
    assert.match(String(byLine.get(3)?.["messages"]), /id is "x": must be BIGINT/);
    assert.deepEqual(byLine.get(7)?.["rules"], ["csv:too_many_columns"]);
    assert.equal(JSON.parse(String(byLine.get(7)?.["row"])), "4,30,too,many,fields");
    assert.deepEqual(new Set(byLine.keys()), new Set([3, 4, 5, 7, 8, 9]));
    assert.equal(batch?.rules["csv:missing_columns"], 1);
  });

  it("many bad rows in several files are all held, each with its own record", async () => {
    const { folder, runCapture, rows, batches } = await openDataProject(kind);
    await writeFile(
      join(folder, "contract.yaml"),
      contract("      - { name: id, logicalType: integer, required: true, logicalTypeOptions: { minimum: 0 } }\n"),
    );
    const [many, few] = [90_000, 300];
    for (const [name, count] of [
      ["few", few],
      ["many", many],
    ] as const) {
      await writeFile(
        join(folder, `${name}.csv`),
        `id\n${Array.from({ length: count }, (_, row) => (row % 3 === 0 ? -1 - row : row)).join("\n")}\n`,
      );
    }
    const { versions, outcome } = await runCapture({ capture: { files: "*.csv" }, contract: "contract.yaml" });
    assert.deepEqual(
      [outcome.facts?.["read"], outcome.facts?.["published"], outcome.facts?.["quarantined"]],
      [many + few, ((many + few) * 2) / 3, (many + few) / 3],
    );
    assert.deepEqual(await rows(versions[0], "select count(*)::int as n, min(id)::int as low from d"), [
      { n: ((many + few) * 2) / 3, low: 1 },
    ]);
    assert.deepEqual(
      new Map((await batches()).map((batch) => [batch.sourcePath, batch.rows])),
      new Map([
        ["few.csv", few / 3],
        ["many.csv", many / 3],
      ]),
    );
  });

  it("a file that cannot be read is held back whole and harms no other", async () => {
    const { folder, runCapture, batches } = await openDataProject(kind);
    const flights = await readFile(new URL("../../node_modules/vega-datasets/data/airports.csv", import.meta.url));
    await writeFile(join(folder, "good.csv"), "id\n1\n");
    await writeFile(join(folder, "empty.csv"), "");
    await writeFile(join(folder, "header.csv"), "id\n");
    await writeFile(join(folder, "twice.csv"), "id,ID\n1,2\n");
    await writeFile(join(folder, "other.csv"), flights.subarray(0, 500));
    await writeFile(join(folder, "broken.csv.gz"), gzipSync("id\n2\n").subarray(0, 12));
    await writeFile(join(folder, "packed.csv.gz"), gzipSync("\ufeffid\r\n3\r\n"));
    await writeFile(join(folder, "cut.parquet"), "PAR1 and no end");
    await writeFile(join(folder, "unknown.xyz"), "?");
    await writeFile(
      join(folder, "contract.yaml"),
      contract("      - { name: id, logicalType: integer, required: true }\n"),
    );
    const { outcome, versions } = await runCapture({
      capture: { files: ["*.csv", "*.gz", "*.parquet", "*.xyz"] },
      contract: "contract.yaml",
    });
    assert.equal(versions[0]?.rowCount, 3);
    assert.equal(outcome.facts?.["filesHeldBack"], 5);
    const problems = new Map((await batches()).map((batch) => [batch.sourcePath, batch.fileProblem ?? ""]));
    assert.match(problems.get("empty.csv") ?? "", /empty/);
    assert.match(problems.get("other.csv") ?? "", /required column "id" is missing; the file has iata/);
    assert.match(problems.get("cut.parquet") ?? "", /not a whole Parquet file/);
    assert.match(problems.get("unknown.xyz") ?? "", /capture.format/);
    assert.ok(problems.has("broken.csv.gz"));
  });

  it("a real Parquet file that was cut is held back", async () => {
    const { folder, runCapture } = await openDataProject(kind);
    const source = new URL("../../node_modules/vega-datasets/data/flights-3m.parquet", import.meta.url);
    await copyFile(source, join(folder, "cut.parquet"));
    await truncate(join(folder, "cut.parquet"), 1_000_000);
    await writeFile(join(folder, "good.csv"), "id\n1\n");
    const { outcome } = await runCapture({ capture: { files: ["*.csv", "*.parquet"] } });
    assert.deepEqual([outcome.facts?.["filesHeldBack"], outcome.facts?.["published"]], [1, 1]);
  });

  it("NDJSON and JSON keep numbers, texts that look like numbers, and nested values; bad lines are held", async () => {
    const { folder, runCapture, rows, batches } = await openDataProject(kind);
    await writeFile(
      join(folder, "a.ndjson"),
      '{"id":1,"code":"007","when":"2001-01-01T10:00:00Z","deep":{"x":[1,2]}}\n{"id":2,"code":"8"\n\n[1]\n{"id":3,"more":true}\n',
    );
    await writeFile(join(folder, "b.json"), '[{"id":4,"code":"x"},{"id":5}]');
    const { versions, outcome } = await runCapture({ capture: { files: ["*.ndjson", "*.json"] } });
    assert.deepEqual([outcome.facts?.["read"], outcome.facts?.["quarantined"]], [6, 2]);
    assert.deepEqual(await rows(versions[0], "select * from d where id in (1, 3, 4) order by id"), [
      { id: 1, code: "007", when: "2001-01-01T10:00:00Z", deep: '{"x":[1,2]}', more: null },
      { id: 3, code: null, when: null, deep: null, more: true },
      { id: 4, code: "x", when: null, deep: null, more: null },
    ]);
    assert.deepEqual((await batches())[0]?.rules, { "json:malformed": 1, "json:not_an_object": 1 });
  });

  it("columns the dataset does not have are added, refused, or cost the row or the value", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    for (const mode of ["evolve", "freeze", "discard_row", "discard_value"] as const) {
      await writeFile(join(folder, `${mode}-1.csv`), `id\n1${mode.length}\n`);
      await runCapture({ capture: { files: `${mode}-*.csv` }, schema_contract: mode }, mode);
      await writeFile(join(folder, `${mode}-2.csv`), "id,extra\n2,x\n3,\n");
      const { versions } = await runCapture(
        { capture: { files: `${mode}-*.csv`, allow_empty: true }, schema_contract: mode },
        mode,
      );
      const columns = (versions[0]?.content as DatasetContent | undefined)?.columns.map(({ name }) => name);
      const expected = {
        evolve: [3, ["id", "extra"]],
        freeze: [1, ["id"]],
        discard_row: [2, ["id"]],
        discard_value: [3, ["id"]],
      }[mode];
      assert.deepEqual([versions[0]?.rowCount, columns], expected, mode);
      void rows;
    }
  });

  it("one version per file when asked, limits and rules about the dataset decide whether anything is published", async () => {
    const { folder, runCapture, batches } = await openDataProject(kind);
    for (const week of [1, 2, 3])
      await writeFile(join(folder, `w${week}.csv`), `id,week\n${week},${week}\n${week + 10},${week}\n`);
    const { versions } = await runCapture({ capture: { files: "w*.csv", version_per: "file" } });
    assert.deepEqual(
      versions.map(({ version, rowCount }) => [version, rowCount]),
      [
        [1, 2],
        [2, 4],
        [3, 6],
      ],
    );
    await writeFile(
      join(folder, "contract.yaml"),
      contract("      - { name: id, logicalType: integer, logicalTypeOptions: { maximum: 10 }, unique: true }\n"),
    );
    await writeFile(join(folder, "bad.csv"), "id\n5\n99\n");
    await assert.rejects(
      runCapture({ capture: { files: "bad.csv" }, contract: "contract.yaml", quarantine: { max_percent: 10 } }, "d2"),
      /bad.csv: 1 \(50 %\) of 2 rows break the contract, at most 10 % may: maximum:id: 1 row, line 3: id is "99": must be at most 10/,
    );
    await writeFile(join(folder, "dup.csv"), "id\n5\n5\n");
    await assert.rejects(
      runCapture({ capture: { files: "dup.csv" }, contract: "contract.yaml" }, "d3"),
      /unique:id: duplicates over \(id\) must be 0, but it is 1/,
    );
    assert.match((await batches("d2"))[0]?.fileProblem ?? "", /maximum:id/);
    await assert.rejects(runCapture({ capture: { files: "../*.csv" } }, "d4"), { code: "DATA_CAPTURE_FILE_OUTSIDE" });
    await assert.rejects(runCapture({ capture: { files: "none-*.csv" } }, "d5"), {
      code: "DATA_CAPTURE_FILES_MISSING",
    });
  });
});
