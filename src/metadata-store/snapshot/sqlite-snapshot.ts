import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { Kysely } from "kysely";
import { messageOf } from "#base";
import { createSqliteDialect } from "../drivers/sqlite-dialect.ts";
import { storeEmpty, storeNotEmpty, storeTooNew, storeUnreachable } from "../errors.ts";
import { applyMigrations } from "../migrate.ts";
import { migrations } from "../migrations.ts";
import { ROWS_PER_BATCH, SCHEMA_TABLE, type Snapshot, type SnapshotRow, type SnapshotTarget } from "./snapshot.ts";

const BUSY_TIMEOUT_MS = 15_000;

/** Reads in one transaction: the write-ahead log keeps what it began with. */
export async function openSqliteSnapshot(file: string): Promise<Snapshot> {
  const database = await reached(file, () => {
    if (!existsSync(file)) throw storeEmpty({ store: file });
    return new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  });
  try {
    database.exec("begin");
    const names = tableNames(database);
    const schema = countMigrations(database);
    if (schema === 0) throw storeEmpty({ store: file });
    if (schema > migrations.length) throw storeTooNew({ store: file, found: schema, known: migrations.length });
    return {
      kind: "sqlite",
      schema,
      tables: names,
      async *rows(table) {
        const statement = database.prepare(`select * from ${quoted(table)}`);
        statement.setReadBigInts(true);
        let batch: SnapshotRow[] = [];
        for (const row of statement.iterate()) {
          batch.push(row as SnapshotRow);
          if (batch.length < ROWS_PER_BATCH) continue;
          yield batch;
          batch = [];
        }
        if (batch.length > 0) yield batch;
      },
      async close() {
        database.close();
      },
    };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** A new file: until the commit it is gone with the end of its transaction. */
export async function openSqliteTarget(file: string, schema: number): Promise<SnapshotTarget> {
  if (existsSync(file)) throw storeNotEmpty({ store: file });
  const database = await reached(file, () => new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS }));
  const kysely = new Kysely<never>({ dialect: createSqliteDialect(database) });
  let isCommitted = false;
  const statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  try {
    database.exec("pragma journal_mode=wal");
    database.exec("begin immediate");
    await applyMigrations(kysely, "sqlite", schema);
    // Migrations put first rows into some tables; the snapshot has its own.
    for (const name of tableNames(database)) database.exec(`delete from ${quoted(name)}`);
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    async insert(table, rows) {
      for (const row of rows) {
        const columns = Object.keys(row);
        const key = JSON.stringify([table, columns]);
        const statement =
          statements.get(key) ??
          database.prepare(
            `insert into ${quoted(table)} (${columns.map(quoted).join(", ")}) values (${columns.map(() => "?").join(", ")})`,
          );
        statements.set(key, statement);
        statement.run(...Object.values(row));
      }
    },
    async commit() {
      database.exec("commit");
      database.exec("pragma wal_checkpoint(truncate)");
      isCommitted = true;
    },
    async close() {
      database.close();
      if (isCommitted) return;
      for (const suffix of ["", "-wal", "-shm"]) await rm(file + suffix, { force: true });
    },
  };
}

/** All but the one that says how far the schema is. */
function tableNames(database: DatabaseSync): readonly string[] {
  return database
    .prepare(
      "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name",
    )
    .all()
    .map(({ name }) => String(name))
    .filter((name) => name !== SCHEMA_TABLE);
}

function countMigrations(database: DatabaseSync): number {
  const { found } =
    database.prepare("select count(*) as found from sqlite_master where name = ?").get(SCHEMA_TABLE) ?? {};
  if (Number(found) === 0) return 0;
  return Number(database.prepare(`select count(*) as count from ${SCHEMA_TABLE}`).get()?.["count"]);
}

async function reached<Opened>(file: string, open: () => Opened): Promise<Opened> {
  try {
    return open();
  } catch (error) {
    if (error instanceof Error && "code" in error && String(error.code).startsWith("METADATA_STORE_")) throw error;
    throw storeUnreachable({ store: file, reason: messageOf(error) }, error);
  }
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
