import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { messageOf } from "#base";
import { importSourceUnreadable } from "./errors.ts";
import { type ForeignDatabase, type ForeignRow, narrowInteger } from "./foreign-database.ts";

/** @throws METADATA_STORE_IMPORT_SOURCE_UNREADABLE */
export function openForeignSqlite(file: string): ForeignDatabase {
  if (!existsSync(file)) throw importSourceUnreadable({ from: file, reason: "there is no such file" });
  const database = openReadOnly(file);
  const prepare = (text: string): ReturnType<DatabaseSync["prepare"]> => {
    const statement = database.prepare(text);
    statement.setReadBigInts(true);
    return statement;
  };
  const narrow = (row: Record<string, unknown>): ForeignRow =>
    Object.fromEntries(
      Object.entries(row).map(([key, value]) => [key, typeof value === "bigint" ? narrowInteger(value) : value]),
    );
  return {
    address: file,
    rows: async (text, parameters = []) =>
      prepare(text)
        .all(...(parameters as string[]))
        .map(narrow),
    async *stream(text, parameters, size) {
      let piece: ForeignRow[] = [];
      for (const row of prepare(text).iterate(...(parameters as string[]))) {
        piece.push(narrow(row));
        if (piece.length < size) continue;
        yield piece;
        piece = [];
      }
      if (piece.length > 0) yield piece;
    },
    hasTable: async (name) =>
      database.prepare("select 1 from sqlite_master where type = 'table' and name = ?").get(name) !== undefined,
    close: async () => database.close(),
  };
}

function openReadOnly(file: string): DatabaseSync {
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 15_000 });
    database.prepare("select count(*) from sqlite_master").get();
    return database;
  } catch (error) {
    throw importSourceUnreadable({ from: file, reason: messageOf(error) }, error);
  }
}
