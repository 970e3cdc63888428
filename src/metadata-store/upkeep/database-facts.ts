import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { databaseNow } from "../engine/database-time.ts";
import type { StoreKind } from "../metadata-store.ts";

/** What somebody who looks for a fault wants to know of a database. */
export interface DatabaseFacts {
  readonly nowMs: number;
  /** Settings without which what was acknowledged may be lost: as they are, and as they must be. */
  readonly durability: readonly { readonly setting: string; readonly value: string; readonly expected: string }[];
  readonly users: number;
  /** Engines that neither work nor said that they stopped, for longer than an hour. */
  readonly silentEngines: number;
  /** Attempts whose lease ran out and that nobody took over. */
  readonly staleAttempts: number;
}

const HOUR_MS = 3600_000;

export async function readDatabaseFacts(transaction: ReadTransaction, kind: StoreKind): Promise<DatabaseFacts> {
  const nowMs = await databaseNow(transaction);
  const count = async (query: ReturnType<typeof sql<{ count: number | string }>>): Promise<number> =>
    Number((await query.execute(transaction)).rows[0]?.count ?? 0);
  return {
    nowMs,
    durability: kind === "sqlite" ? [] : await readPostgresSettings(transaction),
    users: await count(sql`select count(*) as count from access_user`),
    silentEngines: await count(
      sql`select count(*) as count from engine_instance where stopped = 0 and lease_expires_at_ms < ${nowMs - HOUR_MS}`,
    ),
    staleAttempts: await count(
      sql`select count(*) as count from attempt where status = 'running' and lease_expires_at_ms < ${nowMs - 60_000}`,
    ),
  };
}

async function readPostgresSettings(transaction: ReadTransaction): Promise<DatabaseFacts["durability"]> {
  const { rows } = await sql<{ fsync: string; commit: string; pages: string }>`
    select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit, current_setting('full_page_writes') as pages`.execute(
    transaction,
  );
  const { fsync = "", commit = "", pages = "" } = rows[0] ?? {};
  return [
    { setting: "fsync", value: fsync, expected: "on" },
    { setting: "synchronous_commit", value: commit === "off" ? commit : "on", expected: "on" },
    { setting: "full_page_writes", value: pages, expected: "on" },
  ];
}
