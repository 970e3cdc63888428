import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { ClusterObject } from "#executors";

/** How far a workload is: with `failure` it comes no further. */
export interface WorkloadState {
  readonly isDone: boolean;
  /** For people: "2 of 3 updated, 1 available". */
  readonly text: string;
  readonly failure: string | undefined;
}

/** What is wrong with a pod; with `isFatal` waiting longer is of no use. */
export interface PodTrouble {
  readonly pod: string;
  readonly container: string | undefined;
  readonly text: string;
  readonly isFatal: boolean;
  /** Where a container's last words are. */
  readonly log: "current" | "previous" | undefined;
}

const count = z.number().default(0);
const conditions = z
  .array(
    z.looseObject({
      type: z.string(),
      status: z.string(),
      reason: z.string().default(""),
      message: z.string().default(""),
    }),
  )
  .default([]);

/** The cluster leaves out what is nought, empty, or as it is by default. */
const workloadSchema = z.looseObject({
  metadata: z.looseObject({ generation: count }),
  spec: z
    .looseObject({
      replicas: z.number().default(1),
      completions: z.number().default(1),
      paused: z.boolean().default(false),
      suspend: z.boolean().default(false),
      updateStrategy: z
        .looseObject({
          type: z.string().default("RollingUpdate"),
          rollingUpdate: z.looseObject({ partition: count }).prefault({}),
        })
        .prefault({}),
    })
    .prefault({}),
  status: z
    .looseObject({
      observedGeneration: count,
      replicas: count,
      updatedReplicas: count,
      readyReplicas: count,
      availableReplicas: count,
      currentRevision: z.string().optional(),
      updateRevision: z.string().optional(),
      desiredNumberScheduled: count,
      updatedNumberScheduled: count,
      numberAvailable: count,
      succeeded: count,
      conditions,
    })
    .prefault({}),
});
type Workload = z.infer<typeof workloadSchema>;
type Conditions = z.infer<typeof conditions>;

const JUDGES: Readonly<Record<string, (workload: Workload, before: Workload | undefined) => WorkloadState>> = {
  "apps/v1 Deployment": judgeDeployment,
  "apps/v1 StatefulSet": judgeStatefulSet,
  "apps/v1 DaemonSet": judgeDaemonSet,
  "batch/v1 Job": judgeJob,
};

/** Whether an object has a rollout that can be waited for. */
export function isWorkload({ apiVersion, kind }: Pick<ClusterObject, "apiVersion" | "kind">): boolean {
  return Object.hasOwn(JUDGES, `${apiVersion} ${kind}`);
}

/**
 * How far the rollout of a workload is; one of another kind is always done. Pure.
 *
 * @param before the workload when it was applied: what its status said of an earlier rollout stands for a while
 */
export function judgeWorkload(object: ClusterObject, before?: ClusterObject): WorkloadState {
  const judge = JUDGES[`${object.apiVersion} ${object.kind}`];
  const read = workloadSchema.safeParse(object);
  if (judge === undefined) return { isDone: true, text: "there", failure: undefined };
  if (!read.success) return waiting("its status cannot be read");
  const { metadata, status } = read.data;
  // A job's status has no generation: its template cannot change.
  if (object.kind !== "Job" && status.observedGeneration < metadata.generation)
    return waiting("not looked at by its controller yet");
  return judge(read.data, workloadSchema.safeParse(before).data);
}

function judgeDeployment({ spec, status }: Workload, before: Workload | undefined): WorkloadState {
  const { replicas: wanted } = spec;
  const { replicas: all, updatedReplicas: updated, availableReplicas: available } = status;
  const text = `${updated} of ${wanted} updated, ${available} available`;
  const progress = conditionOf(status.conditions, "Progressing");
  const earlier = conditionOf(before?.status.conditions ?? [], "Progressing");
  if (progress?.reason === "ProgressDeadlineExceeded" && !isDeepStrictEqual(progress, earlier))
    return failed(text, `ProgressDeadlineExceeded: ${progress.message}`);
  if (spec.paused) return failed(text, "it is paused (spec.paused), so it never gets there");
  if (updated >= wanted && all <= updated && available >= wanted) return done(text);
  const refused = conditionOf(status.conditions, "ReplicaFailure");
  return waiting(refused?.status === "True" ? `${text}; ${refused.message}` : text);
}

function judgeStatefulSet({ spec, status }: Workload): WorkloadState {
  const { replicas: wanted, updateStrategy } = spec;
  if (updateStrategy.type === "OnDelete") return done("pods are replaced when they are deleted (OnDelete)");
  const { partition } = updateStrategy.rollingUpdate;
  const { updatedReplicas: updated, readyReplicas: ready } = status;
  const text = `${updated} of ${Math.max(0, wanted - partition)} updated, ${ready} ready`;
  const isLast = partition > 0 || wanted === 0 || status.updateRevision === status.currentRevision;
  return isLast && updated >= wanted - partition && ready >= wanted ? done(text) : waiting(text);
}

function judgeDaemonSet({ spec, status }: Workload): WorkloadState {
  if (spec.updateStrategy.type === "OnDelete") return done("pods are replaced when they are deleted (OnDelete)");
  const { desiredNumberScheduled: wanted, updatedNumberScheduled: updated, numberAvailable: available } = status;
  const text = `${updated} of ${wanted} updated, ${available} available`;
  return updated >= wanted && available >= wanted ? done(text) : waiting(text);
}

function judgeJob({ spec, status }: Workload): WorkloadState {
  const text = `${status.succeeded} of ${spec.completions} succeeded`;
  if (conditionOf(status.conditions, "Complete")?.status === "True") return done(text);
  const failure = conditionOf(status.conditions, "Failed");
  if (failure?.status === "True") return failed(text, `${failure.reason || "Failed"}: ${failure.message}`);
  return spec.suspend ? done("suspended, as its manifest says") : waiting(text);
}

const done = (text: string): WorkloadState => ({ isDone: true, text, failure: undefined });
const waiting = (text: string): WorkloadState => ({ isDone: false, text, failure: undefined });
const failed = (text: string, failure: string): WorkloadState => ({ isDone: false, text, failure });

function conditionOf(list: Conditions, type: string): Conditions[number] | undefined {
  return list.find((condition) => condition.type === type);
}

const endSchema = z.looseObject({ exitCode: z.number(), reason: z.string().default("unknown") });
const containerSchema = z.looseObject({
  name: z.string(),
  restartCount: count,
  state: z
    .looseObject({
      waiting: z.looseObject({ reason: z.string().default(""), message: z.string().default("no message") }).optional(),
      terminated: endSchema.optional(),
    })
    .prefault({}),
  lastState: z.looseObject({ terminated: endSchema.optional() }).prefault({}),
});
const podSchema = z.looseObject({
  status: z
    .looseObject({
      phase: z.string().optional(),
      reason: z.string().default("Failed"),
      message: z.string().default(""),
      conditions,
      initContainerStatuses: z.array(containerSchema).default([]),
      containerStatuses: z.array(containerSchema).default([]),
    })
    .prefault({}),
});
type Container = z.infer<typeof containerSchema>;

/** These do not pass by themselves while a rollout is waited for. */
const FATAL: ReadonlySet<string> = new Set(["ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"]);
const WRONG: ReadonlySet<string> = new Set([
  "ErrImagePull",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
]);
/** A service that waits for another may end a few times; one that has ended so often does not come up. */
const CRASHES = 3;

/** What keeps a pod from running; undefined while nothing is wrong. Pure. */
export function findPodTrouble(pod: ClusterObject): PodTrouble | undefined {
  const read = podSchema.safeParse(pod);
  if (!read.success || pod.metadata.deletionTimestamp !== undefined) return undefined;
  const { status } = read.data;
  const { name } = pod.metadata;
  for (const container of [...status.initContainerStatuses, ...status.containerStatuses]) {
    const found = findContainerTrouble(name, container);
    if (found !== undefined) return found;
  }
  const facts = { pod: name, container: undefined, isFatal: false, log: undefined };
  if (status.phase === "Failed") return { ...facts, text: `pod/${name}: ${status.reason}: ${status.message}` };
  const scheduled = conditionOf(status.conditions, "PodScheduled");
  return scheduled?.status === "False"
    ? { ...facts, text: `pod/${name}: ${scheduled.reason}: ${scheduled.message}` }
    : undefined;
}

function findContainerTrouble(pod: string, container: Container): PodTrouble | undefined {
  const { name, state, lastState, restartCount } = container;
  const facts = { pod, container: name };
  const place = `pod/${pod}, container ${name}`;
  const { reason, message } = state.waiting ?? { reason: "", message: "" };
  if (reason === "CrashLoopBackOff") {
    const ended = lastState.terminated;
    const end = ended === undefined ? "" : `: ${describeEnd(ended)}`;
    return { ...facts, text: `${place}: ${reason}${end}`, isFatal: restartCount >= CRASHES, log: "previous" };
  }
  if (FATAL.has(reason) || WRONG.has(reason))
    return { ...facts, text: `${place}: ${reason}: ${message}`, isFatal: FATAL.has(reason), log: undefined };
  const ended = state.terminated;
  if (ended === undefined || ended.exitCode === 0) return undefined;
  return { ...facts, text: `${place}: ${describeEnd(ended)}`, isFatal: false, log: "current" };
}

function describeEnd({ exitCode, reason }: z.infer<typeof endSchema>): string {
  return `it ended with ${exitCode} (${reason})`;
}
