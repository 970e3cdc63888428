import type { ReadTransaction } from "../database.ts";
import { type AssetKind, type AssetVersion, toAssetVersion } from "./asset-version.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** The latest version of each asset that was not dropped, by name. `after` is the last name of the page before. */
export async function listAssets(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly kind?: AssetKind; readonly after?: string; readonly limit?: number },
): Promise<readonly AssetVersion[]> {
  let select = transaction
    .selectFrom("asset")
    .innerJoin("asset_version", (join) =>
      join
        .onRef("asset_version.project", "=", "asset.project")
        .onRef("asset_version.asset", "=", "asset.name")
        .onRef("asset_version.version", "=", "asset.latest_version"),
    )
    .selectAll("asset_version")
    .where("asset.project", "=", query.project)
    .where("asset.dropped_at_ms", "is", null);
  if (query.kind !== undefined) select = select.where("asset.kind", "=", query.kind);
  if (query.after !== undefined) select = select.where("asset.name", ">", query.after);
  const rows = await select
    .orderBy("asset.name")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toAssetVersion);
}

/** Versions of one asset, newest first. `before` is the last number of the page before. */
export async function listAssetVersions(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly asset: string; readonly before?: number; readonly limit?: number },
): Promise<readonly AssetVersion[]> {
  let select = transaction
    .selectFrom("asset_version")
    .selectAll()
    .where("project", "=", query.project)
    .where("asset", "=", query.asset);
  if (query.before !== undefined) select = select.where("version", "<", query.before);
  const rows = await select
    .orderBy("version", "desc")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toAssetVersion);
}
