import { canonicalJson } from "#base";
import type { AssetVersion, MetadataStore } from "#metadata-store";
import { type Deployment, getRelease, listDeployed, listDeployments, type Release } from "#metadata-store/delivery";
import type { Services } from "#executors";
import type { ModelTarget, TargetState } from "./ports.ts";
import type { ReleaseSettings } from "./release-settings.ts";
import { toClusterRelease } from "./cluster-release.ts";
import { type KubernetesTargetOptions, runsOnCluster } from "./kubernetes-target.ts";
import { runsOnHosts, type SshTargetOptions } from "./ssh-target.ts";

/** What is asked for: a version in an environment, deployed in a certain way. */
export interface WantedDeployment {
  readonly project: string;
  readonly environment: string;
  readonly version: AssetVersion;
  readonly settings: ReleaseSettings;
  /**
   * When the asker first looked, epoch milliseconds: what ran there since then counts too, even when another version
   * came after it.
   */
  readonly sinceMs?: number | undefined;
}

export interface KeptDeployment {
  readonly deployment: Deployment;
  readonly release: Release;
}

/** Where releases run, each asked what it has. */
interface Places {
  readonly services: Services;
  readonly models: ModelTarget;
  readonly hosts: SshTargetOptions;
  readonly clusters: KubernetesTargetOptions;
}

/**
 * The deployment by which a version already runs in an environment, in the same way; undefined when it has to be
 * deployed.
 */
export async function findKeptDeployment(
  wanted: WantedDeployment,
  options: Places & { readonly store: MetadataStore },
): Promise<KeptDeployment | undefined> {
  const { project, environment, version, sinceMs } = wanted;
  const { current, succeeded } = await options.store.read(async (transaction) => ({
    current: (await listDeployed(transaction, { project, environment, asset: version.asset }))[0],
    succeeded: await listDeployments(transaction, {
      project,
      environment,
      asset: version.asset,
      status: "succeeded",
      limit: 1000,
    }),
  }));
  if (current === undefined) return undefined;
  const running = succeeded.find(({ id }) => id === current.deploymentId);
  const kept = running === undefined ? undefined : await matchRelease(running, wanted, options.store);
  if (kept !== undefined) return (await isThere(wanted, kept.release, options)) ? kept : undefined;
  for (const deployment of sinceMs === undefined ? [] : ranSince(succeeded, sinceMs)) {
    const earlier = await matchRelease(deployment, wanted, options.store);
    if (earlier !== undefined) return earlier;
  }
  return undefined;
}

async function matchRelease(
  deployment: Deployment,
  { version, settings }: WantedDeployment,
  store: MetadataStore,
): Promise<KeptDeployment | undefined> {
  const release = await store.read((transaction) => getRelease(transaction, { id: deployment.releaseId }));
  return release?.versionId === version.id && canonicalJson(release.settings) === canonicalJson(settings)
    ? { deployment, release }
    : undefined;
}

/** Those that began to run after that moment, and the one that ran at it. `succeeded` comes newest first. */
function ranSince(succeeded: readonly Deployment[], sinceMs: number): readonly Deployment[] {
  const before = succeeded.findIndex(({ endedAtMs }) => (endedAtMs ?? Infinity) < sinceMs);
  return before === -1 ? succeeded : succeeded.slice(0, before + 1);
}

/**
 * A trial that was taken back, an endpoint that was stopped and a service that does not come up need a deployment of
 * their own.
 */
async function isThere(
  { project, environment, version, settings }: WantedDeployment,
  release: Release,
  { services, models, hosts, clusters, store }: Places & { readonly store: MetadataStore },
): Promise<boolean> {
  if (settings.target === "kubernetes") {
    const applied = await toClusterRelease(release, version, store);
    // A cluster that does not answer: the deployment that follows says what is wrong with it.
    return applied !== undefined && runsOnCluster(applied, clusters).catch(() => false);
  }
  if (settings.target === "ssh")
    // A host that does not answer: the deployment that follows says what is wrong with it.
    return runsOnHosts({ project, environment, asset: version.asset, version, settings }, hosts).catch(() => false);
  if (settings.target === "model") {
    const now = await models.current({ project, environment, endpoint: settings.endpoint });
    return now?.versionId === version.id || now?.candidateVersionId === version.id;
  }
  const key = { project, environment, name: version.asset };
  try {
    const running = await services.status(key);
    return running === undefined ? await services.ensure(key) : running.current?.up === true;
  } catch {
    // A supervisor that does not answer: the deployment that follows says what is wrong with it.
    return false;
  }
}

/** What the deployment left behind. */
export function stateOf({ deployment }: KeptDeployment): TargetState {
  return deployment.target as TargetState;
}
