import type { Environment, Release, UnisolatedRelease, VersionReference } from "#api";
import type { Platform } from "#app";
import { findWeaklyMade } from "#engine";
import { describeRules } from "#governance";
import {
  type AssetVersion,
  listVersionHeads,
  listVersionsById,
  type ReadTransaction,
  type VersionHead,
} from "#metadata-store";
import {
  type Deployed,
  type Deployment,
  listDeployed,
  listReleaseCourses,
  listReleases,
  listReleasesById,
  type Release as StoredRelease,
  type ReleaseCourse,
} from "#metadata-store/delivery";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { parseCursor, toPage, ULID } from "../api/paging.ts";
import { toReferences } from "../api/version-reference.ts";
import { compareReleases } from "./compare-releases.ts";
import { describeRollback } from "./environment-rollback.ts";

const RELEASES_A_PAGE = 1000;

/** Environments, releases and the way back. */
export function createReleaseHandlers(
  platform: Platform,
): Pick<
  ApiHandlers,
  | "listEnvironments"
  | "getEnvironmentRules"
  | "listReleases"
  | "rollBack"
  | "compareReleases"
  | "planEnvironmentRollback"
  | "rollBackEnvironment"
> {
  const { store, project } = platform;
  return {
    getEnvironmentRules: ({ params }) => describeRules(store, platform.rules, { project, environment: params.name }),
    listEnvironments: () =>
      store.read(async (transaction) => {
        const deployed = await listDeployed(transaction, { project });
        const names = [
          ...new Set([
            ...platform.rules.current().map(({ name }) => name),
            ...deployed.map(({ environment }) => environment),
          ]),
        ];
        const inForce = new Map(
          await Promise.all(names.map(async (name) => [name, await platform.rules.inForce(name)] as const)),
        );
        const liveIds = new Set(deployed.map(({ releaseId }) => releaseId));
        const found = [...(await listReleasesById(transaction, [...liveIds])).values()];
        const newestFirst = found.toSorted((left, right) => (left.id < right.id ? 1 : -1));
        const live = Map.groupBy(
          await describeReleases(transaction, newestFirst, liveIds),
          ({ environment }) => environment,
        );
        const unisolated = await listUnisolated(
          transaction,
          deployed.filter(({ environment }) => {
            const rules = inForce.get(environment);
            return rules !== undefined && (rules.approvals > 0 || rules.sandbox);
          }),
        );
        const items = names.map((name): Environment => {
          const rules = inForce.get(name);
          return {
            name,
            requiredApprovals: rules?.approvals ?? 0,
            bind: rules?.bind ?? "version",
            live: live.get(name) ?? [],
            unisolated: unisolated.get(name) ?? [],
          };
        });
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
    compareReleases: ({ query }) => compareReleases(platform, query),
    planEnvironmentRollback: async ({ params, query }) =>
      describeRollback(
        platform,
        await platform.delivery.planTogether({ project, environment: params.name, to: query.to }),
      ),
    rollBackEnvironment: async ({ params, body, identity }) =>
      describeRollback(
        platform,
        await platform.delivery.rollbackTogether({
          project,
          environment: params.name,
          to: body.to,
          reason: body.reason,
          actor: identity.name,
        }),
      ),
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

/** What of the live releases was made without a sandbox, by environment. */
async function listUnisolated(
  transaction: ReadTransaction,
  deployed: readonly Deployed[],
): Promise<ReadonlyMap<string, readonly UnisolatedRelease[]>> {
  const versions = await listVersionsById(
    transaction,
    deployed.map(({ versionId }) => versionId),
  );
  const found = new Map<string, UnisolatedRelease[]>();
  for (const { environment, versionId } of deployed) {
    const version = versions.get(versionId);
    // oxlint-disable-next-line no-await-in-loop -- one connection answers them one after the other
    const weak = version === undefined ? undefined : await findWeaklyMade(transaction, version, "sandbox");
    if (version === undefined || weak?.level === undefined || weak.level === "sandbox") continue;
    const { asset: made, version: madeVersion } = weak.version;
    const release = { asset: version.asset, version: version.version, made, madeVersion, level: weak.level };
    found.set(environment, [...(found.get(environment) ?? []), release]);
  }
  return found;
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
  return describeReleases(transaction, releases, await liveAmong(transaction, project, releases));
}

/** Every release that deploys a version, with what became of it, newest first. */
export async function releasesOfVersion(
  transaction: ReadTransaction,
  version: Pick<AssetVersion, "id" | "project" | "asset">,
): Promise<readonly Release[]> {
  const { project, asset } = version;
  const found: StoredRelease[] = [];
  for (;;) {
    const before = found.at(-1)?.id;
    const page = { project, asset, versionId: version.id, limit: RELEASES_A_PAGE };
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const releases = await listReleases(transaction, { ...page, ...(before === undefined ? {} : { before }) });
    found.push(...releases);
    if (releases.length < RELEASES_A_PAGE) break;
  }
  return describeReleases(transaction, found, await liveAmong(transaction, project, found));
}

async function liveAmong(
  transaction: ReadTransaction,
  project: string,
  releases: readonly StoredRelease[],
): Promise<ReadonlySet<string>> {
  const assets = [...new Set(releases.map(({ asset }) => asset))];
  const deployed = assets.length === 0 ? [] : await listDeployed(transaction, { project, assets });
  return new Set(deployed.map(({ releaseId }) => releaseId));
}

/** What became of releases. The statements do not grow with their number. */
async function describeReleases(
  transaction: ReadTransaction,
  releases: readonly StoredRelease[],
  liveIds: ReadonlySet<string>,
): Promise<readonly Release[]> {
  const courses = await listReleaseCourses(
    transaction,
    releases.map(({ id }) => id),
  );
  const others = await listReleasesById(
    transaction,
    [...courses].flatMap(([id, { replacedId, beforeId }]) =>
      [replacedId ?? [], liveIds.has(id) ? (beforeId ?? []) : []].flat(),
    ),
  );
  const versions = await listVersionsById(
    transaction,
    releases.map(({ versionId }) => versionId),
  );
  const heads = await listVersionHeads(
    transaction,
    [...releases, ...others.values()].flatMap((release) => release.versions.map(({ versionId }) => versionId)),
  );
  return releases.map((release) =>
    toRelease(release, { course: courses.get(release.id), others, versions, heads, isLive: liveIds.has(release.id) }),
  );
}

interface ReleaseFacts {
  readonly course: ReleaseCourse | undefined;
  /** Releases that these ones replaced, or would go back to. */
  readonly others: ReadonlyMap<string, StoredRelease>;
  readonly versions: ReadonlyMap<string, AssetVersion>;
  readonly heads: ReadonlyMap<string, VersionHead>;
  readonly isLive: boolean;
}

function toRelease(release: StoredRelease, facts: ReleaseFacts): Release {
  const { course, versions, isLive } = facts;
  const version = versions.get(release.versionId);
  const latest = course?.latest;
  return {
    id: release.id,
    environment: release.environment,
    asset: release.asset,
    status: isLive ? "live" : statusOf(latest, course?.successor),
    untilMs: isLive ? undefined : course?.successor?.startedAtMs,
    items: itemsOf(release, facts),
    pipelineRunId: version?.pipelineRunId,
    commit: (version?.content as { record?: { commit?: { id?: string } } } | undefined)?.record?.commit?.id,
    ...besideOf(facts),
    ...(latest === undefined
      ? { atMs: release.createdAtMs, actor: release.createdBy, isRollback: false, reason: undefined, url: undefined }
      : describeDeployment(latest)),
  };
}

/** The release that it replaced, and of the live one the release that a rollback brings back. */
function besideOf(facts: ReleaseFacts): Pick<Release, "replaces" | "replacedItems" | "before"> {
  const { course, others, isLive } = facts;
  const replaced = others.get(course?.replacedId ?? "");
  const before = isLive ? others.get(course?.beforeId ?? "") : undefined;
  return {
    replaces: course?.replacedId,
    replacedItems: replaced && itemsOf(replaced, facts),
    before: before && { id: before.id, items: itemsOf(before, facts) },
  };
}

function itemsOf({ versions }: StoredRelease, { heads }: Pick<ReleaseFacts, "heads">): readonly VersionReference[] {
  return toReferences(
    heads,
    versions.map(({ versionId, role }) => ({ id: versionId, role })),
  );
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
  comment,
  target,
}: Deployment): Pick<Release, "atMs" | "actor" | "isRollback" | "reason" | "url"> {
  return {
    atMs: startedAtMs,
    actor,
    isRollback: reason === "rollback",
    reason: (error as { message?: string } | undefined)?.message ?? comment,
    url: (target as { address?: string } | undefined)?.address,
  };
}
