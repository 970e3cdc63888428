import type { MetadataStore } from "#metadata-store";
import type { CompactedFiles } from "./compact-dataset.ts";
import type { Datasets } from "./dataset.ts";
import { datasetNames } from "./dataset-names.ts";

/** What a compaction did to one dataset. */
export interface DatasetCompaction extends CompactedFiles {
  readonly dataset: string;
}

/**
 * Compacts one dataset, or all of a project one after the other; see {@link Datasets.compact}.
 *
 * @returns one entry per dataset, by name; those before an abort of `signal`, when it comes
 * @throws DATA_DATASET_MISSING, and what {@link Datasets.compact} throws
 */
export async function compactDatasets(
  {
    store,
    datasets,
    project,
  }: { readonly store: MetadataStore; readonly datasets: Datasets; readonly project: string },
  request: { readonly dataset?: string | undefined; readonly signal: AbortSignal },
): Promise<readonly DatasetCompaction[]> {
  const { dataset, signal } = request;
  const compacted: DatasetCompaction[] = [];
  for (const name of await datasetNames(store, project, dataset)) {
    if (signal.aborted) break;
    compacted.push({ dataset: name, ...(await datasets.compact({ project, asset: name, signal })) });
  }
  return compacted;
}
