import { canonicalJson, digestOf, isEsteiraError, messageOf } from "#base";
import {
  Cluster,
  type ClusterAccess,
  clusterConflict,
  type ClusterObject,
  nameOfObject,
  type ResourceKind,
} from "#executors";
import type { AssetVersion } from "#metadata-store";
import type { Blobs } from "#storage";
import { type Environment, findEnvironment, isolationOf } from "./environment.ts";
import { clusterRolloutFailed, manifestInvalid, targetNotIsolated, targetUnknown } from "./errors.ts";
import { type Manifest, readManifests } from "./kubernetes/manifests.ts";
import { isWorkload, judgeWorkload } from "./kubernetes/workload-state.ts";
import { watchWorkload } from "./kubernetes/workload-watch.ts";
import { treeOf } from "./process-target.ts";
import type { KubernetesSettings } from "./release-settings.ts";

/** A namespace of a cluster, as a project names it. */
export interface KubernetesTarget {
  readonly namespace: string;
  /** Kinds without a namespace that manifests may hold. */
  readonly clusterKinds: readonly string[];
  /** Read for each deployment. @throws EXECUTORS_KUBECONFIG_INVALID, DELIVERY_TARGET_KEY_MISSING */
  readonly access: () => Promise<ClusterAccess>;
}

export interface KubernetesTargetOptions {
  readonly objects: Blobs;
  readonly clusters: Readonly<Record<string, KubernetesTarget>>;
  readonly environments: readonly Environment[];
}

/** One release as a cluster gets it. */
export interface ClusterRelease {
  readonly project: string;
  readonly environment: string;
  readonly asset: string;
  readonly version: AssetVersion;
  readonly settings: KubernetesSettings;
  readonly number: number;
  /** "" where it was made of no commit. */
  readonly commit: string;
}

interface Watch {
  readonly signal: AbortSignal;
  readonly log: (line: string) => void;
}

const ROLLOUT_MS = 300_000;
const OWNER = "esteira/owner";
const RELEASE = "esteira/release";
/** Of an object that was there before esteira: it is changed, and never deleted. */
const ADOPTED = "esteira/adopted";
const unwatched = new AbortController().signal;

/** In this order; workloads come when all that they read is there. */
const FIRST_KINDS = [
  "Namespace",
  "CustomResourceDefinition",
  "PriorityClass",
  "StorageClass",
  "NetworkPolicy",
  "ServiceAccount",
  "ClusterRole",
  "ClusterRoleBinding",
  "Role",
  "RoleBinding",
  "Secret",
  "ConfigMap",
  "PersistentVolumeClaim",
  "Service",
] as const;
/** Kinds that are looked through for what a release no longer has, beside those of the releases themselves. */
const PRUNED_KINDS = [
  ["v1", "ConfigMap"],
  ["v1", "Secret"],
  ["v1", "Service"],
  ["v1", "ServiceAccount"],
  ["apps/v1", "Deployment"],
  ["apps/v1", "StatefulSet"],
  ["apps/v1", "DaemonSet"],
  ["batch/v1", "Job"],
  ["batch/v1", "CronJob"],
  ["networking.k8s.io/v1", "Ingress"],
  ["networking.k8s.io/v1", "NetworkPolicy"],
  ["autoscaling/v2", "HorizontalPodAutoscaler"],
  ["policy/v1", "PodDisruptionBudget"],
  ["rbac.authorization.k8s.io/v1", "Role"],
  ["rbac.authorization.k8s.io/v1", "RoleBinding"],
] as const;
/** Data outlive the release that asked for them. */
const NEVER_DELETED: ReadonlySet<string> = new Set(["PersistentVolumeClaim", "PersistentVolume", "Namespace"]);

/** A workload that does not get ready; told as DELIVERY_CLUSTER_ROLLOUT_FAILED when it is known what runs now. */
class RolloutFailure extends Error {
  readonly object: string;
  readonly reason: string;

  constructor(object: string, reason: string) {
    super(`${object}: ${reason}`);
    this.object = object;
    this.reason = reason;
  }
}

interface Applied {
  readonly kind: ResourceKind;
  readonly object: ClusterObject;
}

interface Session {
  readonly name: string;
  readonly target: KubernetesTarget;
  readonly cluster: Cluster;
  readonly options: KubernetesTargetOptions;
}

/**
 * Applies the manifests of a version in a namespace and waits until its workloads run. Nothing is changed when the
 * cluster would refuse any of them. When they do not get ready, the release before is applied again. The same again
 * changes nothing.
 *
 * @throws DELIVERY_MANIFEST_INVALID, DELIVERY_CLUSTER_ROLLOUT_FAILED, DELIVERY_TARGET_UNKNOWN,
 *   DELIVERY_TARGET_NOT_ISOLATED, EXECUTORS_KUBECONFIG_INVALID, EXECUTORS_CLUSTER_*
 */
export async function deployToCluster(
  release: ClusterRelease,
  watch: Watch & { readonly previous: ClusterRelease | undefined },
  options: KubernetesTargetOptions,
): Promise<{ readonly address: string }> {
  const { environment, settings } = release;
  const { previous, log } = watch;
  if (isolationOf(findEnvironment(options.environments, environment)) !== undefined)
    throw targetNotIsolated({ target: settings.name, environment });
  return withCluster(settings.name, watch.signal, options, async (session) => {
    const applied = await prepare(release, session);
    for (const { kind, object } of applied)
      await session.cluster.apply(kind, object, { ...placeOf(session, settings), isTrial: true });
    try {
      const failure = await rollOut(applied, release, { session, watch });
      if (failure !== undefined) throw failure;
    } catch (error) {
      // Whoever stopped it goes on with it: what is done stays done.
      if (watch.signal.aborted) throw error;
      log(`${environment}: ${messageOf(error)}`);
      throw await goBack(error, release, { previous, log, options });
    }
    if (settings.prune === true) await prune(applied, release, { session, log, isOurs: () => true });
    return { address: `kubernetes://${settings.name}/${session.target.namespace}` };
  });
}

/** Whether the cluster has what a release applied, nobody changed it, and its workloads run. */
export async function runsOnCluster(release: ClusterRelease, options: KubernetesTargetOptions): Promise<boolean> {
  return withCluster(release.settings.name, unwatched, options, async (session) => {
    const { cluster, target } = session;
    for (const { kind, object } of await prepare(release, session)) {
      const live = await cluster.find(kind, target.namespace, object.metadata.name);
      if (live === undefined || !judgeWorkload(live).isDone) return false;
      try {
        const place = { ...placeOf(session, release.settings), isForced: false };
        const wanted = await cluster.apply(kind, object, { ...place, isTrial: true });
        if (withoutBookkeeping(live) !== withoutBookkeeping(wanted)) return false;
      } catch (error) {
        if (isEsteiraError(error, clusterConflict.code)) return false;
        throw error;
      }
    }
    return true;
  });
}

/** Deletes what an asset has in a cluster; what was there before it, and claims of volumes, stay. Idempotent. */
export async function removeFromCluster(release: ClusterRelease, options: KubernetesTargetOptions): Promise<void> {
  await withCluster(release.settings.name, unwatched, options, async (session) => {
    const applied = await prepare(release, session).catch(() => []);
    const kinds = applied.map(({ kind }) => kind);
    await prune([], release, { session, log: () => {}, isOurs: () => true, kinds });
  });
}

async function withCluster<Result>(
  name: string,
  signal: AbortSignal,
  options: KubernetesTargetOptions,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const target = Object.hasOwn(options.clusters, name) ? options.clusters[name] : undefined;
  if (target === undefined) throw targetUnknown({ target: name, known: Object.keys(options.clusters) });
  const cluster = new Cluster({ access: await target.access(), signal });
  try {
    return await work({ name, target, cluster, options });
  } finally {
    cluster.close();
  }
}

/** The objects of a release as they are applied, in order. Reads the cluster, and changes nothing. */
async function prepare(release: ClusterRelease, session: Session): Promise<readonly Applied[]> {
  const { project, environment, asset, version, number, commit, settings } = release;
  const facts = { project, environment, asset, number, version: version.version, digest: version.digest, commit };
  const manifests = await readManifests(treeOf(version), { settings, facts }, session.options.objects);
  const checked: { readonly kind: ResourceKind; readonly object: ClusterObject }[] = [];
  for (const manifest of manifests)
    checked.push({ kind: await checkPlace(manifest, session), object: manifest.object });
  const applied: Applied[] = [];
  for (const { kind, object } of checked) applied.push({ kind, object: await own(kind, object, { release, session }) });
  const rank = ({ object }: Applied): number => {
    const known = FIRST_KINDS.findIndex((kind) => kind === object.kind);
    return known === -1 ? FIRST_KINDS.length + (isWorkload(object) ? 1 : 0) : known;
  };
  return applied.toSorted((a, b) => rank(a) - rank(b));
}

/** A release stays in its namespace. */
async function checkPlace({ place, object }: Manifest, { cluster, target, name }: Session): Promise<ResourceKind> {
  const { apiVersion, kind, metadata } = object;
  const found = await cluster.findKind(apiVersion, kind);
  if (found === undefined) throw manifestInvalid({ place, problem: `the cluster knows no ${kind} of ${apiVersion}` });
  if (metadata.namespace !== undefined && metadata.namespace !== target.namespace)
    throw manifestInvalid({
      place,
      problem: `${nameOfObject(object)} names the namespace "${metadata.namespace}", and the target "${name}" is "${target.namespace}"`,
      cure: "Leave metadata.namespace out: it is that of the target.",
    });
  if (!found.isNamespaced && !target.clusterKinds.includes(kind))
    throw manifestInvalid({
      place,
      problem: `${nameOfObject(object)} belongs to the whole cluster, not to a namespace`,
      cure: `Whoever answers for the cluster may allow it: targets.${name}.kubernetes.cluster_kinds: [${kind}].`,
    });
  return found;
}

/** Marks an object as the asset's. */
async function own(
  kind: ResourceKind,
  object: ClusterObject,
  { release, session }: { readonly release: ClusterRelease; readonly session: Session },
): Promise<ClusterObject> {
  const { project, environment, asset, version, number, commit } = release;
  const owner = ownerOf(release);
  const live = await session.cluster.find(kind, session.target.namespace, object.metadata.name);
  const wasThere = live !== undefined && isAdopted(live, release);
  const { metadata } = object;
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(kind.isNamespaced ? { namespace: session.target.namespace } : {}),
      labels: { ...metadata.labels, [OWNER]: owner },
      annotations: {
        ...metadata.annotations,
        "esteira/project": project,
        "esteira/environment": environment,
        "esteira/asset": asset,
        [RELEASE]: String(number),
        "esteira/version": String(version.version),
        "esteira/digest": version.digest,
        ...(commit === "" ? {} : { "esteira/commit": commit }),
        ...(wasThere ? { [ADOPTED]: "true" } : {}),
      },
    },
  };
}

/** Whether an object was there before esteira. @throws DELIVERY_MANIFEST_INVALID where it is of another asset */
function isAdopted(live: ClusterObject, release: ClusterRelease): boolean {
  const { labels = {}, annotations = {} } = live.metadata;
  const owner = labels[OWNER];
  if (owner === undefined) return true;
  if (owner === ownerOf(release)) return annotations[ADOPTED] === "true";
  const other = `${annotations["esteira/asset"] ?? "another asset"} (${annotations["esteira/environment"] ?? "?"})`;
  throw manifestInvalid({
    place: nameOfObject(live),
    problem: `in the cluster it belongs to ${other}, not to ${release.asset} (${release.environment})`,
    cure: "Give it another name, or remove it there first.",
  });
}

/** A label is short and plain; names of projects and environments need not be. */
function ownerOf({ project, environment, asset }: ClusterRelease): string {
  return digestOf([project, environment, asset].join("\n")).slice("sha256:".length, "sha256:".length + 40);
}

function placeOf(
  { target }: Session,
  settings: KubernetesSettings,
): { readonly namespace: string; readonly isForced: boolean } {
  return { namespace: target.namespace, isForced: settings.forceConflicts === true };
}

async function rollOut(
  applied: readonly Applied[],
  { environment, settings }: ClusterRelease,
  { session, watch }: { readonly session: Session; readonly watch: Watch },
): Promise<RolloutFailure | undefined> {
  const { cluster, target } = session;
  const answers: Applied[] = [];
  for (const { kind, object } of applied) {
    answers.push({ kind, object: await cluster.apply(kind, object, placeOf(session, settings)) });
    watch.log(`${environment}: ${nameOfObject(object)} applied`);
  }
  const deadlineMs = Date.now() + (settings.healthTimeoutMs ?? ROLLOUT_MS);
  const ending = new AbortController();
  const signal = AbortSignal.any([watch.signal, ending.signal]);
  const waits = answers
    .filter(({ object }) => isWorkload(object))
    .map(async ({ kind, object }) => {
      const place = { cluster, namespace: target.namespace, kind, name: object.metadata.name, applied: object };
      const log = (line: string): void => watch.log(`${environment}: ${line}`);
      const failure = await watchWorkload(place, { signal, deadlineMs, log });
      if (failure !== undefined) throw new RolloutFailure(nameOfObject(object), failure.reason);
    });
  try {
    await Promise.all(waits);
    return undefined;
  } catch (error) {
    if (error instanceof RolloutFailure) return error;
    throw error;
  } finally {
    ending.abort();
    await Promise.allSettled(waits);
  }
}

/** The error to tell: why it failed, and what runs now. */
async function goBack(
  error: unknown,
  release: ClusterRelease,
  of: {
    readonly previous: ClusterRelease | undefined;
    readonly log: (line: string) => void;
    readonly options: KubernetesTargetOptions;
  },
): Promise<unknown> {
  const { previous, log, options } = of;
  const { environment, asset, settings } = release;
  const isSame = previous !== undefined && previous.settings.name === settings.name;
  const tell = (end: string): unknown => {
    log(`${environment}: ${end}`);
    if (!(error instanceof RolloutFailure)) return error;
    return clusterRolloutFailed({ asset, environment, object: error.object, reason: error.reason, end });
  };
  // The session that failed may be of no more use.
  return withCluster(settings.name, unwatched, options, async (session) => {
    const isNew = (object: ClusterObject): boolean => object.metadata.annotations?.[RELEASE] === String(release.number);
    if (!isSame) {
      await prune([], release, { session, log, isOurs: isNew });
      return tell("nothing of it ran before: what the release made is deleted");
    }
    const applied = await prepare(previous, session);
    const failure = await rollOut(applied, previous, { session, watch: { signal: unwatched, log } });
    if (failure !== undefined)
      return tell(`release ${previous.number} was applied again, and is not well either: ${failure.message}`);
    await prune(applied, previous, { session, log, isOurs: isNew });
    return tell(`release ${previous.number} runs again`);
  }).catch((failure: unknown) => tell(`going back did not work either: ${messageOf(failure)}`));
}

/** Deletes what is marked as the asset's and is not among what was applied. */
async function prune(
  applied: readonly Applied[],
  release: ClusterRelease,
  of: {
    readonly session: Session;
    readonly log: (line: string) => void;
    readonly isOurs: (object: ClusterObject) => boolean;
    readonly kinds?: readonly ResourceKind[];
  },
): Promise<void> {
  const { session, log, isOurs } = of;
  const { cluster, target } = session;
  const kept = new Set(applied.map(({ kind, object }) => keyOf(kind, object)));
  const own = [...applied.map(({ kind }) => kind), ...(of.kinds ?? [])];
  const known = await Promise.all(PRUNED_KINDS.map(([apiVersion, kind]) => cluster.findKind(apiVersion, kind)));
  const kinds = new Map<string, ResourceKind>();
  for (const kind of [...own, ...known]) if (kind !== undefined) kinds.set(`${kind.apiVersion} ${kind.kind}`, kind);
  for (const [key, kind] of kinds) {
    if (NEVER_DELETED.has(kind.kind)) continue;
    let items: readonly ClusterObject[];
    try {
      ({ items } = await cluster.list(kind, target.namespace, { labels: `${OWNER}=${ownerOf(release)}` }));
    } catch (error) {
      // An account need not have a right to kinds that no release uses.
      if (own.some((one) => `${one.apiVersion} ${one.kind}` === key)) throw error;
      continue;
    }
    for (const object of items) {
      if (kept.has(keyOf(kind, object)) || object.metadata.annotations?.[ADOPTED] === "true" || !isOurs(object))
        continue;
      await cluster.remove(kind, target.namespace, object);
      log(`${release.environment}: ${nameOfObject(object)} deleted`);
    }
  }
}

function keyOf({ apiVersion, kind }: ResourceKind, { metadata }: ClusterObject): string {
  return `${apiVersion} ${kind} ${metadata.name}`;
}

/** What a cluster writes beside the object itself; who wrote what when is no difference. */
function withoutBookkeeping(object: ClusterObject): string {
  const { managedFields: _, resourceVersion: __, generation: ___, ...metadata } = object.metadata;
  const { status: ____, ...rest } = object;
  return canonicalJson({ ...rest, metadata });
}
