// Who waits for a long read: SQLite answers on the thread that asks.
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { sql } from "kysely";
import { isEsteiraError } from "#base";
import { appendEvent, listEvents, type MetadataStore } from "#metadata-store";
import { createReaderThreads, type ReaderThreads } from "../../src/metadata-store/drivers/reader-threads.ts";
import { describeStores, openTestStore, temporaryFolder } from "../setup/stores.ts";

/** Counts to a number: about a second for ten million. */
function counting(to: number): string {
  return `with recursive number (n) as (select 1 union all select n + 1 from number where n < ${to}) select count(*) as count from number`;
}

/** Gives a row now and then, so that its thread can be ended. */
const ENDLESS =
  "with recursive number (n) as (select 1 union all select n + 1 from number) select n from number where n % 100000 = 0";

function count(store: MetadataStore, which: "read" | "readLong", to: number): Promise<number> {
  return store[which](async (transaction) => {
    const { rows } = await sql<{ count: number }>`${sql.raw(counting(to))}`.execute(transaction);
    return Number(rows[0]?.count);
  });
}

const EVENT = { atMs: 1, project: "p", type: "run.running", subjectKind: "run", actor: "ana", data: {} } as const;

function append(store: MetadataStore, subject: string): Promise<unknown> {
  return store.write((transaction) => appendEvent(transaction, { ...EVENT, subject }));
}

async function newestSubject(store: MetadataStore): Promise<string | undefined> {
  const [newest] = await store.readLong((transaction) => listEvents(transaction, { newestFirst: true, limit: 1 }));
  return newest?.subject;
}

describeStores("a long read", (kind) => {
  it("keeps nobody waiting: other reads and changes are answered before it", async () => {
    const { store } = await openTestStore(kind);
    const order: string[] = [];
    const long = count(store, "readLong", 3_000_000).then((found) => (order.push("long"), found));
    for (let other = 0; other < 20; other++) {
      await append(store, `run ${other}`);
      await count(store, "read", 1);
    }
    order.push("others");
    assert.equal(await long, 3_000_000);
    assert.deepEqual(order, ["others", "long"]);
  });

  it("sees every change that was committed before", async () => {
    const { store } = await openTestStore(kind);
    for (let change = 0; change < 50; change++) {
      await append(store, `run ${change}`);
      assert.equal(await newestSubject(store), `run ${change}`);
    }
  });

  it("fails with the database's own words when its statement is wrong", async () => {
    const { store } = await openTestStore(kind);
    const read = store.readLong((transaction) => sql`select one from nowhere`.execute(transaction));
    await assert.rejects(read, /nowhere/);
    assert.equal(await count(store, "readLong", 3), 3);
  });
});

describe("a statement", () => {
  it("that was slow once is answered aside from then on", async () => {
    const { store } = await openTestStore("sqlite");
    await count(store, "read", 2_000_000);
    const order: string[] = [];
    const again = count(store, "read", 2_000_000).then(() => order.push("slow"));
    await append(store, "run");
    await count(store, "read", 1);
    order.push("others");
    await again;
    assert.deepEqual(order, ["others", "slow"]);
  });
});

async function openThreads(options: { longestMs?: number; heapMb?: number }): Promise<ReaderThreads> {
  const file = join(await temporaryFolder(), "metadata.sqlite");
  const database = new DatabaseSync(file);
  database.exec("pragma journal_mode=wal; create table value (id integer primary key, whole, blob)");
  const insert = database.prepare("insert into value (whole, blob) values (?, ?)");
  database.exec("begin");
  for (let row = 0; row < 1700; row++) insert.run(BigInt(row), Buffer.from([row % 256]));
  insert.run(2n ** 60n, null);
  database.exec("commit");
  database.close();
  const threads = createReaderThreads(file, { timeoutMs: 1000, threads: 1, ...options });
  after(() => threads.close());
  return threads;
}

describe("a reader thread", () => {
  it("answers thousands of rows whole and in order, each value as it is", async () => {
    const threads = await openThreads({});
    const { rows } = await threads.read("select * from value where id > ? order by id", [0]);
    assert.equal(rows.length, 1701);
    assert.deepEqual(
      rows.slice(0, -1).map(({ whole }) => whole),
      Array.from({ length: 1700 }, (_, row) => row),
    );
    assert.deepEqual(rows[258]?.["blob"], Uint8Array.of(2));
    assert.deepEqual(rows.at(-1), { id: 1701, whole: 2n ** 60n, blob: null });
  });

  it("gives up a read after its time, waiting included, and another thread answers the next one", async () => {
    const threads = await openThreads({ longestMs: 3000 });
    const isTooLong = (error: unknown): boolean => isEsteiraError(error, "METADATA_STORE_READ_TOO_LONG");
    const long = threads.read(ENDLESS, []);
    const behind = threads.read("select 1 as one", []);
    await Promise.all([assert.rejects(long, isTooLong), assert.rejects(behind, isTooLong)]);
    const { rows } = await threads.read("select 1 as one", []);
    assert.deepEqual(rows.map(Object.entries), [[["one", 1]]]);
  });

  it("that dies of a read fails it, and the next read starts another", async () => {
    const threads = await openThreads({ heapMb: 24 });
    const all = "select a.id, b.id as other, c.id as third from value a, value b, value c limit 5000000";
    await assert.rejects(threads.read(all, []), (error) => isEsteiraError(error, "METADATA_STORE_READER_ENDED"));
    const { rows } = await threads.read("select count(*) as count from value", []);
    assert.equal(rows[0]?.["count"], 1701);
  });

  it("fails what it reads when it is closed, and takes nothing more", async () => {
    const threads = await openThreads({});
    const isEnded = (error: unknown): boolean => isEsteiraError(error, "METADATA_STORE_READER_ENDED");
    const long = assert.rejects(threads.read(counting(3_000_000), []), isEnded);
    await threads.close();
    await long;
    await assert.rejects(threads.read("select 1", []), isEnded);
  });
});
