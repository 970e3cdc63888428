import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { createDatasetStorage, type DatasetContent, replayQuarantine, type SqlDeclaration } from "#data";
import { type AssetVersion, getAssetVersion } from "#metadata-store";
import { listQuarantineBatches } from "#metadata-store/data";
import type { AttemptContext } from "#pipeline";
import { createFileSystemFiles } from "#storage";
import { describeStores } from "../setup/stores.ts";
import { type DataProject, openDataProject } from "./data-project.ts";

const contract = (properties: string, quality = ""): string =>
  `apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: d\n    properties:\n${properties}${quality === "" ? "" : `    quality:\n${quality}`}`;
const PROPERTIES = `      - { name: id, logicalType: integer, required: true, unique: true }
      - name: n
        logicalType: number
        logicalTypeOptions: { minimum: 0 }
        quality: [{ id: small, type: custom, engine: esteira, implementation: n < 100, severity: warning }]
`;
const DECLARATION: SqlDeclaration = { sql: "sql/d.sql", contract: "c.yaml" };
const contentOf = (version: AssetVersion | undefined): DatasetContent | undefined =>
  version?.content as DatasetContent | undefined;

async function opened(kind: Parameters<typeof openDataProject>[0], csv: string): Promise<DataProject> {
  const project = await openDataProject(kind);
  await writeFile(join(project.folder, "a.csv"), csv);
  await project.runCapture({ capture: { files: "a.csv" } }, "a");
  await project.write("sql/d.sql", "SELECT id, n FROM a -- all\n");
  await project.write("c.yaml", contract(PROPERTIES));
  return project;
}

describeStores("a contract of a model", (kind) => {
  it("holds back the rows of a query that break it, with rule and value, and publishes the others", async () => {
    const project = await opened(kind, "id,n\n1,1\n2,-2\n3,\n,4\n5,500\n");
    const { run, sql, rows, batches, held, logged, preview, write } = project;
    const known = { a: "data", d: "data" } as const;
    assert.equal(
      await preview(sql, DECLARATION, "d", known),
      "checks 3 rules about rows and 1 rule about the dataset of c.yaml",
    );
    const { outcome, versions } = await run(sql, DECLARATION, "d", ["a"]);
    assert.deepEqual(await rows(versions[0], "select id::int as id, n::int as n from d order by id"), [
      { id: 1, n: 1 },
      { id: 3, n: null },
      { id: 5, n: 500 },
    ]);
    assert.deepEqual(outcome.facts, { rows: 3, quarantined: 2 });
    const content = contentOf(versions[0]);
    assert.deepEqual(content?.quarantine, {
      read: 5,
      published: 3,
      quarantined: 2,
      rules: { "minimum:n": 1, "required:id": 1 },
    });
    assert.deepEqual(
      content?.checks?.map(({ id, value, holds }) => ({ id, value, holds })),
      [{ id: "unique:id", value: "0", holds: true }],
    );
    assert.ok(logged.includes("warning: 1 row breaks small and is published"));
    const [batch] = await batches();
    assert.deepEqual([batch?.sourcePath, batch?.sourceFormat, batch?.rows], ["sql/d.sql", "sql", 2]);
    assert.deepEqual(
      (await held(batch)).map(({ messages }) => messages),
      [['n is "-2": must be at least 0'], ["id is missing: must have a value"]],
    );
    // The same again, with the rows made anew: what was held before is closed, nothing is held twice.
    await run(sql, DECLARATION, "d", ["a"]);
    const all = await batches();
    assert.deepEqual(all.filter(({ closed }) => closed?.as === "superseded").length, 1);
    // A wider rule lets a held row in.
    await write("c.yaml", contract(PROPERTIES.replace("minimum: 0", "minimum: -5")));
    const open = all.find(({ closed }) => closed === undefined);
    const replayed = await replayQuarantine(project, {
      batchId: open?.id ?? "",
      contract: { path: "c.yaml", text: contract(PROPERTIES.replace("minimum: 0", "minimum: -5")) },
      actor: "me",
    });
    assert.deepEqual([replayed.replayed, replayed.held], [1, 1]);
    assert.deepEqual(await rows(replayed.version, "select count(*)::int as n, min(n)::int as least from d"), [
      { n: 4, least: -2 },
    ]);
  });

  it("fails beyond its limits, when no row is left, and when the dataset as a whole breaks a rule", async () => {
    const { run, sql, write, store, analyse } = await opened(kind, "id,n\n1,1\n2,-2\n1,3\n");
    await assert.rejects(
      run(sql, { ...DECLARATION, quarantine: { max_rows: 0 } }, "d", ["a"]),
      /1 of 3 rows break the contract, at most 0 may: minimum:n: 1 row, such as n is "-2"/,
    );
    await assert.rejects(run(sql, DECLARATION, "d", ["a"]), /unique:id: .*, but it is 1/);
    assert.equal(
      await store.read((transaction) => getAssetVersion(transaction, { project: "p", asset: "d" })),
      undefined,
    );
    assert.deepEqual(
      await store.read((transaction) => listQuarantineBatches(transaction, { project: "p", dataset: "d" })),
      [],
      "nothing is held of what was not published",
    );
    await write(
      "c.yaml",
      contract("      - { name: n, logicalType: number, logicalTypeOptions: { minimum: 1000 } }\n"),
    );
    await assert.rejects(run(sql, DECLARATION, "d", ["a"]), /none is left/);
    await write(
      "c.yaml",
      contract("      - { name: n, logicalType: date }\n      - { name: gone, logicalType: string }\n"),
    );
    const known = { a: "data", d: "data" } as const;
    const { problems } = await analyse(sql, DECLARATION, "d", known);
    assert.deepEqual(
      problems.map(({ message }) => message),
      [
        'there is no column "gone", which the contract describes; there are id, n',
        '"n" is BIGINT, and the contract says DATE',
      ],
    );
    await write(
      "c.yaml",
      contract(
        `      - name: n\n        logicalType: number\n        customProperties: [{ property: treatment, value: { default: 0 } }]\n`,
      ),
    );
    assert.match((await analyse(sql, DECLARATION, "d", known)).problems[0]?.message ?? "", /treatments of n/);
    assert.match(
      (await analyse(sql, { ...DECLARATION, contract: "no.yaml" }, "d", known)).problems[0]?.message ?? "",
      /no.yaml/,
    );
  });

  it("holds for what a program left, and for merged rows: those that break it stay out of the merge", async () => {
    const project = await opened(kind, "id,n\n1,1\n2,2\n");
    const { run, sql, rows, storeFolder, store, clock, objects, analytics, datasets, folder, record, batches, logged } =
      project;
    const merged = { ...DECLARATION, write: { merge: ["id"] } };
    await run(sql, merged, "d", ["a"]);
    await writeFile(join(folder, "a.csv"), "id,n\n1,-1\n2,20\n3,3\n");
    await project.runCapture({ capture: { files: "a.csv" } }, "a");
    const { versions } = await run(sql, merged, "d", ["a"]);
    assert.deepEqual(await rows(versions[0], "select id::int as id, n::int as n from d order by id"), [
      { id: 1, n: 1 },
      { id: 2, n: 20 },
      { id: 3, n: 3 },
    ]);
    const files = createFileSystemFiles({ root: join(storeFolder, "datasets") });
    const storage = createDatasetStorage({ store, objects, clock, analytics, datasets, files });
    const left = join(storeFolder, "left");
    await mkdir(left);
    await writeFile(join(left, "rows.csv"), "id,n\n7,7\n8,-8\n");
    const attempt = {
      declaration: { python: "src/d.py", makes: "data", contract: "c.yaml" },
      project: "p",
      projectFolder: folder,
      step: "d",
      pipelineRunId: "r",
      stepRunId: "s",
      attemptId: "t",
      actor: "me",
      workFolder: join(storeFolder, "work"),
      signal: new AbortController().signal,
      log: (text: string) => void (logged as string[]).push(text),
    } as unknown as AttemptContext<unknown>;
    const published = await storage.publish({ asset: "d", kind: "data", folder: left }, attempt);
    assert.deepEqual(published.facts, { quarantined: 1 });
    const [version] = await record({
      status: "succeeded",
      made: [published.made],
      ...(published.alsoWrite === undefined ? {} : { alsoWrite: published.alsoWrite }),
    });
    assert.deepEqual(await rows(version, "select id::int as id from d"), [{ id: 7 }]);
    const [open] = (await batches()).filter(({ closed }) => closed === undefined);
    assert.deepEqual([open?.sourcePath, open?.sourceFormat, open?.rules], ["src/d.py", "python", { "minimum:n": 1 }]);
  });
});

describeStores("an anomaly rule", (kind) => {
  const rule = (anomaly: string, more = ""): string =>
    `{ type: custom, engine: esteira, implementation: { anomaly: ${anomaly}, least: 3${more} } }`;
  const UNUSUAL = contract(
    `      - { name: id, logicalType: integer }\n      - { name: n, logicalType: number, quality: [${rule("missing")}, ${rule("mean")}] }\n`,
    `      - ${rule("rows")}\n`,
  );

  it("is quiet with too few versions, and says so; then what is far from them is a warning or an error", async () => {
    const { write, folder, runCapture, logged } = await openDataProject(kind);
    await write("c.yaml", UNUSUAL);
    const declaration = { capture: { files: "*.csv" }, contract: "c.yaml" };
    const day = async (number: number, lines: readonly string[]): Promise<DatasetContent | undefined> => {
      (logged as string[]).length = 0;
      await writeFile(join(folder, `${String(number).padStart(2, "0")}.csv`), `id,n\n${lines.join("\n")}\n`);
      return contentOf((await runCapture(declaration)).versions[0]);
    };
    const usual = (from: number, count: number): readonly string[] =>
      Array.from({ length: count }, (_, index) => `${from + index},${10 + (index % 3)}`);
    for (const [index, count] of [100, 103, 98].entries()) {
      const content = await day(index, usual(index * 1000, count));
      assert.deepEqual(
        content?.checks?.map(({ holds }) => holds),
        [undefined, undefined, undefined],
      );
      assert.equal(content?.measured?.["rows"], count, "what the run brought, not the whole");
      assert.ok(
        logged.includes(
          `anomaly:rows: not judged yet: it has ${index} ${index === 1 ? "version" : "versions"} to compare with, and needs 3`,
        ),
        logged.join("\n"),
      );
    }
    const fine = await day(10, usual(10_000, 101));
    assert.deepEqual(
      fine?.checks?.map(({ holds }) => holds),
      [true, true, true],
    );
    const odd = await day(11, [
      ...usual(11_000, 10),
      ...Array.from({ length: 10 }, (_, index) => `${index},`),
      "9,900",
    ]);
    assert.deepEqual(
      odd?.checks?.map(({ id, holds }) => [id, holds]),
      [
        ["anomaly:missing:n", false],
        ["anomaly:mean:n", false],
        ["anomaly:rows", false],
      ],
    );
    assert.match(
      logged.find((line) => line.startsWith("warning: anomaly:rows")) ?? "",
      /the number of rows must be between .* and .*, as in 4 versions before, but it is 21/,
    );
    await write(
      "c.yaml",
      UNUSUAL.replaceAll("least: 3", "least: 3").replace("rows, least: 3 } }", "rows, least: 3 }, severity: error }"),
    );
    await writeFile(join(folder, "12.csv"), "id,n\n1,11\n");
    await assert.rejects(day(12, ["1,11"]), /anomaly:rows/);
  });

  it("compares with the same day of the week where it is told to, and refuses what it cannot be", async () => {
    const { write, runCapture, folder, store, capture, analyse } = await openDataProject(kind);
    const weekly = contract(
      "      - { name: id, logicalType: integer }\n",
      `      - ${rule("rows", ", season: weekday")}\n`,
    );
    await write("c.yaml", weekly);
    await writeFile(join(folder, "1.csv"), "id\n1\n");
    const declaration = { capture: { files: "*.csv" }, contract: "c.yaml" };
    const { versions } = await runCapture(declaration);
    // Versions of the tests are of the first moment of 1970, a Thursday.
    const now = new Date().getUTCDay();
    await writeFile(join(folder, "2.csv"), "id\n2\n");
    const content = contentOf((await runCapture(declaration)).versions[0]);
    assert.match(
      content?.checks?.[0]?.expectation ?? "",
      now === 4 ? /it has 1 version of this weekday to/ : /it has 0 versions of this weekday to/,
    );
    assert.ok(versions.length === 1 && store !== undefined);
    const problems = async (text: string): Promise<readonly string[]> => {
      await write("c.yaml", text);
      return (await analyse(capture, declaration, "d")).problems.map(({ message }) => message);
    };
    assert.match((await problems(weekly.replace("anomaly: rows", "anomaly: mean")))[0] ?? "", /belongs to a property/);
    assert.match((await problems(weekly.replace("least: 3", "least: 0")))[0] ?? "", /not understood/);
    assert.match((await problems(weekly.replace("} }", "}, mustBe: 3 }")))[0] ?? "", /needs no figures/);
  });
});
