import type { MetadataStore } from "#metadata-store";
import { listDeployed, listReleasesById } from "#metadata-store/delivery";
import { settingsOf } from "./release-settings.ts";

/** A code deployment that callers may ask for as a model: a server of the user's choice. */
export interface ModelServer {
  readonly environment: string;
  /** The asset: what callers name. */
  readonly name: string;
  readonly deploymentId: string;
  readonly versionId: string;
  readonly deployedAtMs: number;
  /** What the server itself calls its model. */
  readonly model: string;
}

/** Deployments of this machine whose step says `openai`; no other is reached through the platform. */
export async function listModelServers(
  store: Pick<MetadataStore, "read">,
  project: string,
): Promise<readonly ModelServer[]> {
  return store.read(async (transaction) => {
    const deployed = await listDeployed(transaction, { project });
    const releases = await listReleasesById(
      transaction,
      deployed.map(({ releaseId }) => releaseId),
    );
    return deployed.flatMap(({ environment, asset, deploymentId, releaseId, versionId, atMs }) => {
      const release = releases.get(releaseId);
      const settings = release === undefined ? undefined : settingsOf(release);
      if (settings?.target !== "process" || settings.openai === undefined) return [];
      const { model = asset } = settings.openai;
      return [{ environment, name: asset, deploymentId, versionId, deployedAtMs: atMs, model }];
    });
  });
}
