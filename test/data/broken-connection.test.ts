// A dump whose connection breaks, or that is stopped, ends at once with an error: never for ever, never as if whole.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createConnection } from "mysql2/promise";
import pg from "pg";
import { openMysql } from "../../src/data/capture/sources/mysql.ts";
import { openPostgres } from "../../src/data/capture/sources/postgres.ts";
import type { Database } from "../../src/data/capture/sources/database.ts";
import type { ServerAddress } from "../../src/data/capture/sources/server-address.ts";
import { mysqlProblem, TEST_MYSQL, TEST_POSTGRES } from "../setup/databases.ts";
import { temporaryFolder } from "../setup/stores.ts";

const SERIES = "select i as seq, repeat('x', 200) as text from";

interface Kind {
  readonly name: string;
  readonly skip?: string | false;
  open(signal: AbortSignal): Promise<Database>;
  /** Breaks the connection that reads, once it does. */
  breakOff(): Promise<void>;
}

const kinds: readonly Kind[] = [
  {
    name: "PostgreSQL",
    open: (signal) =>
      openPostgres(
        addressOf(TEST_POSTGRES, 5432),
        { query: `${SERIES} generate_series(1, 20000000) as i` },
        of(signal),
      ),
    async breakOff() {
      const client = new pg.Client(TEST_POSTGRES);
      await client.connect();
      const { rowCount } = await client.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like 'copy (%20000000%' and pid <> pg_backend_pid()",
      );
      await client.end();
      if (rowCount === 0) await again(this);
    },
  },
  {
    name: "MySQL",
    skip: await mysqlProblem(),
    open: (signal) =>
      openMysql(
        addressOf(TEST_MYSQL, 3306),
        { query: "select seq, repeat('x', 200) as text from seq_1_to_20000000" },
        of(signal),
      ),
    async breakOff() {
      const connection = await createConnection(TEST_MYSQL);
      const [rows] = await connection.query(
        "select id from information_schema.processlist where info like 'select%seq_1_to_20000000%' and id <> connection_id()",
      );
      for (const { id } of rows as { id: number }[]) await connection.query(`kill connection ${id}`);
      await connection.end();
      if ((rows as unknown[]).length === 0) await again(this);
    },
  },
];

for (const kind of kinds) {
  const { name, skip } = kind;
  describe(`a dump of ${name}`, { skip: skip ?? false, timeout: 60_000 }, () => {
    it("fails when its connection breaks", async () => {
      const database = await kind.open(new AbortController().signal);
      const dumped = dump(database);
      setTimeout(() => void kind.breakOff(), 300);
      await assert.rejects(dumped, { code: "DATA_SOURCE_UNREACHABLE" });
      await database.close();
    });

    it("ends when it is stopped", async () => {
      const stopped = new AbortController();
      const database = await kind.open(stopped.signal);
      const dumped = dump(database);
      setTimeout(() => stopped.abort(), 300);
      await assert.rejects(dumped);
      await database.close();
    });
  });
}

async function dump(database: Database): Promise<unknown> {
  const path = join(await temporaryFolder(), "rows.csv");
  return database.dump(await database.columns(), { path, where: undefined });
}

async function again(kind: Kind): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 50));
  await kind.breakOff();
}

function of(signal: AbortSignal): { readonly source: string; readonly signal: AbortSignal } {
  return { source: "test", signal };
}

function addressOf(url: string, port: number): ServerAddress {
  const { hostname, username, password, pathname, port: named } = new URL(url);
  return {
    reachable: { host: hostname, address: hostname } as ServerAddress["reachable"],
    port: named === "" ? port : Number(named),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    tls: "off",
  };
}
