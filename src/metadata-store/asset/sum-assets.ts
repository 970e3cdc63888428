import type { ReadTransaction } from "../database.ts";
import type { AssetKind } from "./asset-version.ts";

// Parameters of one statement.
const NAMES_PER_STATEMENT = 5000;

/** How many assets there are, how many versions they have, and how many rows their latest versions hold together. */
export interface AssetSum {
  readonly assets: number;
  readonly versions: number;
  readonly rows: number;
  /** Id of the version that was made last; undefined when there is none. */
  readonly newestId: string | undefined;
}

/** Sums the assets of a project of one kind that are listed; with `names`, only those; without those of `except`. */
export async function sumAssets(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly kind: AssetKind;
    readonly names?: readonly string[] | undefined;
    readonly except?: readonly string[] | undefined;
  },
): Promise<AssetSum> {
  const { names } = query;
  if (names === undefined) return sumNamed(transaction, query);
  const sum = { assets: 0, versions: 0, rows: 0, newestId: undefined as string | undefined };
  const distinct = [...new Set(names)];
  for (let start = 0; start < distinct.length; start += NAMES_PER_STATEMENT) {
    const part = await sumNamed(transaction, { ...query, names: distinct.slice(start, start + NAMES_PER_STATEMENT) });
    sum.assets += part.assets;
    sum.versions += part.versions;
    sum.rows += part.rows;
    if (part.newestId !== undefined && part.newestId > (sum.newestId ?? "")) sum.newestId = part.newestId;
  }
  return sum;
}

async function sumNamed(transaction: ReadTransaction, query: Parameters<typeof sumAssets>[1]): Promise<AssetSum> {
  let select = transaction
    .selectFrom("asset")
    .leftJoin("asset_version", (join) =>
      join
        .onRef("asset_version.project", "=", "asset.project")
        .onRef("asset_version.asset", "=", "asset.name")
        .onRef("asset_version.version", "=", "asset.latest_version"),
    )
    .select((of) => [
      of.fn.countAll<number>().as("assets"),
      of.fn.sum<number | null>("asset.latest_version").as("versions"),
      of.fn.sum<number | null>("asset_version.row_count").as("rows"),
      of.fn.max("asset_version.id").as("newest"),
    ])
    .where("asset.project", "=", query.project)
    .where("asset.kind", "=", query.kind)
    .where("asset.latest_version", ">", 0)
    .where("asset.dropped_at_ms", "is", null);
  if (query.names !== undefined) select = select.where("asset.name", "in", query.names);
  if (query.except !== undefined && query.except.length > 0)
    select = select.where("asset.name", "not in", query.except);
  const row = await select.executeTakeFirstOrThrow();
  return {
    assets: Number(row.assets),
    versions: Number(row.versions ?? 0),
    rows: Number(row.rows ?? 0),
    newestId: row.newest ?? undefined,
  };
}
