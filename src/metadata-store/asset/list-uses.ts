import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { type AssetVersion, toAssetVersion } from "./asset-version.ts";

/**
 * Versions whose digest or content names a digest, oldest first. Reads every version: for the rare case that bytes are
 * damaged.
 */
export async function listVersionsNaming(
  transaction: ReadTransaction,
  digest: string,
): Promise<readonly AssetVersion[]> {
  const rows = await transaction
    .selectFrom("asset_version")
    .selectAll()
    .where((where) => where.or([where("digest", "=", digest), where("content", "like", `%${digest}%`)]))
    .orderBy("id")
    .execute();
  return rows.map(toAssetVersion);
}

/** Versions of datasets that are kept in a Delta table, oldest first. */
export async function listVersionsInTable(
  transaction: ReadTransaction,
  table: string,
): Promise<readonly AssetVersion[]> {
  const rows = await transaction
    .selectFrom("asset_version")
    .selectAll()
    .where("kind", "in", ["data", "features"])
    .where("content", "like", `%${JSON.stringify(table)}%`)
    .orderBy("id")
    .execute();
  return rows.map(toAssetVersion).filter(({ content }) => (content as { readonly table?: unknown }).table === table);
}

export interface VersionUses {
  /**
   * `production/delay 3`: environment, asset and number of each release that holds one of the versions, or was made
   * from it.
   */
  readonly releases: readonly string[];
  /** `production/delay` */
  readonly endpoints: readonly string[];
}

/** Where versions are deployed. */
export async function listUses(transaction: ReadTransaction, versionIds: readonly string[]): Promise<VersionUses> {
  if (versionIds.length === 0) return { releases: [], endpoints: [] };
  const ids = sql.join([...versionIds]);
  const releases = await sql<{ environment: string; asset: string; number: number }>`
    select distinct r.environment, r.asset, r.number from release r join release_version v on v.release_id = r.id where v.version_id in (${ids}) order by 1, 2, 3`.execute(
    transaction,
  );
  const endpoints = await sql<{ environment: string; name: string }>`
    select distinct environment, name from endpoint where model_version_id in (${ids}) or candidate_version_id in (${ids}) or previous_version_id in (${ids}) order by 1, 2`.execute(
    transaction,
  );
  return {
    releases: releases.rows.map(({ environment, asset, number }) => `${environment}/${asset} ${number}`),
    endpoints: endpoints.rows.map(({ environment, name }) => `${environment}/${name}`),
  };
}
