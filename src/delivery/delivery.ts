import { type Clock, EsteiraError, type Log, messageOf, nearestName, newId } from "#base";
import {
  appendEvent,
  type AssetVersion,
  contentDigest,
  getAssetVersion,
  getVersionGraph,
  type MetadataStore,
  versionsDigest,
} from "#metadata-store";
import {
  type Deployed,
  type Deployment,
  getDeployment,
  getRelease,
  insertDeployment,
  insertRelease,
  listDeployed,
  listDeployments,
  listReleaseCourses,
  listReleases,
  type Release,
  type ReleaseVersion,
} from "#metadata-store/delivery";
import type { Blobs } from "#storage";
import { createSshHosts, type Services } from "#executors";
import { isPreviewEnvironment } from "#pipeline";
import { type Environment, findEnvironment, PRODUCTION } from "./environment.ts";
import { assertIsolated, findWeakness } from "./isolation-check.ts";
import { nothingDeployed, notApproved, releaseMissing, versionMissing } from "./errors.ts";
import { findKeptDeployment, stateOf } from "./kept-deployment.ts";
import { type ApprovalCheck, type ModelTarget, type TargetState } from "./ports.ts";
import { deployProcess } from "./process-target.ts";
import { crownVersion, recordFailure, recordRemoval, recordSuccess } from "./record-deployment.ts";
import { type EnvironmentRollback, planRollback, rollBackTogether, type RollbackPlan } from "./roll-back-together.ts";
import { type ReleaseSettings, settingsAsJson, settingsOf } from "./release-settings.ts";
import { findClusterRelease, toClusterRelease } from "./cluster-release.ts";
import { deployToCluster, type KubernetesTargetOptions, removeFromCluster } from "./kubernetes-target.ts";
import { deployToHosts, removeFromHosts, type SshTargetOptions } from "./ssh-target.ts";

export interface DeliveryOptions {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly services: Services;
  readonly models: ModelTarget;
  readonly environments: readonly Environment[];
  /** Decides over what is brought back; steps ask it before they deploy. */
  readonly approvals: ApprovalCheck;
  /** Where code releases are unpacked: `<store>/releases`. */
  readonly folder: string;
  /** Hosts that code is deployed to. Default: there are none. */
  readonly hosts?: Pick<SshTargetOptions, "ssh" | "targets" | "secret">;
  /** Clusters that code is applied in. Default: there are none. */
  readonly clusters?: KubernetesTargetOptions["clusters"];
  /** `PATH` of deployed processes. */
  readonly searchPath: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** One version to put into one environment. */
export interface NewDeployment {
  readonly project: string;
  readonly environment: string;
  readonly version: AssetVersion;
  readonly settings: ReleaseSettings;
  readonly actor: string;
  readonly stepRunId?: string | undefined;
  /**
   * The same key is the same deployment, whatever was killed in between; a failed one is not tried again under its key.
   */
  readonly idempotencyKey: string;
  /** When the caller first wanted it, epoch milliseconds: see `WantedDeployment`. */
  readonly sinceMs?: number | undefined;
}

/** How a caller follows a deployment. */
export interface DeploymentWatch {
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

export interface FinishedDeployment {
  readonly deployment: Deployment;
  readonly release: Release;
  readonly state: TargetState;
  /**
   * True when the version already ran there in the same way: nothing was done, and this is the deployment that did it.
   */
  readonly kept?: boolean;
}

/** What runs in an environment, and whether its approvals still stand. */
export interface StandingRelease {
  readonly environment: string;
  readonly asset: string;
  /** Of a model. */
  readonly endpoint: string;
  readonly versionId: string;
  /** Undefined: they stand. */
  readonly problem: string | undefined;
}

/** Puts releases into environments, takes them back, and remembers what ran where and when. */
export interface Delivery {
  readonly environments: readonly Environment[];
  /**
   * Deploys one version. What ran before keeps running until the new one is ready, and stays when it is not. A version
   * that already runs there, deployed in the same way, is not deployed again and gets no new release.
   *
   * @throws DELIVERY_ENVIRONMENT_UNKNOWN, DELIVERY_ASSET_NOT_DEPLOYABLE, DELIVERY_COMMAND_MISSING,
   *   EXECUTORS_SERVICE_UNHEALTHY, and what the model target throws
   */
  deploy(deployment: NewDeployment, watch: DeploymentWatch): Promise<FinishedDeployment>;
  /**
   * Deploys an earlier release again, code and models alike: the one before, or the release with this number or id.
   *
   * The rules of the environment hold for it as for a deployment, but for a freeze.
   *
   * @throws DELIVERY_NOTHING_DEPLOYED, DELIVERY_RELEASE_MISSING, DELIVERY_ISOLATION_TOO_WEAK, DELIVERY_NOT_APPROVED,
   *   and what `deploy` throws
   */
  rollback(
    request: {
      readonly project: string;
      readonly environment: string;
      readonly asset: string;
      readonly to?: number | string | undefined;
      readonly actor: string;
      /** Why; goes into the record. */
      readonly reason?: string | undefined;
    },
    watch?: DeploymentWatch,
  ): Promise<FinishedDeployment>;
  /** What of an environment would go back together. @throws what `planRollback` throws */
  planTogether(request: EnvironmentRollback): Promise<RollbackPlan>;
  /** Deploys what an environment ran at an earlier state, or nothing. @throws what `rollBackTogether` throws */
  rollbackTogether(request: EnvironmentRollback & { readonly actor: string }): Promise<RollbackPlan>;
  /** Takes an asset out of an environment. @throws DELIVERY_NOTHING_DEPLOYED */
  remove(request: {
    readonly project: string;
    readonly environment: string;
    readonly asset: string;
    readonly actor: string;
  }): Promise<void>;
  /**
   * Makes production's models champions whose trial (canary, shadow) has ended well since they were deployed. Call it
   * after trials were settled.
   * Idempotent.
   *
   * @returns how many aliases moved
   */
  settle(project: string): Promise<number>;
  /** Whether each asset that is deployed could be deployed now: approvals end, and rules change. */
  standing(project: string): Promise<readonly StandingRelease[]>;
  /** After a start: finishes rollbacks that a dead process left, and starts services whose supervisor is gone. */
  recover(project: string): Promise<void>;
}

const unwatched: DeploymentWatch = { signal: new AbortController().signal, log: () => {} };

/** Opens delivery on a store. */
export function createDelivery(options: DeliveryOptions): Delivery {
  const { store, clock, environments } = options;

  async function carryOut(
    deployment: Deployment,
    release: Release,
    watch: DeploymentWatch,
  ): Promise<FinishedDeployment> {
    const version = await store.read((transaction) => getAssetVersion(transaction, { id: release.versionId }));
    if (version === undefined) throw versionMissing({ asset: release.asset });
    try {
      const state = await switchTarget({ deployment, release, version }, watch, options);
      const answers = await answersNow(release, version, options);
      await store.write((transaction) =>
        recordSuccess(transaction, { deployment, release, version, state, answers, atMs: clock.now() }),
      );
      return {
        deployment:
          (await store.read((transaction) => getDeployment(transaction, { id: deployment.id }))) ?? deployment,
        release,
        state,
      };
    } catch (error) {
      // Stopped from outside: the deployment stays open, for another worker may be going on with it already.
      if (watch.signal.aborted) throw error;
      const facts = error instanceof EsteiraError ? error.toJSON() : { message: messageOf(error) };
      await store.write((transaction) =>
        recordFailure(transaction, { deployment, release, error: facts, atMs: clock.now() }),
      );
      throw error;
    }
  }

  const finish = async (deployment: Deployment): Promise<void> => {
    const release = await store.read((transaction) => getRelease(transaction, { id: deployment.releaseId }));
    if (release === undefined) return;
    await assertApproved(release, deployment.actor, options);
    await carryOut(deployment, release, unwatched);
  };

  return {
    environments,
    async deploy(request, watch) {
      await assertIsolated(request.version, findEnvironment(environments, request.environment), store);
      const begun = await store.read((transaction) => getDeployment(transaction, request));
      const kept = begun === undefined ? await findKeptDeployment(request, placesOf(options)) : undefined;
      if (kept !== undefined) {
        watch.log(
          `${request.environment}: already deployed, release ${kept.release.number}, ${request.version.asset} ${request.version.version}`,
        );
        return { ...kept, state: stateOf(kept), kept: true };
      }
      const { deployment, release } = await begin(store, request, clock.now());
      if (deployment.status === "succeeded") return { deployment, release, state: deployment.target as TargetState };
      return carryOut(deployment, release, watch);
    },
    async rollback(request, watch = unwatched) {
      findEnvironment(environments, request.environment);
      const release = await chooseEarlierRelease(store, request);
      await assertApproved(release, request.actor, options);
      const deployment = await store.write((transaction) =>
        insertDeployment(transaction, {
          ...newDeployment(request, release, clock.now()),
          reason: "rollback",
          comment: request.reason,
          idempotencyKey: `rollback:${newId()}`,
          stepRunId: undefined,
        }),
      );
      return carryOut(deployment, release, watch);
    },
    planTogether: async (request) => {
      findEnvironment(environments, request.environment);
      return planRollback(store, request);
    },
    rollbackTogether: async (request) => {
      findEnvironment(environments, request.environment);
      return rollBackTogether(request, {
        store,
        now: () => clock.now(),
        assertApproved: (release) => assertApproved(release, request.actor, options),
        carryOut: (deployment, release) => carryOut(deployment, release, unwatched),
      });
    },
    async remove(request) {
      const deployed = await findDeployed(store, request);
      await takeOut(deployed, options);
      await store.write((transaction) =>
        recordRemoval(transaction, { deployed, actor: request.actor, atMs: clock.now() }),
      );
    },
    standing: (project) => listStanding(project, options),
    settle: (project) => crownTried(project, options),
    async recover(project) {
      await recoverServices(project, options);
      const open = await store.read((transaction) => listDeployments(transaction, { project, status: "deploying" }));
      for (const deployment of open.filter(({ stepRunId }) => stepRunId === undefined)) {
        await finish(deployment).catch((error: unknown) =>
          options.log.warn("a deployment could not be finished", {
            deployment: deployment.id,
            reason: messageOf(error),
          }),
        );
      }
    },
  };
}

async function listStanding(project: string, options: DeliveryOptions): Promise<readonly StandingRelease[]> {
  const { store, approvals, environments } = options;
  const found: StandingRelease[] = [];
  for (const deployed of await store.read((transaction) => listDeployed(transaction, { project }))) {
    const { environment, asset, versionId } = deployed;
    const { release, version } = await store.read(async (transaction) => ({
      release: await getRelease(transaction, { id: deployed.releaseId }),
      version: await getAssetVersion(transaction, { id: versionId }),
    }));
    if (release === undefined || version === undefined) continue;
    const settings = settingsOf(release);
    if (isPreviewEnvironment(environment)) continue;
    const decision = await approvals.stands({
      project,
      environment,
      rules: environments.find(({ name }) => name === environment) ?? { approvals: 0, bind: "version" },
      version,
      deploy: settingsAsJson(settings),
      requestedBy: "engine",
    });
    found.push({
      environment,
      asset,
      endpoint: settings.target === "model" ? settings.endpoint : asset,
      versionId,
      problem: decision.open ? undefined : decision.gate.reason,
    });
  }
  return found;
}

/** Makes the versions champions that answer in production now; how many aliases moved. */
async function crownTried(project: string, options: DeliveryOptions): Promise<number> {
  const { store, clock } = options;
  let moved = 0;
  for (const deployed of await store.read((transaction) =>
    listDeployed(transaction, { project, environment: PRODUCTION }),
  )) {
    const { release, version } = await store.read(async (transaction) => ({
      release: await getRelease(transaction, { id: deployed.releaseId }),
      version: await getAssetVersion(transaction, { id: deployed.versionId }),
    }));
    if (release === undefined || version?.kind !== "model" || !(await answersNow(release, version, options))) continue;
    if (!(await isAllowed(version, options))) continue;
    if (
      await store.write((transaction) =>
        crownVersion(transaction, version, { atMs: clock.now(), actor: release.createdBy }),
      )
    )
      moved++;
  }
  return moved;
}

/** False for what is live in production and could not be deployed there now: rules were raised since. */
async function isAllowed(version: AssetVersion, { environments, store }: DeliveryOptions): Promise<boolean> {
  const production = environments.find(({ name }) => name === PRODUCTION);
  return production === undefined || (await findWeakness(version, production, store)) === undefined;
}

/** @throws DELIVERY_NOT_APPROVED when the rules of the environment do not let a release back in */
async function assertApproved(
  release: Release,
  requestedBy: string,
  { store, approvals, environments }: DeliveryOptions,
): Promise<void> {
  const { project, environment, asset } = release;
  const version = await store.read((transaction) => getAssetVersion(transaction, { id: release.versionId }));
  if (version === undefined) throw versionMissing({ asset });
  await assertIsolated(version, findEnvironment(environments, environment), store);
  if (isPreviewEnvironment(environment)) return;
  const decision = await approvals.check({
    project,
    environment,
    rules: findEnvironment(environments, environment),
    version,
    deploy: settingsAsJson(settingsOf(release)),
    requestedBy,
    isRollback: true,
  });
  if (decision.open) return;
  throw notApproved({ asset, version: version.version, environment, reason: decision.gate.reason });
}

/** The deployment of this key: the one that was begun, or a new one with its release. */
async function begin(
  store: MetadataStore,
  request: NewDeployment,
  atMs: number,
): Promise<{ readonly deployment: Deployment; readonly release: Release }> {
  const { project, environment, version, settings, actor, stepRunId, idempotencyKey } = request;
  const upstream = await store.read((transaction) => getVersionGraph(transaction, version.id, "upstream"));
  return store.write(async (transaction) => {
    const begun = await getDeployment(transaction, { project, idempotencyKey });
    if (begun !== undefined) {
      const release = await getRelease(transaction, { id: begun.releaseId });
      if (release !== undefined) return { deployment: begun, release };
    }
    const versions = upstream.versions.map((each): ReleaseVersion => ({
      versionId: each.id,
      asset: each.asset,
      kind: each.kind,
      digest: each.digest,
      role: each.id === version.id ? "deployed" : "made_from",
    }));
    const release = await insertRelease(transaction, {
      id: newId(),
      project,
      environment,
      asset: version.asset,
      versionId: version.id,
      createdAtMs: atMs,
      createdBy: actor,
      settings,
      versions,
    });
    await appendEvent(transaction, {
      atMs,
      project,
      type: "release.created",
      subjectKind: "release",
      subject: release.id,
      actor,
      data: {
        environment,
        asset: release.asset,
        number: release.number,
        versionId: release.versionId,
        settings: contentDigest(settings),
        versions: versionsDigest(versions),
      },
    });
    const deployment = await insertDeployment(transaction, {
      ...newDeployment(request, release, atMs),
      reason: "deploy",
      idempotencyKey,
      stepRunId,
    });
    return { deployment, release };
  });
}

function newDeployment(
  request: { readonly project: string; readonly environment: string; readonly actor: string },
  release: Release,
  startedAtMs: number,
): Omit<Deployment, "status" | "endedAtMs" | "target" | "error" | "reason" | "idempotencyKey" | "stepRunId"> {
  return {
    id: newId(),
    project: request.project,
    environment: request.environment,
    asset: release.asset,
    releaseId: release.id,
    actor: request.actor,
    startedAtMs,
  };
}

async function switchTarget(
  facts: { readonly deployment: Deployment; readonly release: Release; readonly version: AssetVersion },
  watch: DeploymentWatch,
  options: DeliveryOptions,
): Promise<TargetState> {
  const { deployment, release, version } = facts;
  const { project, environment, asset } = release;
  const settings = settingsOf(release);
  watch.log(
    `${environment}: release ${release.number}, ${asset} ${version.version}${deployment.reason === "rollback" ? ", rollback" : ""}`,
  );
  if (settings.target === "model") {
    return options.models.deploy(
      {
        deploymentId: deployment.id,
        project,
        environment,
        endpoint: settings.endpoint,
        version,
        actor: deployment.actor,
        ...(settings.featureService === undefined ? {} : { featureService: settings.featureService }),
        ...(settings.workers === undefined ? {} : { workers: settings.workers }),
        ...(settings.log === undefined ? {} : { log: settings.log }),
        ...(deployment.reason === "rollback" ? { isRollback: true } : {}),
        ...(settings.strategy === undefined || deployment.reason === "rollback" ? {} : { strategy: settings.strategy }),
      },
      watch,
    );
  }
  if (settings.target === "ssh") {
    const { address } = await deployToHosts(
      { deploymentId: deployment.id, project, environment, asset, version, settings },
      watch,
      hostsOf(options),
    );
    return { versionId: version.id, digest: version.digest, address };
  }
  if (settings.target === "kubernetes") {
    const wanted = await toClusterRelease(release, version, options.store);
    if (wanted === undefined) throw versionMissing({ asset });
    const previous = await findClusterRelease(release, options.store);
    const { address } = await deployToCluster(wanted, { ...watch, previous }, clustersOf(options));
    return { versionId: version.id, digest: version.digest, address };
  }
  const service = await deployProcess(
    { deploymentId: deployment.id, project, environment, asset, version, settings },
    watch.signal,
    options,
  );
  watch.log(`${environment}: healthy, answers at ${service.url}`);
  return { versionId: version.id, digest: version.digest, address: service.url };
}

/** A project without hosts knows no target. */
function hostsOf(options: Pick<DeliveryOptions, "objects" | "folder" | "environments" | "hosts">): SshTargetOptions {
  const none = { ssh: createSshHosts({ searchPath: "" }), targets: {}, secret: () => undefined };
  return { ...(options.hosts ?? none), ...options };
}

function clustersOf(options: Pick<DeliveryOptions, "objects" | "environments" | "clusters">): KubernetesTargetOptions {
  return { ...options, clusters: options.clusters ?? {} };
}

function placesOf(options: DeliveryOptions): Parameters<typeof findKeptDeployment>[1] {
  return { ...options, hosts: hostsOf(options), clusters: clustersOf(options) };
}

/** Takes what is deployed from where it runs. */
async function takeOut(deployed: Deployed, options: DeliveryOptions): Promise<void> {
  const { project, environment, asset } = deployed;
  const release = await options.store.read((transaction) => getRelease(transaction, { id: deployed.releaseId }));
  const settings = release === undefined ? undefined : settingsOf(release);
  if (settings?.target === "model") await options.models.remove({ project, environment, endpoint: settings.endpoint });
  else if (settings?.target === "ssh") await removeFromHosts({ environment, asset, settings }, hostsOf(options));
  else if (settings?.target === "kubernetes") {
    const applied = await findClusterRelease(deployed, options.store);
    if (applied !== undefined) await removeFromCluster(applied, clustersOf(options));
  } else await options.services.stop({ project, environment, name: asset });
}

/** False while a model is only tried beside the one that answers. */
async function answersNow(release: Release, version: AssetVersion, { models }: DeliveryOptions): Promise<boolean> {
  const settings = settingsOf(release);
  if (settings.target !== "model") return true;
  const current = await models.current({
    project: release.project,
    environment: release.environment,
    endpoint: settings.endpoint,
  });
  return current === undefined || current.versionId === version.id;
}

async function findDeployed(
  store: MetadataStore,
  key: { readonly project: string; readonly environment: string; readonly asset: string },
): Promise<Deployed> {
  const there = await store.read((transaction) =>
    listDeployed(transaction, { project: key.project, environment: key.environment }),
  );
  const deployed = there.find(({ asset }) => asset === key.asset);
  if (deployed !== undefined) return deployed;
  const known = there.map(({ asset }) => asset);
  throw nothingDeployed({
    environment: key.environment,
    asset: key.asset,
    known,
    nearest: nearestName(key.asset, known),
  });
}

/** Only a release that ran in the environment can be gone back to. */
async function chooseEarlierRelease(
  store: MetadataStore,
  request: {
    readonly project: string;
    readonly environment: string;
    readonly asset: string;
    readonly to?: number | string | undefined;
  },
): Promise<Release> {
  const { project, environment, asset, to } = request;
  const deployed = await findDeployed(store, request);
  const { releases, ran, before } = await store.read(async (transaction) => {
    const course = (await listReleaseCourses(transaction, [deployed.releaseId])).get(deployed.releaseId);
    const succeeded = await listDeployments(transaction, {
      project,
      environment,
      asset,
      status: "succeeded",
      limit: 1000,
    });
    return {
      releases: await listReleases(transaction, { project, environment, asset, limit: 1000 }),
      ran: new Set(succeeded.map(({ releaseId }) => releaseId)),
      before: course?.beforeId === undefined ? undefined : await getRelease(transaction, { id: course.beforeId }),
    };
  });
  const earlier = releases.filter(({ id }) => ran.has(id) && id !== deployed.releaseId);
  const chosen =
    to === undefined ? before : earlier.find(({ id, number }) => id === to || String(number) === String(to));
  if (chosen !== undefined) return chosen;
  throw releaseMissing({
    environment,
    asset,
    release: to === undefined ? "earlier release" : `other release ${to}`,
    known: earlier.map(({ number }) => String(number)),
  });
}

async function recoverServices(project: string, { store, services, log }: DeliveryOptions): Promise<void> {
  for (const deployed of await store.read((transaction) => listDeployed(transaction, { project }))) {
    const release = await store.read((transaction) => getRelease(transaction, { id: deployed.releaseId }));
    if (release === undefined || settingsOf(release).target !== "process") continue;
    const { environment, asset } = deployed;
    await services
      .ensure({ project, environment, name: asset })
      .catch((error: unknown) =>
        log.warn("a service could not be started", { environment, asset, reason: messageOf(error) }),
      );
  }
}
