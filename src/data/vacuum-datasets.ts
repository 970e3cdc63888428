import type { MetadataStore } from "#metadata-store";
import type { Datasets } from "./dataset.ts";
import { datasetNames } from "./dataset-names.ts";

/** What a vacuum removed of one dataset, or would remove. */
export interface DatasetVacuum {
  readonly dataset: string;
  /** Names of data files, relative to the dataset's folder. */
  readonly removed: readonly string[];
  readonly sizeBytes: number;
}

/**
 * Removes data files that no version refers to, of one dataset or of all, one after the other; see {@link
 * Datasets.vacuum}.
 *
 * @param request.dataset default: every dataset of the project, feature tables included
 * @param request.retentionMs age in ms below which files stay, ≥ 0; default one week
 * @returns one entry per dataset, by name; those before an abort of `signal`, when it comes
 * @throws DATA_DATASET_MISSING, DATA_TABLE_MISSING
 */
export async function vacuumDatasets(
  {
    store,
    datasets,
    project,
  }: { readonly store: MetadataStore; readonly datasets: Datasets; readonly project: string },
  request: {
    readonly dataset?: string | undefined;
    readonly retentionMs?: number | undefined;
    readonly dryRun: boolean;
    readonly signal: AbortSignal;
  },
): Promise<readonly DatasetVacuum[]> {
  const { dataset, retentionMs, dryRun, signal } = request;
  const names = await datasetNames(store, project, dataset);
  const vacuumed: DatasetVacuum[] = [];
  for (const name of names) {
    if (signal.aborted) break;
    const { removed, sizeBytes } = await datasets.vacuum({
      project,
      asset: name,
      dryRun,
      ...(retentionMs === undefined ? {} : { retentionMs }),
    });
    vacuumed.push({ dataset: name, removed, sizeBytes });
  }
  return vacuumed;
}
