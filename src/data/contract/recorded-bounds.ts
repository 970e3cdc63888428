import { listAssetVersions, type MetadataStore } from "#metadata-store";
import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { contentOf } from "../dataset.ts";
import { setBounds } from "./outliers.ts";
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
  for (const [name, outliers] of columns) {
    const spread = versions
      .map((version) => contentOf(version).bounds?.[outliers.column]?.spread)
      .find((one) => one !== undefined);
    const select = of.measured.get(name);
    if (spread !== undefined) await setBounds(connection, outliers, { spread });
    else if (select !== undefined) await setBounds(connection, outliers, { select });
  }
}
