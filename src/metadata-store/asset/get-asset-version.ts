import type { ReadTransaction } from "../database.ts";
import { type AssetVersion, toAssetVersion } from "./asset-version.ts";

/** One version: by id, by number, or the latest when only the asset is named and was not dropped. */
export type AssetVersionKey =
  | { readonly id: string }
  | { readonly project: string; readonly asset: string; readonly version?: number };

/** @returns undefined when there is none */
export async function getAssetVersion(
  transaction: ReadTransaction,
  key: AssetVersionKey,
): Promise<AssetVersion | undefined> {
  let select = transaction.selectFrom("asset_version").selectAll();
  if ("id" in key) {
    select = select.where("id", "=", key.id);
  } else {
    select = select.where("project", "=", key.project).where("asset", "=", key.asset);
    if (key.version !== undefined) select = select.where("version", "=", key.version);
    else
      select = select.where((where) =>
        where.not(
          where.exists(
            where
              .selectFrom("asset")
              .select("asset.name")
              .where("asset.project", "=", key.project)
              .where("asset.name", "=", key.asset)
              .where("asset.dropped_at_ms", "is not", null),
          ),
        ),
      );
  }
  const row = await select.orderBy("version", "desc").limit(1).executeTakeFirst();
  return row === undefined ? undefined : toAssetVersion(row);
}

// Parameters of one statement.
const IDS_PER_STATEMENT = 5000;

/** The versions with these ids, with their content, by id; unknown ones are left out. */
export async function listVersionsById(
  transaction: ReadTransaction,
  ids: readonly string[],
): Promise<ReadonlyMap<string, AssetVersion>> {
  const found = new Map<string, AssetVersion>();
  for (let start = 0; start < ids.length; start += IDS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("asset_version")
      .selectAll()
      .where("id", "in", ids.slice(start, start + IDS_PER_STATEMENT))
      .execute();
    for (const row of rows) found.set(row.id, toAssetVersion(row));
  }
  return found;
}
