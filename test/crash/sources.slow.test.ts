import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets } from "#data";
import { getAssetVersion } from "#metadata-store";
import { createFileSystemFiles } from "#storage";
import { TEST_POSTGRES } from "../setup/databases.ts";
import { openTestStore, type TestStore } from "../setup/stores.ts";

const KILLS = 4;
const WORKER = fileURLToPath(new URL("capture-worker.ts", import.meta.url));

/** Runs a capture; kills it when it has worked for so long. Resolves with whether it ended by itself, and its time. */
function runWorker(
  store: TestStore,
  run: string,
  of: { readonly declaration: object; readonly killAfterMs?: number },
): Promise<{ readonly finished: boolean; readonly workedMs: number }> {
  const { promise, resolve } = Promise.withResolvers<{ finished: boolean; workedMs: number }>();
  const child = spawn(
    process.execPath,
    [WORKER, store.address, store.folder, store.folder, run, JSON.stringify(of.declaration)],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let startedAt = 0;
  child.stdout.on("data", (piece: Buffer) => {
    if (!piece.toString().includes("started")) return;
    startedAt = performance.now();
    if (of.killAfterMs !== undefined) void delay(of.killAfterMs).then(() => child.kill("SIGKILL"));
  });
  child.on("exit", (code) => resolve({ finished: code === 0, workedMs: performance.now() - startedAt }));
  return promise;
}

async function readIds(store: TestStore): Promise<readonly unknown[]> {
  const version = await store.store.read((transaction) => getAssetVersion(transaction, { project: "p", asset: "d" }));
  assert.ok(version);
  const analytics = createAnalytics({ folder: join(store.folder, "spill") });
  const datasets = createDatasets({
    store: store.store,
    objects: store.objects,
    files: createFileSystemFiles({ root: join(store.folder, "datasets") }),
    analytics,
    clock: systemClock,
    log: silentLog,
  });
  const { rows } = await datasets.query({
    sql: "select id from d order by id",
    tables: new Map([["d", version]]),
    limit: 100_000,
  });
  analytics.close();
  return rows.map(({ id }) => id);
}

/** Rows come before each run, and between a run that is killed and the one that follows it. */
async function killAndFollow(declaration: object, add: (ids: readonly number[]) => Promise<void>): Promise<void> {
  const store = await openTestStore("sqlite");
  let last = 0;
  const addSome = (): Promise<void> => add(Array.from({ length: 3 }, () => ++last));
  await addSome();
  const first = await runWorker(store, "run-0", { declaration });
  assert.ok(first.finished);
  let { workedMs } = first;
  for (let kills = 0, round = 1; kills < KILLS && round < 4 * KILLS; round++) {
    await addSome();
    const run = await runWorker(store, `run-${round}`, {
      declaration,
      killAfterMs: (workedMs * (kills + 1)) / (KILLS + 1),
    });
    if (run.finished) workedMs = Math.min(workedMs, run.workedMs) * 0.8;
    else kills++;
    await addSome();
    assert.ok((await runWorker(store, `run-${round}`, { declaration })).finished);
    assert.ok((await runWorker(store, `after-${round}`, { declaration })).finished);
    assert.deepEqual(
      await readIds(store),
      Array.from({ length: last }, (_, index) => index + 1),
    );
  }
}

describe("a capture that is killed at any moment loses and doubles no row", () => {
  it("of a table that is read by a cursor, though rows come meanwhile with the same value", async () => {
    const client = new pg.Client(TEST_POSTGRES);
    await client.connect();
    const table = `crash_${Math.random().toString(36).slice(2)}`;
    await client.query(`create table ${table} (id int primary key, hour int)`);
    after(async () => {
      await client.query(`drop table ${table}`);
      await client.end();
    });
    await killAndFollow(
      { capture: { postgres: { secret: "SHOP", table, cursor: { column: "hour" } } } },
      async (ids) =>
        void (await client.query(
          `insert into ${table} values ${ids.map((id) => `(${id}, ${Math.floor(id / 10)})`).join(", ")}`,
        )),
    );
  });

  it("of a service whose records are new by a field", async () => {
    const records: { readonly id: number; readonly hour: number }[] = [];
    const server = createServer((request, response) => {
      const since = Number(new URL(request.url ?? "/", "http://h").searchParams.get("since") ?? 0);
      response.end(JSON.stringify(records.filter(({ hour }) => hour >= since)));
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    after(() => server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/records`;
    await killAndFollow({ capture: { http: { url, cursor: { field: "hour", param: "since" } } } }, (ids) => {
      records.push(...ids.map((id) => ({ id, hour: Math.floor(id / 10) })));
      return Promise.resolve();
    });
  });
});
