import type { Selectable } from "kysely";
import { digestOf, type Digest } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { AssetTables } from "./tables.ts";

/** A partition of an asset, as it was made last. */
export interface AssetPartition {
  readonly asset: string;
  readonly partition: string;
  readonly versionId: string;
  readonly stepRunId: string;
  /** Another where what it holds is another. */
  readonly identity: Digest;
}

/** Notes who made a partition. Its identity stays where nothing changed: what reads it need not run again. */
export async function noteAssetPartition(
  transaction: WriteTransaction,
  made: {
    readonly project: string;
    readonly asset: string;
    readonly partition: string;
    readonly versionId: string;
    readonly stepRunId: string;
    readonly isChanged: boolean;
    readonly atMs: number;
  },
): Promise<void> {
  const row = { version_id: made.versionId, step_run_id: made.stepRunId, made_at_ms: made.atMs };
  const identity = digestOf(made.stepRunId);
  await transaction
    .insertInto("asset_partition")
    .values({ project: made.project, asset: made.asset, partition: made.partition, ...row, identity })
    .onConflict((conflict) =>
      conflict.columns(["project", "asset", "partition"]).doUpdateSet(made.isChanged ? { ...row, identity } : row),
    )
    .execute();
}

/** The whole asset was made otherwise: no partition of it is known to be as it was. */
export async function forgetAssetPartitions(
  transaction: WriteTransaction,
  of: { readonly project: string; readonly asset: string },
): Promise<void> {
  await transaction
    .deleteFrom("asset_partition")
    .where("project", "=", of.project)
    .where("asset", "=", of.asset)
    .execute();
}

/** One partition of some assets, as far as it was made. */
export async function listAssetPartitions(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly assets: readonly string[]; readonly partition: string },
): Promise<readonly AssetPartition[]> {
  if (of.assets.length === 0) return [];
  const rows = await transaction
    .selectFrom("asset_partition")
    .selectAll()
    .where("project", "=", of.project)
    .where("asset", "in", of.assets)
    .where("partition", "=", of.partition)
    .execute();
  return rows.map(toAssetPartition);
}

/** Who made the partitions of some assets last, all of them. */
export async function listAllAssetPartitions(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly assets: readonly string[] },
): Promise<readonly AssetPartition[]> {
  if (of.assets.length === 0) return [];
  const rows = await transaction
    .selectFrom("asset_partition")
    .selectAll()
    .where("project", "=", of.project)
    .where("asset", "in", of.assets)
    .execute();
  return rows.map(toAssetPartition);
}

function toAssetPartition(row: Selectable<AssetTables["asset_partition"]>): AssetPartition {
  return {
    asset: row.asset,
    partition: row.partition,
    versionId: row.version_id,
    stepRunId: row.step_run_id,
    identity: `sha256:${row.identity.replace(/^sha256:/, "")}`,
  };
}
