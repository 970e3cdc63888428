import { sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";

/**
 * No longer lists an asset; its versions stay, for lineage. Making it again lists it again. @returns false when there
 * is none, or it is dropped already
 */
export async function dropAsset(
  transaction: WriteTransaction,
  of: { readonly project: string; readonly asset: string; readonly atMs: number },
): Promise<boolean> {
  const { numUpdatedRows } = await transaction
    .updateTable("asset")
    .set({ dropped_at_ms: of.atMs })
    .where("project", "=", of.project)
    .where("name", "=", of.asset)
    .where("dropped_at_ms", "is", null)
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/**
 * What was made of any version of an asset, directly or not, and is in use: versions of registered models, and
 * releases. By name, at most 1,000 each.
 */
export async function listDependents(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly asset: string },
): Promise<{ readonly models: readonly string[]; readonly releases: readonly string[] }> {
  const reached = sql`with recursive reached(id) as (
      select id from asset_version where project = ${of.project} and asset = ${of.asset}
      union
      select e.version_id from reached r cross join asset_version_input e where e.input_version_id = r.id
    )`;
  const models = await sql<{ name: string }>`${reached}
    select distinct m.name as name from model_version v join registered_model m on m.id = v.registered_model_id
    where v.asset_version_id in (select id from reached) order by m.name limit 1000`.execute(transaction);
  const releases = await sql<{ environment: string; number: number; asset: string }>`${reached}
    select distinct r.environment as environment, r.number as number, r.asset as asset from release r
    where r.project = ${of.project} and (r.version_id in (select id from reached) or r.id in (select release_id from release_version where version_id in (select id from reached)))
    order by r.environment, r.number limit 1000`.execute(transaction);
  return {
    models: models.rows.map(({ name }) => name),
    releases: releases.rows.map(({ environment, number, asset }) => `${asset} ${number} in ${environment}`),
  };
}
