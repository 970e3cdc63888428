import { type AssetVersion, getAssetVersion, listAssetVersions, type MetadataStore } from "#metadata-store";
import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { contentOf } from "../dataset.ts";
import { contractBroken } from "../errors.ts";
import { type Outliers, setBounds, type Spread } from "./outliers.ts";
import type { CompiledContract } from "./rules.ts";

const MOST_VERSIONS = 100;

/**
 * Rows that are looked at again are judged by what the values of their dataset were like when they were last measured:
 * a few rows that were held say little of it.
 *
 * @param measured column, in lower case → SELECT of the values at hand, for columns that were never measured
 */
export async function setRecordedBounds(
  store: MetadataStore,
  connection: AnalyticsConnection,
  of: {
    readonly project: string;
    readonly dataset: string;
    readonly contract: CompiledContract | undefined;
    readonly measured: ReadonlyMap<string, string>;
  },
): Promise<void> {
  const columns = [...(of.contract?.treatments ?? [])].flatMap(([name, { outliers }]) =>
    outliers?.declared.method === undefined ? [] : [[name, outliers] as const],
  );
  if (columns.length === 0) return;
  const versions = await store.read((transaction) =>
    listAssetVersions(transaction, { project: of.project, asset: of.dataset, limit: MOST_VERSIONS }),
  );
  const last = (outliers: Outliers): Spread | undefined =>
    versions.map((version) => spreadIn(version, outliers)).find((one) => one !== undefined);
  for (const [name, outliers] of columns) {
    const spread = (await referredSpread(store, of, outliers)) ?? last(outliers);
    const select = of.measured.get(name);
    if (spread !== undefined) await setBounds(connection, outliers, { spread });
    else if (select !== undefined) await setBounds(connection, outliers, { select });
  }
}

/**
 * What the values of a column were like in the version that its bounds refer to; undefined where they refer to none, or
 * to one that is still to be made.
 *
 * @throws DATA_CONTRACT_BROKEN when they were not measured in that version
 */
export async function referredSpread(
  store: MetadataStore,
  { project, dataset }: { readonly project: string; readonly dataset: string },
  outliers: Outliers,
): Promise<Spread | undefined> {
  const { reference } = outliers.declared;
  if (reference === undefined) return undefined;
  const [version, latest] = await store.read(async (transaction) => [
    await getAssetVersion(transaction, { project, asset: dataset, version: reference }),
    await getAssetVersion(transaction, { project, asset: dataset }),
  ]);
  const spread = version === undefined ? undefined : spreadIn(version, outliers);
  if (spread !== undefined || (latest?.version ?? 0) < reference) return spread;
  throw contractBroken({
    dataset,
    problems: [
      `the bounds of outliers of ${outliers.column} refer to version ${reference}, in which its values were not measured: name one that was made with outliers: { method }`,
    ],
  });
}

function spreadIn(version: AssetVersion, { column }: Outliers): Spread | undefined {
  return contentOf(version).bounds?.[column]?.spread;
}
