import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import type { CaptureDeclaration } from "#data";
import { describeStores } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

const lines = (first: number, count: number): string =>
  Array.from({ length: count }, (_, index) => `${first + index},name ${first + index},${index}.5\n`).join("");

/** Files as they come: every one that is odd stands between good ones. */
const FILES: Readonly<Record<string, string | Uint8Array>> = {
  "01.csv": `id,name,x\n${lines(100, 3)}`,
  "02 a line too long, one too short.csv": `id,name,x\n${lines(200, 1)}201,a,1,2\n${lines(202, 1)}203\n${lines(204, 1)}`,
  "03 vazio.csv": "",
  "04 só cabeçalho.csv": "id,name,x\n",
  "05 [a]*?'\".csv": `id,name,x\n${lines(500, 2)}`,
  "06 日本語 ñ.csv": `id,name,x\n600,"ação, ""x""\nof two lines",1\n601,b,no number\n602,,\n`,
  "07.csv": `id,name,x\r\n700,a,1\r\n701,b,-2\r\n`,
  "08 without a last line feed.csv": "id,name,x\n800,a,1\n801,a,x",
  "09 BOM.csv": `\uFEFFid,name,x\n${lines(900, 2)}`,
  "10 no text.csv": Buffer.concat([
    Buffer.from("id,name,x\n1000,"),
    Buffer.from([0xff, 0xe3]),
    Buffer.from(",1\n1001,b,2\n"),
  ]),
  "11 other types.csv": `id,name,x\n1100,a,12:30\n1101,b,12:31\n1102,c,12:32\n`,
  "12 another column.csv": `id,name,x,new\n1200,a,1,2020-01-01\n`,
  "13 another column.csv": `id,name,x,new\n1300,a,1,2020-01-02\n1301,a,1,\n`,
  "14 a column less.csv": `id,name\n1400,a\n`,
  "15 a column less.csv": `id,name\n1500,a\n-1,a\n`,
  "16 other order.csv": `x,id,name\n1,1600,a\n`,
  "17 semicolons.csv": `id;name;x\n1700;a;1\n`,
  "18.csv.gz": gzipSync(`id,name,x\n${lines(1800, 2)}`),
  "19.csv.gz": gzipSync(`id,name,x\n${lines(1900, 2000)}`).subarray(0, 300),
  "20.csv.gz": gzipSync(`id,name,x\n${lines(4000, 2)}`),
  "21 file_index.csv": `id,file_index,x\n4100,7,1\n`,
  "22 file_index.csv": `id,file_index,x\n4200,8,1\n`,
  "23 twice.csv": `id,name,x,x\n4300,a,1,2\n`,
  "24 twice.csv": `id,name,x,x\n4400,a,1,2\n`,
  "25 blank line.csv": `id,name,x\n4500,a,1\n\n4501,a,one\n`,
  "26.csv": `id,name,x\n-4,a,1\n-5,a,1\n4600,a,1\n`,
};

const object = (id: number, more: object = {}): string => JSON.stringify({ id, name: `name ${id}`, x: 0.5, ...more });

const OBJECTS: Readonly<Record<string, string | Uint8Array>> = {
  "01.ndjson": `${object(100)}\n${object(101)}\n`,
  "02 not whole.ndjson": `${object(200)}\n{"id": 201,\n[1]\n\n7\n${object(202)}`,
  "03 vazio.ndjson": "",
  "04 blank lines.ndjson": "\n\n",
  "05 [a]*?'\" ñ.ndjson": `${object(500, { name: 'ação\n"x"' })}\r\n${object(501)}\r\n`,
  "06 other types.ndjson": `${object(600, { x: "12:30" })}\n${object(601, { x: "12:31" })}\n`,
  "07 one bad value.ndjson": `${object(700, { x: "half" })}\n${object(701)}\n${object(702)}\n`,
  "08 another key.ndjson": `${object(800, { new: "2020-01-01", "a/b~c d": 1 })}\n${object(801, { new: null })}\n`,
  "09 another key.ndjson": `${object(900, { new: "2020-01-02", deep: { a: [1, 2] } })}\n`,
  "10 a key less.ndjson": `{"id":1000}\n{"name":"a"}\n{}\n`,
  "11 no text.ndjson": Buffer.concat([Buffer.from(`{"id":1100,"name":"`), Buffer.from([0xff]), Buffer.from(`"}\n`)]),
  "12.ndjson.gz": gzipSync(`${object(1200)}\n`),
  "13.ndjson.gz": gzipSync(Array.from({ length: 999 }, (_, index) => object(index * 7919)).join("\n")).subarray(0, 400),
  "14.ndjson": `${object(-4)}\n${object(1400)}\n{"id":1401,"name":null}\n`,
};

const CONTRACT = `apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: d
    properties:
      - { name: id, logicalType: integer, required: true, logicalTypeOptions: { minimum: 0 } }
      - { name: name, quality: [{ metric: nullValues, mustBe: 0, severity: warning }] }
`;

async function writeFiles({ folder }: DataProject): Promise<void> {
  for (const [name, content] of Object.entries({ ...FILES, ...OBJECTS })) await writeFile(join(folder, name), content);
  await writeFile(join(folder, "contract.yaml"), CONTRACT);
}

async function outcomeOf(project: DataProject, declaration: CaptureDeclaration): Promise<unknown> {
  const { versions, outcome } = await project.runCapture(declaration);
  const batches = await project.batches();
  const held = await Promise.all(
    batches.map(async (batch) => ({
      file: batch.sourcePath,
      problem: batch.fileProblem,
      rows: batch.rows,
      rules: batch.rules,
      held: batch.fileProblem === undefined ? await project.held(batch) : [],
    })),
  );
  return {
    facts: outcome.facts,
    blocks: outcome.blocks,
    rows: await project.rows(versions.at(-1), "select * from d"),
    held: held.sort((left, right) => (left.file < right.file ? -1 : 1)),
    warnings: project.logged.filter((line) => line.startsWith("warning")).length > 0,
  };
}

describe("many small files of one run", () => {
  it("bring the same rows in the same order, held rows, lines and reasons as each by itself, however odd some are", async () => {
    for (const [files, more] of [
      [["*.csv", "*.csv.gz"], { contract: "contract.yaml" }],
      [["*.csv", "*.csv.gz"], { schema_contract: "discard_row" as const }],
      [["*.ndjson", "*.ndjson.gz"], {}],
      [["*.ndjson", "*.ndjson.gz"], { contract: "contract.yaml" }],
    ] as const) {
      const declaration = { capture: { files: [...files] }, ...more };
      const [together, alone] = [await openDataProject("sqlite"), await openDataProject("sqlite")];
      await writeFiles(together);
      await writeFiles(alone);
      const found = await outcomeOf(together, declaration);
      assert.deepEqual(
        found,
        await outcomeOf(alone, { ...declaration, capture: { ...declaration.capture, version_per: "file" } }),
      );
      assert.equal(
        (await readdir(join(together.storeFolder, "datasets", "d"))).filter((name) => name.startsWith("part-")).length,
        1,
      );
    }
  });
});

describeStores("the small files of one run", (kind) => {
  it("are superseded one by one", async () => {
    const project = await openDataProject(kind);
    const { folder, runCapture, rows } = project;
    for (let number = 0; number < 6; number++)
      await writeFile(join(folder, `${number}.csv`), `id\n${10 + number}0\n${10 + number}1\n`);
    await runCapture({ capture: { files: "*.csv" } });
    await writeFile(join(folder, "2.csv"), "id\n129\n");
    await writeFile(join(folder, "4.csv"), "id\n149\n");
    const { outcome, versions } = await runCapture({ capture: { files: "*.csv" } });
    assert.equal(outcome.facts?.["superseded"], 4);
    assert.deepEqual(
      (await rows(versions[0], "select id from d order by id")).map(({ id }) => id),
      [100, 101, 110, 111, 129, 130, 131, 149, 150, 151],
    );
  });

  it("a thousand cost no thousand statements, and each is in the ledger with its rows", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    await mkdir(join(folder, "in"));
    for (let number = 0; number < 1000; number++)
      await writeFile(
        join(folder, "in", `${number}.csv`),
        `id,name\n${number},a\n${number % 100 === 7 ? "x" : number},b\n`,
      );
    const { outcome, versions } = await runCapture({ capture: { files: "in/*.csv" } });
    assert.deepEqual(outcome.facts, { files: 1000, filesHeldBack: 0, read: 2000, published: 1990, quarantined: 10 });
    assert.deepEqual(
      await rows(versions[0], "select count(*)::INTEGER as n, count(distinct id)::INTEGER as ids from d"),
      [{ n: 1990, ids: 1000 }],
    );
    const again = await runCapture({ capture: { files: "in/*.csv" } });
    assert.equal(again.outcome.facts?.["files"], 0);
  });

  it("one that vanishes while they are read is held back, and captured when it is there again", async () => {
    const { folder, runCapture, rows, logged } = await openDataProject(kind);
    const texts = logged as string[];
    for (let number = 0; number < 5; number++) await writeFile(join(folder, `${number}.csv`), `id\n${number}\n`);
    // The run says that it found a copy when it knows the files and has read none.
    await writeFile(join(folder, "copy.csv"), `id\n0\n`);
    texts.push = (text) => {
      if (text?.includes("same bytes") === true) rmSync(join(folder, "3.csv"), { force: true });
      return Array.prototype.push.call(texts, text);
    };
    const { versions } = await runCapture({ capture: { files: "*.csv" } });
    Reflect.deleteProperty(texts, "push");
    assert.deepEqual(
      (await rows(versions[0], "select id from d order by id")).map(({ id }) => id),
      [0, 1, 2, 4],
    );
    assert.ok(logged.includes("3.csv: held back whole: the file is gone since this run found it"));
    await writeFile(join(folder, "3.csv"), `id\n3\n`);
    const again = await runCapture({ capture: { files: "*.csv" } });
    assert.equal(again.versions[0]?.rowCount, 5);
  });
});
