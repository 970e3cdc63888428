import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { isSqlite } from "../dialect.ts";

/** The database's own time in epoch milliseconds: leases are compared with one clock, whoever asks. */
export async function databaseNow(transaction: ReadTransaction): Promise<number> {
  // One machine, one clock: SQLite's is the process's.
  if (isSqlite(transaction)) return Date.now();
  const { rows } = await sql<{
    now: number;
  }>`select (extract(epoch from clock_timestamp()) * 1000)::bigint as now`.execute(transaction);
  return Number(rows[0]?.now);
}
