// What becomes of a store on PostgreSQL whose connections are ended under it.
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  appendEvent,
  isCommitUnknown,
  listEvents,
  type MetadataStore,
  openMetadataStore,
  type WriteTransaction,
} from "#metadata-store";
import { openCuttingProxy } from "../setup/cutting-proxy.ts";
import { createPostgresDatabase, storeKinds } from "../setup/stores.ts";

const noPostgres = storeKinds.includes("postgres") ? false : "STORES leaves PostgreSQL out";

const note = (transaction: WriteTransaction, subject: string): Promise<void> =>
  appendEvent(transaction, {
    type: "pipeline.registered",
    project: "p",
    subjectKind: "pipeline",
    subject,
    actor: "ana",
    atMs: 1,
    data: { digest: "d", file: "pipelines/a.yaml" },
  });

async function openStore(address: string): Promise<MetadataStore> {
  const store = await openMetadataStore(address);
  after(() => store.close());
  return store;
}

async function until(look: () => boolean): Promise<void> {
  for (const end = Date.now() + 20_000; Date.now() < end; await delay(20)) if (look()) return;
  throw new Error("it did not happen within 20 s");
}

describe("a store on PostgreSQL", { skip: noPostgres }, () => {
  it("hears of changes again after its listening connection was ended, and of those meanwhile", async () => {
    const { address, endConnections } = await createPostgresDatabase();
    const [store, other] = [await openStore(address), await openStore(address)];
    let heard = 0;
    after(store.onChange(() => heard++));
    await until(() => heard > 0);
    for (const round of ["first", "second", "third"]) {
      assert.equal(await endConnections("query ilike 'listen %'"), 1);
      heard = 0;
      await until(() => heard > 0);
      heard = 0;
      await other.write((transaction) => note(transaction, round));
      await until(() => heard > 0);
    }
  });

  it("does a change again whose connection was ended before the commit, and keeps it once", async () => {
    const { address, endConnections } = await createPostgresDatabase();
    const store = await openStore(address);
    let tries = 0;
    await store.write(async (transaction) => {
      tries++;
      await note(transaction, "once");
      if (tries > 1) return;
      assert.equal(await endConnections("state = 'idle in transaction'"), 1);
      await note(transaction, "twice");
    });
    assert.equal(tries, 2);
    const events = await store.read((transaction) => listEvents(transaction, { limit: 100 }));
    assert.deepEqual(
      events.map(({ subject }) => subject),
      ["once"],
    );
  });

  it("does no change again whose commit was done without an answer", async () => {
    const { address } = await createPostgresDatabase();
    const proxy = await openCuttingProxy(address);
    const store = await openStore(proxy.address);
    proxy.cut("commit");
    const error: unknown = await store
      .write((transaction) => note(transaction, "once"))
      .catch((thrown: unknown) => thrown);
    assert.ok(isCommitUnknown(error));
    assert.equal((await store.read((transaction) => listEvents(transaction, { limit: 100 }))).length, 1);
  });

  it("tells others of a change again when the connection ended that told them", async () => {
    const { address } = await createPostgresDatabase();
    const proxy = await openCuttingProxy(address);
    const [store, other] = [await openStore(proxy.address), await openStore(address)];
    let heard = 0;
    after(other.onChange(() => heard++));
    await until(() => heard > 0);
    heard = 0;
    proxy.refuse("notify esteira_change");
    await store.write((transaction) => note(transaction, "told"));
    await until(() => heard > 0);
    assert.equal(proxy.count(), 1);
  });

  it("reads on, and writes on, after every connection was ended", async () => {
    const { address, endConnections } = await createPostgresDatabase();
    const store = await openStore(address);
    const look = () => store.read((transaction) => listEvents(transaction, { limit: 100 }));
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 8 }, look));
      const reads = Array.from({ length: 30 }, look);
      const writes = Array.from({ length: 5 }, () => store.write((transaction) => note(transaction, `${round}`)));
      await endConnections("state like 'idle%'");
      await Promise.all(reads);
      await Promise.allSettled(writes);
      await endConnections("state like 'idle%'");
      await store.write((transaction) => note(transaction, "after"));
    }
    assert.equal((await look()).filter(({ subject }) => subject === "after").length, 5);
  });
});
