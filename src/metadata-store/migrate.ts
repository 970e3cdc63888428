import { type Kysely, sql } from "kysely";
import { storeTooNew } from "./errors.ts";
import type { StoreKind } from "./metadata-store.ts";
import { migrations } from "./migrations.ts";

const LOCK_KEY = 0x65737465;

/**
 * One numbered step of the schema. Type names that both databases understand: `text`, `bigint`, `smallint`
 * (0/1 for booleans), `double precision`. Times are epoch milliseconds in `bigint`; JSON is `text`.
 */
export interface Migration {
  readonly name: string;
  readonly up: (database: Kysely<never>, kind: StoreKind) => Promise<void>;
}

/**
 * Brings an opened database to the newest schema; safe when several processes start at once.
 *
 * @throws METADATA_STORE_TOO_NEW when a newer program wrote it
 */
export async function migrate<Tables>(opened: Kysely<Tables>, kind: StoreKind, store: string): Promise<void> {
  // The schema is what is being made here, so its type says nothing yet.
  const database = opened as unknown as Kysely<never>;
  const known = await appliedCount(database, kind);
  if (known === migrations.length) return;
  if (known > migrations.length) throw storeTooNew({ store, found: known, known: migrations.length });
  await database.transaction().execute(async (transaction) => {
    if (kind === "postgres") await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_KEY)})`.execute(transaction);
    await applyMigrations(transaction, kind);
  });
}

/**
 * Applies what is missing, in the transaction that the caller is in.
 *
 * @param until the schema that is wanted; default: the newest
 */
export async function applyMigrations(
  transaction: Kysely<never>,
  kind: StoreKind,
  until: number = migrations.length,
): Promise<void> {
  await sql`create table if not exists schema_migration (number bigint primary key, name text not null, applied_at_ms bigint not null)`.execute(
    transaction,
  );
  const { rows } = await sql<{ count: number }>`select count(*) as count from schema_migration`.execute(transaction);
  for (let number = Number(rows[0]?.count ?? 0) + 1; number <= until; number++) {
    const migration = migrations[number - 1];
    if (migration === undefined) break;
    await migration.up(transaction, kind);
    await sql`insert into schema_migration (number, name, applied_at_ms) values (${number}, ${migration.name}, ${Date.now()})`.execute(
      transaction,
    );
  }
}

async function appliedCount(database: Kysely<never>, kind: StoreKind): Promise<number> {
  const exists =
    kind === "sqlite"
      ? sql<{ count: number }>`select count(*) as count from sqlite_master where name = 'schema_migration'`
      : sql<{
          count: number;
        }>`select count(*) as count from information_schema.tables where table_name = 'schema_migration' and table_schema = current_schema()`;
  if (Number((await exists.execute(database)).rows[0]?.count) === 0) return 0;
  const { rows } = await sql<{ count: number }>`select count(*) as count from schema_migration`.execute(database);
  return Number(rows[0]?.count);
}
