import { createFileSystemFiles } from "#storage";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { fileURLToPath } from "node:url";
import { setTimeout as delay } from "node:timers/promises";
import { silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets } from "#data";
import { getAssetVersion, listAssetVersions } from "#metadata-store";
import { listCapturedFiles, listQuarantineBatches } from "#metadata-store/data";
import { describeStores, openTestStore } from "../setup/stores.ts";

const CONTRACT =
  "apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: d\n    properties:\n      - { name: id, logicalType: integer, required: true }\n";
const FILES = 4;
const KILLS = 5;
const worker = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/**
 * Runs a worker; kills it with SIGKILL `killAfterMs` after it said that it started. Resolves with whether it ended by
 * itself, and how long it worked.
 */
function runWorker(
  parameters: readonly string[],
  killAfterMs?: number,
): Promise<{ readonly finished: boolean; readonly workedMs: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [worker("capture-worker.ts"), ...parameters], {
      stdio: ["ignore", "pipe", "inherit"],
    });
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

describeStores("a capture that is killed", (kind) => {
  it("at any moment, is finished by the same step run: every row once, in the dataset or in quarantine", async () => {
    const { store, objects, folder, address } = await openTestStore(kind);
    const project = join(folder, "project");
    await mkdir(project);
    await writeFile(join(project, "contract.yaml"), CONTRACT);
    const deliver = async (round: number): Promise<void> => {
      for (let file = 0; file < FILES; file++)
        await writeFile(
          join(project, `r${round}-${file}.csv`),
          `id\n${round * 100 + file * 10}\n${round * 100 + file * 10 + 1}\nbad ${round}\n`,
        );
    };
    await deliver(0);
    let { workedMs } = await runWorker([address, folder, project, "run-0"]);
    let kills = 0;
    let rounds = 0;
    // Later runs are quicker than the first, on a busy machine more than on an idle one: what ends before its kill sets
    // a new measure.
    while (kills < KILLS && rounds < 4 * KILLS) {
      await deliver(++rounds);
      const arguments_ = [address, folder, project, `run-${rounds}`];
      const run = await runWorker(arguments_, (workedMs * (kills + 1)) / (KILLS + 1));
      if (run.finished) workedMs = Math.min(workedMs, run.workedMs) * 0.8;
      else kills++;
      assert.ok((await runWorker(arguments_)).finished);
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
    const [row] = (
      await datasets.query({
        sql: "select count(*)::int as n, count(distinct id)::int as ids from d",
        tables: new Map([["d", version]]),
      })
    ).rows;
    const expected = (rounds + 1) * FILES * 2;
    assert.deepEqual(row, { n: expected, ids: expected });
    const ledger = await store.read((transaction) => listCapturedFiles(transaction, { project: "p", dataset: "d" }));
    const batches = await store.read((transaction) =>
      listQuarantineBatches(transaction, { project: "p", dataset: "d" }),
    );
    assert.equal(
      ledger.reduce((sum, file) => sum + file.rowsRead, 0),
      ledger.reduce((sum, file) => sum + file.rowsPublished + file.rowsQuarantined, 0),
    );
    assert.deepEqual(
      [ledger.length, batches.length, batches.reduce((sum, batch) => sum + batch.rows, 0)],
      [(rounds + 1) * FILES, (rounds + 1) * FILES, (rounds + 1) * FILES],
    );
  });
});

describeStores("eight processes that append to one dataset", (kind) => {
  it("make versions without a gap, and lose or double no row", async () => {
    const { store, objects, folder, address } = await openTestStore(kind);
    const [processes, appends] = [8, 3];
    const ended = await Promise.all(
      Array.from(
        { length: processes },
        (_, number) =>
          new Promise<number | null>((resolve) =>
            spawn(process.execPath, [worker("append-worker.ts"), address, folder, String(number), String(appends)], {
              stdio: "inherit",
            }).on("exit", resolve),
          ),
      ),
    );
    assert.deepEqual(new Set(ended), new Set([0]));
    const versions = await store.read((transaction) => listAssetVersions(transaction, { project: "p", asset: "d" }));
    assert.deepEqual(
      versions.map(({ rowCount }) => rowCount),
      Array.from({ length: processes * appends }, (_, index) => processes * appends - index),
    );
    const log = (await readdir(join(folder, "datasets/d/_delta_log"))).filter((name) => /^\d{20}\.json$/.test(name));
    assert.equal(log.length, processes * appends);
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
    const [latest] = versions;
    assert.ok(latest);
    const [row] = (
      await datasets.query({
        sql: "select count(*)::int as n, count(distinct writer * 1000 + count)::int as kinds from d",
        tables: new Map([["d", latest]]),
      })
    ).rows;
    assert.deepEqual(row, { n: processes * appends, kinds: processes * appends });
  });
});
