import { listAssetVersions, type MetadataStore } from "#metadata-store";
import { contentOf } from "../dataset.ts";
import type { MeasuredVersion } from "./anomaly.ts";

const MOST_VERSIONS = 1000;

/** What was measured of the latest versions of a dataset, newest first. */
export async function measuredVersions(
  store: MetadataStore,
  { project, asset, isNeeded }: { readonly project: string; readonly asset: string; readonly isNeeded: boolean },
): Promise<readonly MeasuredVersion[]> {
  if (!isNeeded) return [];
  const versions = await store.read((transaction) =>
    listAssetVersions(transaction, { project, asset, limit: MOST_VERSIONS }),
  );
  return versions.flatMap((version) => {
    const { measured } = contentOf(version);
    return measured === undefined ? [] : [{ atMs: version.madeAtMs, measured }];
  });
}
