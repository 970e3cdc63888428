import assert from "node:assert/strict";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { it } from "node:test";
import { systemClock } from "#base";
import { askForCapture, type CaptureDeclaration, type DatasetContent, dropDataset, restoreDataset } from "#data";
import { getAssetVersion, listEvents } from "#metadata-store";
import { extendDatasetWrite, listCapturedFiles } from "#metadata-store/data";
import { describeStores } from "../setup/stores.ts";
import { openDataProject } from "./data-project.ts";

const contract = (properties: string): string =>
  `apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: d\n    properties:\n${properties}`;
const DECLARATION: CaptureDeclaration = { capture: { files: "*.csv" } };

describeStores("a file that was captured and has other content now", (kind) => {
  it("supersedes the rows that it brought before, in one version, also when one data file holds rows of several", async () => {
    const { folder, runCapture, rows, logged, capture } = await openDataProject(kind);
    for (const name of ["a", "b", "c"]) await writeFile(join(folder, `${name}.csv`), `name,n\n${name},1\n${name},2\n`);
    await runCapture(DECLARATION);
    await writeFile(join(folder, "d.csv"), "name,n\nd,1\n");
    await runCapture(DECLARATION);
    await writeFile(join(folder, "b.csv"), "name,n\nb,10\nb,20\nb,30\n");
    const plan = await capture.preview?.(DECLARATION, {
      project: "p",
      projectFolder: folder,
      step: "d",
      knownAssets: new Map(),
      readFile: async () => undefined,
      glob: async () => [],
    });
    assert.equal(plan, "files: 0 new, 1 changed, 3 unchanged; 2 rows will be superseded");
    const { versions, outcome } = await runCapture(DECLARATION);
    assert.deepEqual([versions.length, versions[0]?.version, outcome.facts?.["superseded"]], [1, 3, 2]);
    const expected = [
      ["a", 1],
      ["a", 2],
      ["b", 10],
      ["b", 20],
      ["b", 30],
      ["c", 1],
      ["c", 2],
      ["d", 1],
    ].map(([name, n]) => ({ name, n }));
    assert.deepEqual(await rows(versions[0], "select * from d order by name, n"), expected);
    assert.ok(logged.includes("2 rows superseded: what 1 changed file brought before"));
    // The rewritten data file still tells its rows apart.
    await writeFile(join(folder, "a.csv"), "name,n\na,5\n");
    await writeFile(join(folder, "d.csv"), "name,n\n");
    const next = await runCapture(DECLARATION);
    assert.deepEqual(await rows(next.versions[0], "select * from d order by name, n"), [
      { name: "a", n: 5 },
      ...expected.slice(2, 7),
    ]);
    const superseded = (next.versions[0]?.content as DatasetContent | undefined)?.superseded;
    assert.deepEqual([superseded?.files.map(({ path }) => path), superseded?.rows], [["a.csv", "d.csv"], 3]);
  });

  it("goes back to earlier content, is renamed, is rotated and is deleted without a row lost or doubled", async () => {
    const { folder, runCapture, rows, store, logged } = await openDataProject(kind);
    const count = async (run: Awaited<ReturnType<typeof runCapture>>): Promise<unknown> =>
      rows(run.versions[0], "select list(n::int order by n) as n from d");
    const put = (name: string, ...values: number[]): Promise<void> =>
      writeFile(join(folder, name), `n\n${values.join("\n")}\n`);
    await put("a.csv", 1);
    await runCapture(DECLARATION);
    await put("a.csv", 2);
    assert.deepEqual(await count(await runCapture(DECLARATION)), [{ n: [2] }]);
    await put("a.csv", 1);
    assert.deepEqual(await count(await runCapture(DECLARATION)), [{ n: [1] }]);
    await rename(join(folder, "a.csv"), join(folder, "a-old.csv"));
    await put("a.csv", 3);
    assert.deepEqual(await count(await runCapture(DECLARATION)), [{ n: [1, 3] }]);
    await put("a-old.csv", 4);
    assert.deepEqual(await count(await runCapture(DECLARATION)), [{ n: [3, 4] }]);
    await rm(join(folder, "a-old.csv"));
    await put("b.csv", 5);
    assert.deepEqual(await count(await runCapture(DECLARATION)), [{ n: [3, 4, 5] }]);
    assert.ok(logged.includes("1 captured file is not there any more; the rows stay"));
    const ledger = await store.read((transaction) => listCapturedFiles(transaction, { project: "p", dataset: "d" }));
    assert.deepEqual(ledger.map(({ path }) => path).sort(), ["a-old.csv", "a.csv", "b.csv"]);
  });

  it("keeps its earlier rows beside the new ones where the declaration says so", async () => {
    const { folder, runCapture, rows } = await openDataProject(kind);
    for (const n of [1, 2, 3]) {
      await writeFile(join(folder, "latest.csv"), `n\n${n}\n`);
      const { versions } = await runCapture({ capture: { files: "*.csv", changed: "append" } });
      assert.equal((await rows(versions[0], "select * from d")).length, n);
    }
  });

  it("takes the replayed rows of its earlier content along, and closes what of it was still held", async () => {
    const { folder, runCapture, rows, batches } = await openDataProject(kind);
    await writeFile(
      join(folder, "contract.yaml"),
      contract("      - { name: n, logicalType: integer, logicalTypeOptions: { maximum: 10 } }\n"),
    );
    const declaration: CaptureDeclaration = { capture: { files: "*.csv" }, contract: "contract.yaml" };
    await writeFile(join(folder, "a.csv"), "n\n1\n99\n");
    await runCapture(declaration);
    assert.deepEqual(
      (await batches()).map(({ held }) => held),
      [1],
    );
    await writeFile(join(folder, "a.csv"), "n\n1\n9\n");
    const { versions } = await runCapture(declaration);
    assert.deepEqual(await rows(versions[0], "select * from d order by n"), [{ n: 1 }, { n: 9 }]);
    const [batch] = await batches();
    assert.deepEqual([batch?.held, batch?.superseded, batch?.closed?.as], [0, 1, "superseded"]);
    assert.match(batch?.closed?.reason ?? "", /a corrected a\.csv was captured, version 2/);
  });

  it("keeps its earlier rows when no row of the new content can be published", async () => {
    const { folder, runCapture, rows, store } = await openDataProject(kind);
    await writeFile(
      join(folder, "contract.yaml"),
      contract("      - { name: n, logicalType: integer, logicalTypeOptions: { maximum: 10 } }\n"),
    );
    const declaration: CaptureDeclaration = { capture: { files: "*.csv" }, contract: "contract.yaml" };
    await writeFile(join(folder, "a.csv"), "n\n1\n");
    await writeFile(join(folder, "b.csv"), "n\n2\n");
    await runCapture(declaration);
    await writeFile(join(folder, "a.csv"), "n\n77\n");
    await writeFile(join(folder, "c.csv"), "n\n3\n");
    const { versions } = await runCapture(declaration);
    assert.deepEqual(await rows(versions[0], "select * from d order by n"), [{ n: 1 }, { n: 2 }, { n: 3 }]);
    await writeFile(join(folder, "a.csv"), "n\n7\n");
    const corrected = await runCapture(declaration);
    assert.deepEqual(await rows(corrected.versions[0], "select * from d order by n"), [{ n: 2 }, { n: 3 }, { n: 7 }]);
    assert.equal(
      (await store.read((transaction) => listCapturedFiles(transaction, { project: "p", dataset: "d" }))).length,
      3,
    );
  });
});

describeStores("a dataset that is restored or dropped", (kind) => {
  it("keeps out what came later until it changes or is asked for, and a changed file still supersedes what came back", async () => {
    const { folder, runCapture, rows, logged, store, datasets } = await openDataProject(kind);
    const change = { store, datasets, clock: systemClock, project: "p" };
    const put = (name: string, ...values: number[]): Promise<void> =>
      writeFile(join(folder, name), `n\n${values.join("\n")}\n`);
    await put("a.csv", 1, 2);
    await runCapture(DECLARATION);
    await put("a.csv", 3);
    await put("b.csv", 4);
    await runCapture(DECLARATION);
    const { version } = await restoreDataset(change, { dataset: "d", version: 1, actor: "me" });
    assert.deepEqual([version.version, (version.content as DatasetContent).restoredFrom], [3, 1]);
    assert.deepEqual(await rows(version, "select n from d order by n"), [{ n: 1 }, { n: 2 }]);
    assert.equal((await runCapture(DECLARATION)).versions[0]?.version, 3);
    assert.ok(logged.some((line) => line.startsWith("b.csv stays out")));
    await askForCapture(change, { dataset: "d", actor: "me", files: ["b.csv"], exists: async () => true });
    assert.deepEqual(await rows((await runCapture(DECLARATION)).versions[0], "select n from d order by n"), [
      { n: 1 },
      { n: 2 },
      { n: 4 },
    ]);
    await put("a.csv", 5);
    assert.deepEqual(await rows((await runCapture(DECLARATION)).versions[0], "select n from d order by n"), [
      { n: 4 },
      { n: 5 },
    ]);
    const events = await store.read((transaction) => listEvents(transaction, { after: 0, limit: 1000 }));
    assert.deepEqual(
      events.filter(({ type }) => type.startsWith("dataset.")).map(({ type, actor }) => [type, actor]),
      [
        ["dataset.restored", "me"],
        ["dataset.capture_asked", "me"],
      ],
    );
  });

  it("starts anew when it is made again after a drop; a restoration or a drop that died before it was recorded is taken back", async () => {
    const { folder, runCapture, rows, store, datasets } = await openDataProject(kind);
    const change = { store, datasets, clock: systemClock, project: "p" };
    await writeFile(join(folder, "a.csv"), "n\n1\n");
    await runCapture(DECLARATION);
    await writeFile(join(folder, "b.csv"), "n\n2\n");
    const second = (await runCapture(DECLARATION)).versions[0];
    const first = await store.read((transaction) =>
      getAssetVersion(transaction, { project: "p", asset: "d", version: 1 }),
    );
    for (const [operationId, state] of [
      ["restore:dead", first],
      ["drop:dead", "dropped"],
    ] as const) {
      await datasets.write({ project: "p", asset: "d", operationId, disposition: "replace", select: "", state });
      await store.write((transaction) =>
        extendDatasetWrite(transaction, { project: "p", asset: "d", operationId, expiresAtMs: 0 }),
      );
    }
    await writeFile(join(folder, "c.csv"), "n\n3\n");
    assert.deepEqual(await rows((await runCapture(DECLARATION)).versions[0], "select n from d order by n"), [
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ]);
    await assert.rejects(dropDataset(change, { dataset: "d", actor: "me", needs: ["step x/d makes it"] }), {
      code: "DATA_DATASET_NEEDED",
    });
    await dropDataset(change, { dataset: "d", actor: "me", needs: [] });
    assert.equal(
      await store.read((transaction) => getAssetVersion(transaction, { project: "p", asset: "d" })),
      undefined,
    );
    assert.deepEqual(await rows(second, "select n from d order by n"), [{ n: 1 }, { n: 2 }]);
    await writeFile(join(folder, "a.csv"), "other\nx\n");
    const { versions } = await runCapture({ capture: { files: "a.csv" } });
    assert.deepEqual([versions[0]?.version, await rows(versions[0], "select * from d")], [5, [{ other: "x" }]]);
  });
});

describeStores("a table of an earlier release, whose files do not tell their sources,", (kind) => {
  it("loses exactly the rows of a changed file, by what is recorded of its versions; where that is not enough, the run says so", async () => {
    const { folder, storeFolder, runCapture, rows, datasets, record } = await openDataProject(kind);
    const { readFile, readdir } = await import("node:fs/promises");
    for (const name of ["a", "b"]) await writeFile(join(folder, `${name}.csv`), `name,n\n${name},1\n${name},2\n`);
    await runCapture(DECLARATION);
    await writeFile(join(folder, "c.csv"), "name,n\nc,1\n");
    await runCapture(DECLARATION);
    const log = join(storeFolder, "datasets/d/_delta_log");
    for (const name of (await readdir(log)).filter((each) => each.endsWith(".json"))) {
      const lines = (await readFile(join(log, name), "utf8"))
        .split("\n")
        .map((line) =>
          line === "" ? "" : JSON.stringify(withoutSources(JSON.parse(line) as Record<string, unknown>)),
        );
      await writeFile(join(log, name), lines.join("\n"));
    }
    await writeFile(join(folder, "a.csv"), "name,n\na,9\n");
    const { versions } = await runCapture(DECLARATION);
    assert.deepEqual(await rows(versions[0], "select * from d order by name, n"), [
      { name: "a", n: 9 },
      { name: "b", n: 1 },
      { name: "b", n: 2 },
      { name: "c", n: 1 },
    ]);
    const operation = { project: "p", asset: "d", operationId: "merge" };
    const made = await datasets.write({
      ...operation,
      disposition: { merge: ["name", "n"] },
      select: "select 'b' as name, 1::bigint as n union all select 'a', 9",
    });
    await record({
      status: "succeeded",
      made: [made],
      alsoWrite: (transaction) => datasets.settle(transaction, operation),
    });
    await writeFile(join(folder, "b.csv"), "name,n\nb,7\n");
    await assert.rejects(
      runCapture(DECLARATION),
      (error: Error & { code?: string; hint?: string }) =>
        error.code === "DATA_SOURCE_ROWS_UNKNOWN" &&
        /b\.csv changed, but of the 2 rows/.test(error.message) &&
        /--again all/.test(error.hint ?? ""),
    );
  });
});

function withoutSources(action: Record<string, unknown>): unknown {
  const add = action["add"] as { tags?: Record<string, string> } | undefined;
  if (add?.tags !== undefined) delete add.tags["esteira.sources"];
  return action;
}
