// Every version of every table that the demo's pipelines make, read by the Python package deltalake: the same rows.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import { silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets, type DatasetContent } from "#data";
import { listAssetVersions, openMetadataStore } from "#metadata-store";
import { createFileSystemBlobs, createFileSystemFiles } from "#storage";
import { createFlightsProject, writeSourceFiles } from "../crash/flights-project.ts";
import { runEsteira } from "../setup/command-line.ts";
import { testPython } from "../setup/python-environment.ts";
import { temporaryFolder } from "../setup/stores.ts";

const TABLES = ["raw_flights", "flights", "airport_day", "route_week", "training_set"];
const COPY = fileURLToPath(new URL("../data/deltalake-copy.py", import.meta.url));

it("deltalake reads the tables of the demo with the same rows, in every version", { timeout: 180_000 }, async () => {
  const found = await testPython(["deltalake", "pyarrow"]);
  assert.ok("python" in found, "problem" in found ? found.problem : "");
  const folder = await temporaryFolder();
  await mkdir(join(folder, "data"));
  await writeSourceFiles(join(folder, "data"));
  const project = await createFlightsProject(join(folder, "flights"), join(folder, "data"));
  for (const words of [
    ["run", "flights"],
    ["run", "delay", "--only", "training_set"],
  ]) {
    const { code, stdout, stderr } = await runEsteira(project.folder, words);
    assert.equal(code, 0, stdout + stderr);
  }
  const store = await openMetadataStore(join(project.store, "metadata.sqlite"));
  const analytics = createAnalytics({ folder: join(folder, "spill") });
  after(async () => {
    analytics.close();
    await store.close();
  });
  const datasets = createDatasets({
    store,
    objects: createFileSystemBlobs(join(project.store, "objects")),
    files: createFileSystemFiles({ root: join(project.store, "datasets") }),
    analytics,
    clock: systemClock,
    log: silentLog,
  });
  const connection = await analytics.connect();
  after(() => connection.close());
  const compared: Record<string, number> = {};
  for (const asset of TABLES) {
    for (const version of await store.read((transaction) =>
      listAssetVersions(transaction, { project: "flights", asset }),
    )) {
      const { table, deltaVersion } = version.content as unknown as DatasetContent;
      const copy = join(folder, `${asset}-${version.version}.parquet`);
      execFileSync(found.python, [COPY, join(project.store, "datasets", table), String(deltaVersion), copy], {
        stdio: ["ignore", "ignore", "pipe"],
      });
      const [ours, theirs] = [
        `(select * from ${await datasets.relation(version)})`,
        `(select * from read_parquet('${copy}'))`,
      ];
      const [row] = await connection.rows(
        `select (select count(*) from ${theirs})::int as n, (select count(*) from (${ours} except all ${theirs}))::int as missing, (select count(*) from (${theirs} except all ${ours}))::int as foreign_rows`,
      );
      assert.deepEqual(
        row,
        { n: version.rowCount, missing: 0, foreign_rows: 0 },
        `${asset} version ${version.version}`,
      );
      compared[asset] = (compared[asset] ?? 0) + 1;
    }
  }
  assert.deepEqual(compared, { raw_flights: 3, flights: 1, airport_day: 1, route_week: 1, training_set: 1 });
});
