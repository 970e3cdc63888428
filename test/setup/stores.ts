import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { after, describe } from "node:test";
import pg from "pg";
import { createFileSystemBlobs, type Blobs } from "#storage";
import { type MetadataStore, openMetadataStore, STORE_KINDS, type StoreKind } from "#metadata-store";

const POSTGRES_URL = process.env["ESTEIRA_TEST_POSTGRES"] ?? "postgres://root@127.0.0.1:5432/test";

/** The databases this run tests on: both, or those named in `STORES` (`STORES=sqlite`). */
export const storeKinds: readonly StoreKind[] = STORE_KINDS.filter((kind) =>
  (process.env["STORES"] ?? "sqlite,postgres").split(",").includes(kind),
);

/** Declares the same tests once per database. */
export function describeStores(title: string, tests: (kind: StoreKind) => void): void {
  for (const kind of storeKinds) describe(`${title} (${kind})`, () => tests(kind));
}

/** A folder that is removed after the current suite. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "esteira-test-"));
  after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export interface TestStore {
  readonly store: MetadataStore;
  /** Give this to `openMetadataStore` to open it a second time. */
  readonly address: string;
  readonly objects: Blobs;
  readonly folder: string;
}

/** An empty store of the given kind, closed and removed after the current suite. */
export async function openTestStore(kind: StoreKind): Promise<TestStore> {
  const folder = await temporaryFolder();
  const address = kind === "sqlite" ? join(folder, "metadata.sqlite") : await createPostgresSchema();
  const store = await openMetadataStore(address);
  after(() => store.close());
  return { store, address, objects: createFileSystemBlobs(join(folder, "objects")), folder };
}

/** A connection string with a schema of its own, dropped after the current suite. */
export async function createPostgresSchema(): Promise<string> {
  const schema = `test_${randomBytes(6).toString("hex")}`;
  after(async () => {
    const client = new pg.Client(POSTGRES_URL);
    await client.connect();
    await client.query(`drop schema if exists ${schema} cascade`);
    await client.end();
  });
  return `${POSTGRES_URL}?schema=${schema}`;
}

/** A database of its own, whose connections may be ended without harm to others; dropped after the current suite. */
export async function createPostgresDatabase(): Promise<{
  readonly address: string;
  /** Ends the connections that a condition on `pg_stat_activity` names; how many those were. */
  readonly endConnections: (where: string) => Promise<number>;
}> {
  const name = `esteira_test_${randomBytes(6).toString("hex")}`;
  const administrator = new pg.Client(POSTGRES_URL);
  await administrator.connect();
  await administrator.query(`create database ${name}`);
  after(async () => {
    await administrator.query(`drop database if exists ${name} with (force)`);
    await administrator.end();
  });
  const url = new URL(POSTGRES_URL);
  url.pathname = `/${name}`;
  return {
    address: url.href,
    async endConnections(where) {
      const { rowCount } = await administrator.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}' and (${where})`,
      );
      return rowCount ?? 0;
    },
  };
}
