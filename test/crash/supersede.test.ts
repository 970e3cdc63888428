import { createFileSystemFiles } from "#storage";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets } from "#data";
import { getAssetVersion } from "#metadata-store";
import { listCapturedFiles, listQuarantineBatches } from "#metadata-store/data";
import { describeStores, openTestStore } from "../setup/stores.ts";

const CONTRACT =
  "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: d\n    properties:\n      - { name: id, logicalType: integer, required: true }\n";
const FILES = 3;
const KILLS = 4;
const worker = fileURLToPath(new URL("capture-worker.ts", import.meta.url));

/** Resolves with whether the worker ended by itself, and how long it worked. */
function runWorker(
  parameters: readonly string[],
  killAfterMs?: number,
): Promise<{ readonly finished: boolean; readonly workedMs: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [worker, ...parameters], { stdio: ["ignore", "pipe", "inherit"] });
    let startedAt = 0;
    child.stdout.on("data", (piece: Buffer) => {
      if (!piece.toString().includes("started")) return;
      startedAt = performance.now();
      if (killAfterMs !== undefined) void delay(killAfterMs).then(() => child.kill("SIGKILL"));
    });
    child.on("error", reject);
    child.on("exit", (code) => resolve({ finished: code === 0, workedMs: performance.now() - startedAt }));
  });
}

describeStores("a capture of changed files that is killed", (kind) => {
  it("at any moment, is finished by the same step run or the next: each file's newest rows once, and none of its earlier ones", async () => {
    const { store, objects, folder, address } = await openTestStore(kind);
    const project = join(folder, "project");
    await mkdir(project);
    await writeFile(join(project, "contract.yaml"), CONTRACT);
    const correct = async (round: number): Promise<void> => {
      for (let file = 0; file < FILES; file++)
        await writeFile(
          join(project, `${file}.csv`),
          `id\n${round * 100 + file * 10}\n${round * 100 + file * 10 + 1}\nbad ${round} ${file}\n`,
        );
    };
    await correct(0);
    let { workedMs } = await runWorker([address, folder, project, "run-0"]);
    let kills = 0;
    let rounds = 0;
    while (kills < KILLS && rounds < 4 * KILLS) {
      await correct(++rounds);
      const run = await runWorker([address, folder, project, `run-${rounds}`], (workedMs * (kills + 1)) / (KILLS + 1));
      if (run.finished) workedMs = Math.min(workedMs, run.workedMs) * 0.8;
      else kills++;
      // Once the step run is lost, and another finds what it left, when the claim of the dead one has run out.
      const successor = rounds === 2 ? "another" : `run-${rounds}`;
      assert.ok((await runWorker([address, folder, project, successor])).finished);
    }
    assert.equal(kills, KILLS, `only ${kills} of ${rounds} runs were killed in time`);
    const version = await store.read((transaction) => getAssetVersion(transaction, { project: "p", asset: "d" }));
    assert.ok(version);
    const analytics = createAnalytics({ folder: join(folder, "spill") });
    after(() => analytics.close());
    const datasets = createDatasets({
      store,
      objects,
      files: createFileSystemFiles({ root: join(folder, "datasets") }),
      analytics,
      clock: systemClock,
      log: silentLog,
    });
    const { rows } = await datasets.query({ sql: "select id from d order by id", tables: new Map([["d", version]]) });
    assert.deepEqual(
      rows,
      Array.from({ length: FILES }, (_, file) => [rounds * 100 + file * 10, rounds * 100 + file * 10 + 1])
        .flat()
        .map((id) => ({ id })),
    );
    const ledger = await store.read((transaction) => listCapturedFiles(transaction, { project: "p", dataset: "d" }));
    assert.equal(ledger.length, FILES);
    const batches = await store.read((transaction) =>
      listQuarantineBatches(transaction, { project: "p", dataset: "d", limit: 1000 }),
    );
    assert.deepEqual(
      batches
        .filter(({ held }) => held > 0)
        .map(({ sourcePath }) => sourcePath)
        .sort(),
      Array.from({ length: FILES }, (_, file) => `${file}.csv`),
    );
  });
});
