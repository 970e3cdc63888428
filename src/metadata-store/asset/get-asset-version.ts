import type { ReadTransaction } from "../database.ts";
import { type AssetVersion, toAssetVersion } from "./asset-version.ts";

/** One version: by id, by number, or the latest when only the asset is named. */
export type AssetVersionKey =
  | { readonly id: string }
  | { readonly project: string; readonly asset: string; readonly version?: number };

/** @returns undefined when there is none */
export async function getAssetVersion(transaction: ReadTransaction, key: AssetVersionKey): Promise<AssetVersion | undefined> {
  let select = transaction.selectFrom("asset_version").selectAll();
  if ("id" in key) {
    select = select.where("id", "=", key.id);
  } else {
    select = select.where("project", "=", key.project).where("asset", "=", key.asset);
    if (key.version !== undefined) select = select.where("version", "=", key.version);
  }
  const row = await select.orderBy("version", "desc").limit(1).executeTakeFirst();
  return row === undefined ? undefined : toAssetVersion(row);
}
