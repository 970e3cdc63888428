import type { ReadTransaction } from "../database.ts";

/** True when a version of the asset with this digest was recorded. */
export async function hasAssetVersion(transaction: ReadTransaction, of: { readonly project: string; readonly asset: string; readonly digest: string }): Promise<boolean> {
  const row = await transaction
    .selectFrom("asset_version")
    .select("id")
    .where("project", "=", of.project)
    .where("digest", "=", of.digest)
    .where("asset", "=", of.asset)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}
