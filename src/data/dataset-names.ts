import { getAssetVersion, listAssets, type MetadataStore } from "#metadata-store";
import { datasetMissing } from "./errors.ts";

const PAGE = 1_000;

/** The named dataset, or all of a project by name, feature tables included. @throws DATA_DATASET_MISSING */
export async function datasetNames(
  store: MetadataStore,
  project: string,
  dataset: string | undefined,
): Promise<readonly string[]> {
  return dataset === undefined ? listNames(store, project) : [await existing(store, project, dataset)];
}

async function listNames(store: MetadataStore, project: string): Promise<readonly string[]> {
  const names: string[] = [];
  for (const kind of ["data", "features"] as const) {
    for (let after: string | undefined; ;) {
      const page = await store.read((transaction) =>
        listAssets(transaction, { project, kind, limit: PAGE, ...(after === undefined ? {} : { after }) }),
      );
      names.push(...page.map(({ asset }) => asset));
      after = page.at(-1)?.asset;
      if (page.length < PAGE) break;
    }
  }
  return names.sort();
}

async function existing(store: MetadataStore, project: string, dataset: string): Promise<string> {
  const version = await store.read((transaction) => getAssetVersion(transaction, { project, asset: dataset }));
  if (version === undefined || (version.kind !== "data" && version.kind !== "features"))
    throw datasetMissing({ dataset, version: undefined });
  return dataset;
}
