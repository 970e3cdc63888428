import { importSourceUnreadable } from "./errors.ts";
import { type ForeignDatabase, withoutPassword } from "./foreign-database.ts";

/**
 * Drivers are loaded when they are needed.
 *
 * @param address `sqlite:///path`, a path of a SQLite file, or `postgresql://…` (SQLAlchemy's `+driver` is ignored)
 * @throws METADATA_STORE_IMPORT_SOURCE_UNREADABLE
 */
export async function openForeignDatabase(address: string): Promise<ForeignDatabase> {
  const postgres = /^postgres(?:ql)?(?:\+\w+)?:\/\/(.*)$/s.exec(address);
  if (postgres !== null) {
    const { openForeignPostgres } = await import("./foreign-postgres.ts");
    return openForeignPostgres(`postgres://${postgres[1] ?? ""}`);
  }
  if (/^[a-z]+(\+\w+)?:\/\//.test(address) && !address.startsWith("sqlite:")) {
    throw importSourceUnreadable({ from: withoutPassword(address), reason: "databases of this kind are not read" });
  }
  const { openForeignSqlite } = await import("./foreign-sqlite.ts");
  return openForeignSqlite(address.replace(/^sqlite:\/\/\//, ""));
}
