import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { homeProject } from "#pipeline";

/** The latest versions of datasets, of those that have one. */
export async function latestOf(
  store: MetadataStore,
  project: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, AssetVersion>> {
  return store.read(async (transaction) => {
    const versions = new Map<string, AssetVersion>();
    for (const asset of names) {
      const version =
        (await getAssetVersion(transaction, { project, asset })) ??
        // A preview reads what its project has, where it made nothing itself.
        (await getAssetVersion(transaction, { project: homeProject(project), asset }));
      // What had the name before may have been no dataset.
      if (version?.kind === "data" || version?.kind === "features") versions.set(asset, version);
    }
    return versions;
  });
}
