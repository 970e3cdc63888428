import { isDigest } from "#base";
import { type AssetVersion, getAssetVersion, listAssets, listAssetVersions, type MetadataStore } from "#metadata-store";
import { listQuarantineBatches, type QuarantineBatch, summarizeQuarantine } from "#metadata-store/data";
import type { Blobs } from "#storage";
import type { Column } from "./analytics/analytics.ts";
import { contentOf, type DatasetContent, type QuarantineSummary } from "./dataset.ts";
import { datasetMissing } from "./errors.ts";
import type { Profile } from "./profile/profile.ts";
import { parseProfile } from "./profile/stored-profile.ts";
import type { ColumnLineage } from "./transform/column-lineage.ts";

export interface DatasetQueryDependencies {
  readonly store: MetadataStore;
  readonly objects: Blobs;
}

export interface QuarantineTotals {
  readonly batches: number;
  /** Files held back whole. */
  readonly files: number;
  readonly held: number;
  readonly replayed: number;
  readonly discarded: number;
  readonly superseded: number;
}

/** A dataset in a list: its latest version and what stands in quarantine. */
export interface DatasetSummary {
  readonly name: string;
  readonly latest: AssetVersion;
  readonly columns: readonly Column[];
  readonly quarantine: QuarantineTotals;
}

const NONE: QuarantineTotals = { batches: 0, files: 0, held: 0, replayed: 0, discarded: 0, superseded: 0 };

/** Datasets by name; `after` is the last name of the page before. `limit` at most 1,000, default 100. */
export async function listDatasets(
  { store }: Pick<DatasetQueryDependencies, "store">,
  query: { readonly project: string; readonly after?: string; readonly limit?: number },
): Promise<readonly DatasetSummary[]> {
  const assets = await store.read((transaction) => listAssets(transaction, { ...query, kind: "data" }));
  const totals = new Map(
    (await store.read((transaction) => summarizeQuarantine(transaction, { project: query.project }))).map((row) => [
      row.dataset,
      row,
    ]),
  );
  return assets.map((latest) => ({
    name: latest.asset,
    latest,
    columns: contentOf(latest).columns,
    quarantine: totalsOf(totals.get(latest.asset)),
  }));
}

function totalsOf(row: QuarantineTotals | undefined): QuarantineTotals {
  if (row === undefined) return NONE;
  const { batches, files, held, replayed, discarded, superseded } = row;
  return { batches, files, held, replayed, discarded, superseded };
}

/** One version of a dataset with everything a page shows of it. */
export interface DatasetDetails {
  readonly version: AssetVersion;
  readonly columns: readonly Column[];
  readonly profile: Profile | undefined;
  /** What the contract let pass and held back when this version was made. */
  readonly checked: QuarantineSummary | undefined;
  readonly lineage: ColumnLineage | undefined;
  readonly captured: NonNullable<DatasetContent["captured"]>;
  /** Newest first; older ones with `listAssetVersions`. */
  readonly versions: readonly AssetVersion[];
  readonly quarantine: QuarantineTotals;
  /** Newest first, at most 100. */
  readonly batches: readonly QuarantineBatch[];
}

/** The latest version, or the one with the given number. @throws DATA_DATASET_MISSING */
export async function getDatasetDetails(
  { store, objects }: DatasetQueryDependencies,
  of: { readonly project: string; readonly dataset: string; readonly version?: number },
): Promise<DatasetDetails> {
  const key = { project: of.project, asset: of.dataset };
  const version = await store.read((transaction) =>
    getAssetVersion(transaction, { ...key, ...(of.version === undefined ? {} : { version: of.version }) }),
  );
  if (version === undefined || (version.kind !== "data" && version.kind !== "features"))
    throw datasetMissing({ dataset: of.dataset, version: of.version });
  const content = contentOf(version);
  const [totals] = await store.read((transaction) =>
    summarizeQuarantine(transaction, { project: of.project, dataset: of.dataset }),
  );
  return {
    version,
    columns: content.columns,
    profile: await readProfile(objects, content),
    checked: content.quarantine,
    lineage: content.lineage as unknown as ColumnLineage | undefined,
    captured: content.captured ?? [],
    versions: await store.read((transaction) => listAssetVersions(transaction, { ...key, limit: 100 })),
    quarantine: totalsOf(totals),
    batches: await store.read((transaction) =>
      listQuarantineBatches(transaction, { project: of.project, dataset: of.dataset }),
    ),
  };
}

/** A version's profile, or undefined when it has none. */
export async function readProfile(
  objects: Blobs,
  content: Pick<DatasetContent, "profile">,
): Promise<Profile | undefined> {
  if (content.profile === undefined || !isDigest(content.profile)) return undefined;
  return parseProfile((await objects.get(content.profile)).toString());
}
