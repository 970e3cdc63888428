import type { ReadTransaction } from "../database.ts";
import { type AssetVersion, toAssetVersion } from "./asset-version.ts";

/** Versions of a project with this digest, newest first, at most 100. */
export async function listVersionsByDigest(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly digest: string },
): Promise<readonly AssetVersion[]> {
  const rows = await transaction
    .selectFrom("asset_version")
    .selectAll()
    .where("project", "=", key.project)
    .where("digest", "=", key.digest)
    .orderBy("id", "desc")
    .limit(100)
    .execute();
  return rows.map(toAssetVersion);
}
