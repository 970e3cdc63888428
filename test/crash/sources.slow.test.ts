import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import pg from "pg";
import { silentLog, systemClock } from "#base";
import { createAnalytics, createDatasets } from "#data";
import { getAssetVersion } from "#metadata-store";
import { extendDatasetWrite, listOpenDatasetWrites } from "#metadata-store/data";
import { createFileSystemFiles } from "#storage";
import { TEST_NATS, TEST_POSTGRES } from "../setup/databases.ts";
import { startPostgres } from "../setup/logical-postgres.ts";
import { openTestStore, type TestStore } from "../setup/stores.ts";

const KILLS = 4;
const WORKER = fileURLToPath(new URL("capture-worker.ts", import.meta.url));

/** Runs a capture; kills it when it has worked for so long. Resolves with whether it ended by itself, and its time. */
function runWorker(
  store: TestStore,
  run: string,
  of: { readonly declaration: object; readonly killAfterMs?: number; readonly secret?: string },
): Promise<{ readonly finished: boolean; readonly workedMs: number }> {
  const { promise, resolve } = Promise.withResolvers<{ finished: boolean; workedMs: number }>();
  const child = spawn(
    process.execPath,
    [WORKER, store.address, store.folder, store.folder, run, JSON.stringify(of.declaration)],
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...(of.secret === undefined ? {} : { ESTEIRA_TEST_SOURCE: of.secret }) },
    },
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
  return (await readRows(store, "select id from d order by id")).map(({ id }) => id);
}

async function readRows(store: TestStore, sql: string): Promise<readonly Record<string, unknown>[]> {
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
    sql,
    tables: new Map([["d", version]]),
    limit: 100_000,
  });
  analytics.close();
  return rows;
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

/** Nobody waits half a minute for a writer that is known to be dead. */
async function expireClaims({ store }: TestStore): Promise<void> {
  await store.write(async (transaction) => {
    const of = { project: "p", asset: "d" };
    for (const { operationId } of await listOpenDatasetWrites(transaction, of))
      await extendDatasetWrite(transaction, { ...of, operationId, expiresAtMs: 1 });
  });
}

const LOG_KILLS = 10;

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

  it("of a table whose changes are followed, deletes and new keys too", async (test) => {
    const server = await startPostgres();
    if ("problem" in server) return test.skip(server.problem);
    await server.query("create table t (id int primary key, n int, doc text); create publication p for table t");
    await server.query("alter table t alter doc set storage external");
    const declaration = {
      capture: { postgres: { secret: "SHOP", table: "t", replication: { slot: "s", publication: "p" } } },
      write: { merge: ["id"] },
    };
    const store = await openTestStore("sqlite");
    let last = 0;
    const change = async (): Promise<void> => {
      const from = last + 1;
      last += 300;
      await server.query(`insert into t select n, 0, repeat('x', 3000) || n from generate_series(${from}, ${last}) n;
        update t set n = n + 1 where id % 7 = ${last % 7}; delete from t where id % 50 = ${(last / 300) % 50};
        update t set id = -id where id = ${from + 5}`);
    };
    await change();
    const start = { declaration, secret: server.url };
    let { workedMs } = await runWorker(store, "run-0", start);
    let kills = 0;
    for (let round = 1; kills < LOG_KILLS && round < 4 * LOG_KILLS; round++) {
      await change();
      const killAfterMs = (workedMs * (kills + 1)) / (LOG_KILLS + 1);
      const run = await runWorker(store, `run-${round}`, { ...start, killAfterMs });
      if (run.finished) workedMs = Math.min(workedMs, run.workedMs) * 0.9;
      else kills++;
      await expireClaims(store);
      await change();
      assert.ok((await runWorker(store, round % 2 === 0 ? `run-${round}` : `after-${round}`, start)).finished);
      const list = "id, n, md5(doc) as doc";
      const there: unknown = await server.query(`select ${list} from t order by id`);
      const here = await readRows(store, `select ${list} from d order by id`);
      assert.equal(JSON.stringify(here), JSON.stringify(there));
    }
    assert.equal(kills, LOG_KILLS);
  });

  it("of a stream of NATS whose messages come meanwhile", async (test) => {
    const connection = await connect({ servers: TEST_NATS, reconnect: false }).catch(() => undefined);
    if (connection === undefined) return test.skip("no NATS server answers at ESTEIRA_TEST_NATS");
    const manager = await jetstreamManager(connection);
    const name = `CRASH_${process.pid}`;
    await manager.streams.add({ name, subjects: [`${name}.>`] });
    after(async () => {
      await manager.streams.delete(name);
      await connection.close();
    });
    await killAndFollow({ capture: { nats: { servers: TEST_NATS, stream: name } } }, async (ids) => {
      for (const id of ids) await jetstream(connection).publish(`${name}.a`, JSON.stringify({ id }));
    });
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
