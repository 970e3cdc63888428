import type { MetadataStore } from "./metadata-store.ts";
import { pickDriver } from "./pick-driver.ts";

/**
 * Opens a metadata store and brings its schema up to date. Drivers are loaded when they are needed.
 *
 * @param address absolute path of a SQLite file, or `postgres://…` (`?schema=name` picks the schema, default `esteira`)
 * @throws METADATA_STORE_UNREACHABLE, METADATA_STORE_TOO_NEW
 */
export async function openMetadataStore(address: string): Promise<MetadataStore> {
  const driver = pickDriver(address);
  if (driver.kind === "sqlite") return (await import("./drivers/sqlite.ts")).openSqliteStore(driver.file);
  return (await import("./drivers/postgres.ts")).openPostgresStore(driver);
}
