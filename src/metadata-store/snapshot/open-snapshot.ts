import { pickDriver } from "../pick-driver.ts";
import type { Snapshot, SnapshotTarget } from "./snapshot.ts";

/**
 * Opens a metadata store for reading all of it as it is now. Writers are not held up; a store of an earlier schema is
 * read as it is.
 *
 * @param address as for `openMetadataStore`
 * @throws METADATA_STORE_UNREACHABLE, METADATA_STORE_EMPTY, METADATA_STORE_TOO_NEW
 */
export async function openSnapshot(address: string): Promise<Snapshot> {
  const driver = pickDriver(address);
  if (driver.kind === "sqlite") return (await import("./sqlite-snapshot.ts")).openSqliteSnapshot(driver.file);
  return (await import("./postgres-snapshot.ts")).openPostgresSnapshot(driver);
}

/**
 * Opens an empty metadata store for the rows of a snapshot, and makes its tables.
 *
 * @param address as for `openMetadataStore`
 * @param schema how many migrations the snapshot's schema has; the next `openMetadataStore` adds the rest
 * @throws METADATA_STORE_UNREACHABLE, METADATA_STORE_NOT_EMPTY, METADATA_STORE_TOO_NEW
 */
export async function openSnapshotTarget(address: string, schema: number): Promise<SnapshotTarget> {
  const driver = pickDriver(address);
  if (driver.kind === "sqlite") return (await import("./sqlite-snapshot.ts")).openSqliteTarget(driver.file, schema);
  return (await import("./postgres-snapshot.ts")).openPostgresTarget(driver, schema);
}
