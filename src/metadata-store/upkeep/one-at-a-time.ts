import { sql } from "kysely";
import type { WriteTransaction } from "../database.ts";
import { isSqlite } from "../dialect.ts";

/** Any number that no other lock of the database has. */
const LOCK_KEY = 7_236_104_551;

/** Until the transaction ends, no other one that asks for the same goes on; what those before wrote is seen. */
export async function holdUpkeep(transaction: WriteTransaction): Promise<void> {
  // One transaction at a time writes to SQLite.
  if (!isSqlite(transaction)) await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_KEY)})`.execute(transaction);
}
