import { SqliteAdapter } from "kysely";
import type { ReadTransaction } from "./database.ts";

/** True on SQLite. */
export function isSqlite(transaction: ReadTransaction): boolean {
  return transaction.getExecutor().adapter instanceof SqliteAdapter;
}
