import { type AssetVersion, getAssetVersion, type MetadataStore } from "#metadata-store";
import { getRelease, listDeployed, type Release } from "#metadata-store/delivery";
import { findPipelineRuns } from "#metadata-store/engine";
import type { ClusterRelease } from "./kubernetes-target.ts";
import { settingsOf } from "./release-settings.ts";

/** A kept release as a cluster gets it; undefined for one that went elsewhere. */
export async function toClusterRelease(
  release: Release,
  version: AssetVersion,
  store: MetadataStore,
): Promise<ClusterRelease | undefined> {
  const settings = settingsOf(release);
  if (settings.target !== "kubernetes") return undefined;
  const { pipelineRunId } = version;
  const [run] =
    pipelineRunId === undefined
      ? []
      : await store.read((transaction) => findPipelineRuns(transaction, [pipelineRunId]));
  const { project, environment, asset, number } = release;
  return { project, environment, asset, version, settings, number, commit: run?.source?.commit ?? "" };
}

/** What an environment runs of an asset, where that is in a cluster: it is applied again when another fails. */
export async function findClusterRelease(
  of: { readonly project: string; readonly environment: string; readonly asset: string },
  store: MetadataStore,
): Promise<ClusterRelease | undefined> {
  const found = await store.read(async (transaction) => {
    const [deployed] = await listDeployed(transaction, of);
    if (deployed === undefined) return undefined;
    const release = await getRelease(transaction, { id: deployed.releaseId });
    const version = await getAssetVersion(transaction, { id: deployed.versionId });
    return release === undefined || version === undefined ? undefined : { release, version };
  });
  return found === undefined ? undefined : toClusterRelease(found.release, found.version, store);
}
