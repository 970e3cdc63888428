import type { ReadTransaction } from "../database.ts";

/**
 * True when a version of the asset with this digest was recorded, and that version is the latest or stands at this
 * Delta version: the content of an earlier one comes back when a dataset is restored, which says nothing about whether
 * the restoration was recorded.
 */
export async function hasAssetVersion(
  transaction: ReadTransaction,
  of: {
    readonly project: string;
    readonly asset: string;
    readonly digest: string;
    readonly deltaVersion: number | undefined;
  },
): Promise<boolean> {
  const rows = await transaction
    .selectFrom("asset_version")
    .innerJoin("asset", (join) =>
      join.onRef("asset.project", "=", "asset_version.project").onRef("asset.name", "=", "asset_version.asset"),
    )
    .select(["asset_version.version", "asset_version.content", "asset.latest_version"])
    .where("asset_version.project", "=", of.project)
    .where("asset_version.digest", "=", of.digest)
    .where("asset_version.asset", "=", of.asset)
    .orderBy("asset_version.version", "desc")
    .limit(100)
    .execute();
  return rows.some(
    (row) =>
      row.version === row.latest_version ||
      (JSON.parse(row.content) as { deltaVersion?: number }).deltaVersion === of.deltaVersion,
  );
}
