// A change is answered when the disk has it, and nobody else waits for the disk.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { isEsteiraError } from "#base";
import { appendEvent, listEvents, type MetadataStore } from "#metadata-store";
import { openSqliteStore } from "../../src/metadata-store/drivers/sqlite.ts";
import { temporaryFolder } from "../setup/stores.ts";

const EVENT = { atMs: 1, project: "p", type: "run.finished", subjectKind: "run", actor: "ana", data: {} } as const;

function append(store: MetadataStore, subject: string): Promise<unknown> {
  return store.write((transaction) => appendEvent(transaction, { ...EVENT, subject }));
}

/** A store whose flushes end when they are told to. */
async function open(): Promise<{ readonly store: MetadataStore; readonly flushes: PromiseWithResolvers<void>[] }> {
  const flushes: PromiseWithResolvers<void>[] = [];
  const flush = (): Promise<void> => {
    const flushing = Promise.withResolvers<void>();
    flushes.push(flushing);
    return flushing.promise;
  };
  const store = await openSqliteStore(join(await temporaryFolder(), "metadata.sqlite"), { flush });
  after(() => {
    for (const { resolve } of flushes) resolve();
    return store.close().catch(() => undefined);
  });
  return { store, flushes };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

describe("a change", () => {
  it("is answered only after its commit was flushed; what came meanwhile shares the next flush", async () => {
    const { store, flushes } = await open();
    const order: string[] = [];
    const first = append(store, "first").then(() => order.push("first"));
    await until(() => flushes.length === 1);
    const second = append(store, "second").then(() => order.push("second"));
    const third = append(store, "third").then(() => order.push("third"));
    const read = await store.read((transaction) => listEvents(transaction, { limit: 10 }));
    assert.equal(read.length, 1, "reads go on meanwhile");
    assert.deepEqual(order, []);
    flushes[0]?.resolve();
    await first;
    assert.deepEqual(order, ["first"]);
    await until(() => flushes.length === 2);
    flushes[1]?.resolve();
    await Promise.all([second, third]);
    assert.deepEqual(order, ["first", "second", "third"]);
  });

  it("that the disk does not confirm is an error that says so, and the next one is taken", async () => {
    const { store, flushes } = await open();
    const failing = append(store, "first");
    await until(() => flushes.length === 1);
    flushes[0]?.reject(new Error("EIO: i/o error"));
    await assert.rejects(failing, (error) => isEsteiraError(error, "METADATA_STORE_NOT_DURABLE"));
    const next = append(store, "second");
    await until(() => flushes.length === 2);
    flushes[1]?.resolve();
    await next;
  });

  it("that fails by itself keeps its own error, and closing waits for what is flushed", async () => {
    const { store, flushes } = await open();
    const failing = store.write(() => Promise.reject(new Error("no such thing")));
    const good = append(store, "good");
    await until(() => flushes.length === 1);
    let isClosed = false;
    const closing = store.close().then(() => (isClosed = true));
    await new Promise(setImmediate);
    assert.equal(isClosed, false);
    flushes[0]?.resolve();
    await assert.rejects(failing, /no such thing/);
    await good;
    await closing;
  });
});
