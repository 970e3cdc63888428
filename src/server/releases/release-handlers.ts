import type { Environment, Release, VersionReference } from "#api";
import type { Platform } from "#app";
import { releaseBefore } from "#delivery";
import {
  type Deployment,
  getAssetVersion,
  getRelease,
  listDeployed,
  listDeployments,
  listReleases,
  type ReadTransaction,
  type Release as StoredRelease,
} from "#metadata-store";
import type { ApiHandlers } from "../api/mount-api.ts";
import { parseCursor, toPage, ULID } from "../api/paging.ts";
import { referencesOf } from "../api/version-reference.ts";

const CONSIDERED_DEPLOYMENTS = 1000;

/** Environments, releases and the way back. */
export function createReleaseHandlers(
  platform: Platform,
): Pick<ApiHandlers, "listEnvironments" | "listReleases" | "rollBack"> {
  const { store, project, config } = platform;
  return {
    listEnvironments: () =>
      store.read(async (transaction) => {
        const deployed = await listDeployed(transaction, { project });
        const names = [
          ...new Set([
            ...config.environments.map(({ name }) => name),
            ...deployed.map(({ environment }) => environment),
          ]),
        ];
        const items: Environment[] = [];
        for (const name of names) {
          const rules = config.environments.find((environment) => environment.name === name);
          const releases = await recentReleases(transaction, { project, environment: name, limit: 100 });
          items.push({
            name,
            requiredApprovals: rules?.approvals ?? 0,
            bind: rules?.bind ?? "version",
            live: releases.filter(({ status }) => status === "live"),
          });
        }
        return { items };
      }),
    listReleases: ({ query }) =>
      store.read(async (transaction) => {
        const found = await recentReleases(transaction, {
          project,
          environment: query.environment,
          asset: query.asset,
          before: parseCursor(query.after, ULID)?.[0],
          limit: query.limit + 1,
        });
        return toPage(found, { limit: query.limit, cursor: ({ id }) => id, show: (release) => release });
      }),
    rollBack: async ({ body, identity }) => ({
      id: await platform.rollBack({
        environment: body.environment,
        asset: body.asset,
        to: body.to,
        reason: body.reason,
        actor: identity.name,
      }),
    }),
  };
}

/** Releases with what became of them, newest first. */
export async function recentReleases(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly environment?: string | undefined;
    readonly asset?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  },
): Promise<readonly Release[]> {
  const { project, environment, asset, before, limit } = query;
  const scope = {
    project,
    ...(environment === undefined ? {} : { environment }),
    ...(asset === undefined ? {} : { asset }),
  };
  const releases = await listReleases(transaction, { ...scope, limit, ...(before === undefined ? {} : { before }) });
  const deployments = await listDeployments(transaction, { ...scope, limit: CONSIDERED_DEPLOYMENTS });
  const deployed = await listDeployed(transaction, scope);
  const facts = { deployments, liveIds: new Set(deployed.map(({ releaseId }) => releaseId)) };
  const shown: Release[] = [];
  for (const release of releases) shown.push(await toRelease(transaction, release, facts));
  return shown;
}

/** What a rollback of a live release brings back. */
async function findBefore(
  transaction: ReadTransaction,
  release: StoredRelease,
  deployments: readonly Deployment[],
): Promise<Release["before"]> {
  const { project, environment, asset } = release;
  const ran = new Set(
    deployments
      .filter(
        (deployment) =>
          deployment.environment === environment && deployment.asset === asset && deployment.status === "succeeded",
      )
      .map(({ releaseId }) => releaseId),
  );
  const before = releaseBefore(await listReleases(transaction, { project, environment, asset, limit: 1000 }), {
    ran,
    currentId: release.id,
  });
  return before === undefined ? undefined : { id: before.id, items: await itemsOf(transaction, before) };
}

async function itemsOf(transaction: ReadTransaction, release: StoredRelease): Promise<readonly VersionReference[]> {
  return referencesOf(
    transaction,
    release.versions.map(({ versionId, role }) => ({ id: versionId, role })),
  );
}

async function toRelease(
  transaction: ReadTransaction,
  release: StoredRelease,
  facts: { readonly deployments: readonly Deployment[]; readonly liveIds: ReadonlySet<string> },
): Promise<Release> {
  const latest = facts.deployments.find((deployment) => deployment.releaseId === release.id);
  const sameTarget = facts.deployments.filter(
    (deployment) =>
      deployment.environment === release.environment &&
      deployment.asset === release.asset &&
      deployment.status === "succeeded",
  );
  const position = sameTarget.findIndex((deployment) => deployment.releaseId === release.id);
  const successor = position > 0 ? sameTarget[position - 1] : undefined;
  const version = await getAssetVersion(transaction, { id: release.versionId });
  const isLive = facts.liveIds.has(release.id);
  const replaced = sameTarget.slice(position + 1).find(({ releaseId }) => releaseId !== release.id)?.releaseId;
  const replacedRelease = replaced === undefined ? undefined : await getRelease(transaction, { id: replaced });
  return {
    id: release.id,
    environment: release.environment,
    asset: release.asset,
    status: isLive ? "live" : statusOf(latest, successor),
    untilMs: isLive ? undefined : successor?.startedAtMs,
    items: await itemsOf(transaction, release),
    pipelineRunId: version?.pipelineRunId,
    commit: (version?.content as { record?: { commit?: { id?: string } } } | undefined)?.record?.commit?.id,
    replaces: replaced,
    replacedItems: replacedRelease === undefined ? undefined : await itemsOf(transaction, replacedRelease),
    before: isLive ? await findBefore(transaction, release, facts.deployments) : undefined,
    ...(latest === undefined
      ? { atMs: release.createdAtMs, actor: release.createdBy, isRollback: false, reason: undefined, url: undefined }
      : describeDeployment(latest)),
  };
}

/** @param successor the deployment that took the place of this release */
function statusOf(latest: Deployment | undefined, successor: Deployment | undefined): Release["status"] {
  if (latest === undefined) return "waiting";
  if (latest.status === "deploying" || latest.status === "failed") return latest.status;
  return successor?.reason === "rollback" ? "rolled_back" : "superseded";
}

function describeDeployment({
  startedAtMs,
  actor,
  reason,
  error,
  target,
}: Deployment): Pick<Release, "atMs" | "actor" | "isRollback" | "reason" | "url"> {
  return {
    atMs: startedAtMs,
    actor,
    isRollback: reason === "rollback",
    reason: (error as { message?: string } | undefined)?.message,
    url: (target as { address?: string } | undefined)?.address,
  };
}
