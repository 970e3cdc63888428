import { getAssetVersion, listAssetPartitions, type MetadataStore, type ReadTransaction } from "#metadata-store";
import { findLatestStepRun, getCacheEntry, getLatestCacheEntry } from "#metadata-store/engine";
import type { PastRuns } from "#pipeline";

/** What was made before, as one transaction sees it. */
export function pastRunsIn(transaction: ReadTransaction): PastRuns {
  return {
    latestVersion: (asset) => getAssetVersion(transaction, asset),
    partitionMade: async ({ project, asset, partition }) =>
      (await listAssetPartitions(transaction, { project, assets: [asset], partition }))[0],
    result: (key) => getCacheEntry(transaction, key),
    latestResult: (step) => getLatestCacheEntry(transaction, step),
    latestStepRun: (step) => findLatestStepRun(transaction, step),
  };
}

/** What was made before, each answer as the store is when it is asked. */
export function createPastRuns(store: MetadataStore): PastRuns {
  return {
    latestVersion: (asset) => store.read((transaction) => pastRunsIn(transaction).latestVersion(asset)),
    partitionMade: (of) => store.read((transaction) => pastRunsIn(transaction).partitionMade(of)),
    result: (key) => store.read((transaction) => pastRunsIn(transaction).result(key)),
    latestResult: (step) => store.read((transaction) => pastRunsIn(transaction).latestResult(step)),
    latestStepRun: (step) => store.read((transaction) => pastRunsIn(transaction).latestStepRun(step)),
  };
}
