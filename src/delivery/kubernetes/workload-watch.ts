import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { isEsteiraError, messageOf } from "#base";
import { type Cluster, clusterRefused, type ClusterObject, nameOfObject, type ResourceKind } from "#executors";
import { findPodTrouble, judgeWorkload, type PodTrouble } from "./workload-state.ts";

const LOOK_EVERY_MS = 1000;
const LOG_LINES = 10;

export interface WorkloadPlace {
  readonly cluster: Cluster;
  readonly namespace: string;
  readonly kind: ResourceKind;
  readonly name: string;
  /** As the cluster answered when it was applied. */
  readonly applied: ClusterObject;
}

/** Why a workload did not get ready: a reason for people. */
export interface WorkloadFailure {
  readonly reason: string;
}

const POD: ResourceKind = { apiVersion: "v1", kind: "Pod", resource: "pods", isNamespaced: true };
const EVENT: ResourceKind = { apiVersion: "v1", kind: "Event", resource: "events", isNamespaced: true };
const REPLICA_SET: ResourceKind = {
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  resource: "replicasets",
  isNamespaced: true,
};
const REVISION = "deployment.kubernetes.io/revision";

/**
 * Waits until a workload runs what was applied.
 *
 * @returns why it does not get there; undefined when it did
 * @throws what the cluster's API throws, and the reason of `signal`
 */
export async function watchWorkload(
  place: WorkloadPlace,
  of: { readonly signal: AbortSignal; readonly deadlineMs: number; readonly log: (line: string) => void },
): Promise<WorkloadFailure | undefined> {
  const ending = new AbortController();
  const signal = AbortSignal.any([of.signal, ending.signal]);
  const seen: { object: ClusterObject | undefined; trouble: PodTrouble | undefined; said: string } = {
    object: undefined,
    trouble: undefined,
    said: "",
  };
  const watched = followState(place, { signal, seen, log: of.log });
  const looked = lookAtPods(place, { signal, seen, log: of.log });
  const late = delay(Math.max(0, of.deadlineMs - Date.now()), undefined, { signal }).then(() => "late" as const);
  for (const one of [watched, looked, late]) one.catch(() => {});
  try {
    const end = await Promise.race([watched, looked, late]);
    if (end !== "late") return end;
    const why = seen.trouble?.text ?? (await newestWarning(place, seen.object).catch(() => undefined)) ?? "";
    return {
      reason: [`not ready in time (${seen.said || "it is not there"})`, why].filter((text) => text !== "").join("; "),
    };
  } finally {
    ending.abort();
    await Promise.allSettled([watched, looked, late]);
  }
}

interface Seen {
  readonly signal: AbortSignal;
  readonly seen: { object: ClusterObject | undefined; trouble: PodTrouble | undefined; said: string };
  readonly log: (line: string) => void;
}

async function followState(place: WorkloadPlace, { signal, seen, log }: Seen): Promise<WorkloadFailure | undefined> {
  const { cluster, namespace, kind, name, applied } = place;
  for await (const object of cluster.follow(kind, namespace, name, signal)) {
    seen.object = object;
    if (object === undefined) return { reason: "somebody deleted it" };
    const state = judgeWorkload(object, applied);
    if (state.text !== seen.said) log(`${nameOfObject(object)}: ${state.text}`);
    seen.said = state.text;
    if (state.isDone) return undefined;
    if (state.failure !== undefined)
      return { reason: [state.failure, seen.trouble?.text].filter((text) => text !== undefined).join("; ") };
  }
  signal.throwIfAborted();
  return { reason: "it can be watched no longer" };
}

/** Ends only with what does not pass by itself. */
async function lookAtPods(place: WorkloadPlace, { signal, seen, log }: Seen): Promise<WorkloadFailure> {
  const told = new Set<string>();
  for (;;) {
    await delay(LOOK_EVERY_MS, undefined, { signal });
    if (seen.object === undefined) continue;
    let found: readonly PodTrouble[];
    try {
      found = (await podsOf(place, seen.object))
        .map(findPodTrouble)
        .filter((trouble): trouble is PodTrouble => trouble !== undefined);
    } catch (error) {
      if (signal.aborted) throw error;
      if (!told.has("pods")) log(`the pods cannot be looked at: ${messageOf(error)}`);
      told.add("pods");
      if (isEsteiraError(error, clusterRefused.code)) await delay(2 ** 31 - 1, undefined, { signal });
      continue;
    }
    const worst = found.find(({ isFatal }) => isFatal) ?? found[0];
    seen.trouble = worst;
    for (const { text } of found) if (!told.has(text)) log(text);
    for (const { text } of found) told.add(text);
    if (worst?.isFatal === true) return { reason: await withLastWords(place, worst) };
  }
}

async function withLastWords({ cluster, namespace }: WorkloadPlace, trouble: PodTrouble): Promise<string> {
  const { pod, container, log, text } = trouble;
  if (log === undefined || container === undefined) return text;
  const words = await cluster
    .logOf(namespace, pod, { container, isPrevious: log === "previous", lines: LOG_LINES })
    .catch(() => "");
  return words.trim() === "" ? text : `${text}\n${words.trim()}`;
}

const selectorSchema = z.looseObject({
  spec: z.looseObject({
    selector: z.looseObject({ matchLabels: z.record(z.string(), z.string()).nullish() }).nullish(),
  }),
  status: z.looseObject({ updateRevision: z.string().nullish() }).nullish(),
});

/** Pods of what was applied; those that it takes the place of may be as unwell as they like. */
async function podsOf(place: WorkloadPlace, workload: ClusterObject): Promise<readonly ClusterObject[]> {
  const { cluster, namespace } = place;
  const { spec, status } = selectorSchema.parse(workload);
  const labels = Object.entries(spec.selector?.matchLabels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
  const owner = workload.kind === "Deployment" ? await newestReplicaSet(place, workload, labels) : workload;
  if (owner === undefined) return [];
  const { items } = await cluster.list(POD, namespace, labels === "" ? {} : { labels });
  return items
    .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) === true)
    .filter(
      ({ metadata }) =>
        workload.kind !== "StatefulSet" || metadata.labels?.["controller-revision-hash"] === status?.updateRevision,
    );
}

async function newestReplicaSet(
  { cluster, namespace }: WorkloadPlace,
  deployment: ClusterObject,
  labels: string,
): Promise<ClusterObject | undefined> {
  const { items } = await cluster.list(REPLICA_SET, namespace, labels === "" ? {} : { labels });
  const revision = deployment.metadata.annotations?.[REVISION];
  return items.find(
    ({ metadata }) =>
      metadata.annotations?.[REVISION] === revision &&
      metadata.ownerReferences?.some(({ uid }) => uid === deployment.metadata.uid) === true,
  );
}

const eventSchema = z.looseObject({
  type: z.string().nullish(),
  reason: z.string().nullish(),
  message: z.string().nullish(),
  lastTimestamp: z.string().nullish(),
});

/** What the cluster last complained of, of the workload itself. */
async function newestWarning(
  { cluster, namespace }: WorkloadPlace,
  object: ClusterObject | undefined,
): Promise<string | undefined> {
  if (object?.metadata.uid === undefined) return undefined;
  const { items } = await cluster.list(EVENT, namespace, { fields: `involvedObject.uid=${object.metadata.uid}` });
  const warnings = items
    .map((item) => eventSchema.parse(item))
    .filter(({ type }) => type === "Warning")
    .sort((a, b) => String(a.lastTimestamp).localeCompare(String(b.lastTimestamp)));
  const last = warnings.at(-1);
  return last === undefined ? undefined : `${last.reason ?? "Warning"}: ${last.message ?? ""}`;
}
