import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { type MetadataStore, openMetadataStore, type StoreKind } from "#metadata-store";
import { keepLeases, listOtherEngines, registerEngine } from "#metadata-store/engine";
import { TEST_POSTGRES } from "../setup/databases.ts";
import { describeStores, temporaryFolder } from "../setup/stores.ts";

const LEASE_MS = 400;

/** A place where no database can be opened, and what makes it one. */
async function createAbsentDatabase(kind: StoreKind): Promise<{ address: string; appear(): Promise<void> }> {
  if (kind === "sqlite") {
    const folder = join(await temporaryFolder(), "store");
    await writeFile(folder, "no folder");
    return { address: join(folder, "metadata.sqlite"), appear: () => rm(folder) };
  }
  const name = `absent_${randomBytes(6).toString("hex")}`;
  const address = new URL(TEST_POSTGRES);
  address.pathname = `/${name}`;
  const say = async (statement: string): Promise<void> => {
    const client = new pg.Client(TEST_POSTGRES);
    await client.connect();
    await client.query(statement).finally(() => client.end());
  };
  after(() => say(`drop database if exists ${name} with (force)`));
  return { address: address.href, appear: () => say(`create database ${name}`) };
}

async function register(store: MetadataStore): Promise<void> {
  const engine = { id: "e", project: "p", host: "h", pid: process.pid, processStart: "", leaseMs: LEASE_MS, atMs: 1 };
  await store.write((transaction) => registerEngine(transaction, engine));
}

describeStores("the thread that prolongs leases", (kind) => {
  it("goes on trying when the database is away as it begins, and keeps the leases once it is there", async () => {
    const { address, appear } = await createAbsentDatabase(kind);
    const ends: string[] = [];
    const keeper = keepLeases({ address, engineId: "e", leaseMs: LEASE_MS }, (reason) => ends.push(reason));
    after(() => keeper.close());
    await delay(LEASE_MS * 2);
    assert.equal(keeper.age(), undefined);
    await appear();
    const store = await openMetadataStore(address);
    after(() => store.close());
    await register(store);
    while (keeper.age() === undefined && ends.length === 0) {
      keeper.beat();
      await delay(20);
    }
    assert.deepEqual(ends, []);
    const [engine] = await store.read((transaction) => listOtherEngines(transaction, { project: "p", engineId: "x" }));
    assert.equal(engine?.id, "e");
    await keeper.close();
    assert.deepEqual(ends, [], "an end that was asked for is not told");
  });
});
