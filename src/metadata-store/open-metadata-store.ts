import type { MetadataStore } from "./metadata-store.ts";

/**
 * Opens a metadata store and brings its schema up to date. Drivers are loaded when they are needed.
 *
 * @param address absolute path of a SQLite file, or `postgres://…` (`?schema=name` picks the schema, default `esteira`)
 * @throws METADATA_STORE_UNREACHABLE, METADATA_STORE_TOO_NEW
 */
export async function openMetadataStore(address: string): Promise<MetadataStore> {
  if (!/^postgres(ql)?:\/\//.test(address)) {
    const { openSqliteStore } = await import("./drivers/sqlite.ts");
    return openSqliteStore(address);
  }
  const url = new URL(address);
  const schema = url.searchParams.get("schema");
  url.searchParams.delete("schema");
  const { openPostgresStore } = await import("./drivers/postgres.ts");
  return openPostgresStore({ url: url.href, ...(schema === null ? {} : { schema }) });
}
