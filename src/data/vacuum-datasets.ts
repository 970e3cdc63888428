import { getAssetVersion, listAssets, type MetadataStore } from "#metadata-store";
import type { Datasets } from "./dataset.ts";
import { datasetMissing } from "./errors.ts";

const PAGE = 1_000;

/** What a vacuum removed of one dataset, or would remove. */
export interface DatasetVacuum {
  readonly dataset: string;
  /** Names of data files, relative to the dataset's folder. */
  readonly removed: readonly string[];
  readonly sizeBytes: number;
}

/**
 * Removes data files that no version refers to, of one dataset or of all, one after the other; see {@link Datasets.vacuum}.
 *
 * @param request.dataset default: every dataset of the project, feature tables included
 * @param request.retentionMs age in ms below which files stay, ≥ 0; default one week
 * @returns one entry per dataset, by name; those before an abort of `signal`, when it comes
 * @throws DATA_DATASET_MISSING, DATA_TABLE_MISSING
 */
export async function vacuumDatasets(
  { store, datasets, project }: { readonly store: MetadataStore; readonly datasets: Datasets; readonly project: string },
  request: { readonly dataset?: string | undefined; readonly retentionMs?: number | undefined; readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<readonly DatasetVacuum[]> {
  const { dataset, retentionMs, dryRun, signal } = request;
  const names = dataset === undefined ? await listNames(store, project) : [await existing(store, project, dataset)];
  const vacuumed: DatasetVacuum[] = [];
  for (const name of names) {
    if (signal.aborted) break;
    const { removed, sizeBytes } = await datasets.vacuum({ project, asset: name, dryRun, ...(retentionMs === undefined ? {} : { retentionMs }) });
    vacuumed.push({ dataset: name, removed, sizeBytes });
  }
  return vacuumed;
}

async function listNames(store: MetadataStore, project: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const kind of ["data", "features"] as const) {
    for (let after: string | undefined; ; ) {
      const page = await store.read((transaction) => listAssets(transaction, { project, kind, limit: PAGE, ...(after === undefined ? {} : { after }) }));
      names.push(...page.map(({ asset }) => asset));
      after = page.at(-1)?.asset;
      if (page.length < PAGE) break;
    }
  }
  return names.sort();
}

async function existing(store: MetadataStore, project: string, dataset: string): Promise<string> {
  const version = await store.read((transaction) => getAssetVersion(transaction, { project, asset: dataset }));
  if (version === undefined || (version.kind !== "data" && version.kind !== "features")) throw datasetMissing({ dataset, version: undefined });
  return dataset;
}
