import { isEsteiraError, type Log, messageOf } from "#base";
import type { Executor, ProcessHandle } from "#engine";
import { getTaskState, listAttemptTasks, listWorkers, loseTask, removeWorkersOf } from "#metadata-store/tasks";
import type { ProcessSpec, Resources } from "#pipeline";
import { oneHandle } from "../one-handle.ts";
import { attemptOf } from "../attempt-of.ts";
import type { ClusterAccess } from "../kubernetes/cluster-access.ts";
import { type ClusterObject, JOBS, SECRETS } from "../kubernetes/cluster-object.ts";
import { Cluster } from "../kubernetes/cluster.ts";
import {
  ATTEMPT_LABEL,
  nameOfJob,
  type PodSettings,
  selectorOf,
  TASK_LABEL,
  toJob,
  toSecret,
} from "../kubernetes/job-object.ts";
import { clusterUnreachable, jobForeign } from "../kubernetes/kubernetes-errors.ts";
import { PodWatch } from "../kubernetes/pod-watch.ts";
import { pauseBefore } from "../pause.ts";
import { actorOfTask } from "../remote/task-board.ts";
import { tellOwn } from "../remote/told-lines.ts";
import { createWorkerPool, WORKER_LEASE_MS, type WorkerPoolOptions } from "./worker-pool.ts";

/** How long a job is made again and again while the cluster does not answer. */
const LONGEST_SILENCE_MS = 15 * 60_000;
const GRACE_MS = 10_000;
/** How long a worker may take to end a process, beyond the process's own time for that. */
const PRESS_MS = 15_000;

export interface KubernetesExecutorOptions extends Omit<WorkerPoolOptions, "labels" | "own"> {
  /** Read when the cluster is first needed. @throws EXECUTORS_KUBECONFIG_INVALID */
  readonly access: () => Promise<ClusterAccess>;
  readonly pod: PodSettings;
  /** The most that one process can have, as far as it is known. */
  readonly largest: Resources;
  /** How long a pod that has its node may take until its process runs. */
  readonly startMs: number;
  readonly url: string | undefined;
  readonly ownUrl: () => Promise<string>;
  /** The right to call the server as the worker of one task, for as long as that goes on. */
  readonly tokenOf: (taskId: string) => Promise<string>;
  readonly log: Log;
}

/**
 * Runs each process as a Job of a Kubernetes cluster: its pod starts a worker that takes the one task of the process
 * from the queue in the metadata store. The job's name follows from the process, so that it is made once; job, pod and
 * task outlive the engine, and another one follows them.
 */
export function createKubernetesExecutor(options: KubernetesExecutorOptions): Executor {
  const { name, project, pod, log } = options;
  const store = options.store.urgent;
  const ending = new AbortController();
  const selector = selectorOf({ project, executor: name });
  const jobOf = (id: string): string => nameOfJob({ project, executor: name, id });
  const cluster = createOpener(options, ending.signal);
  const watch = new PodWatch({
    executor: name,
    namespace: pod.namespace,
    selector,
    cluster,
    startMs: options.startMs,
    signal: ending.signal,
    log,
  });
  const pool = createWorkerPool({
    ...options,
    own: {
      labelOf: (id) => `job:${jobOf(id)}`,
      whyWaiting: (id) => watch.whyWaiting(jobOf(id)),
      lossOf: (id) => watch.lossOf(jobOf(id)),
    },
  });
  const isQueued = async (id: string): Promise<boolean> =>
    (await store.read((transaction) => getTaskState(transaction, { project, id }))) === "queued";
  const lose = (id: string): Promise<boolean> => store.write((transaction) => loseTask(transaction, { project, id }));

  const deleteJobs = createDeleter({ ...options, cluster });

  const submit = async (spec: ProcessSpec, tell: Parameters<Executor["submit"]>[1]): Promise<ProcessHandle> => {
    const { attemptId: id } = spec;
    const handle = await pool.submit(spec, tell);
    const job = jobOf(id);
    watch.follow({
      taskId: id,
      job,
      tell: (text) => tellOwn(text, { store, id, log: tell }),
      isQueued: () => isQueued(id),
      lose: () => lose(id),
    });
    const forget = (): void => watch.forget(job);
    handle.ended.then(forget, forget);
    try {
      if (await isQueued(id)) await makeOnce(spec, { ...options, cluster, isQueued: () => isQueued(id) });
    } catch (error) {
      await pool.reap(handle.reference);
      throw error;
    }
    return {
      ...handle,
      cancel: () => pressed(handle, (spec.gracePeriodMs ?? GRACE_MS) + PRESS_MS, () => end(id)),
    };
  };
  /** Of a process whose worker does not end it. */
  const end = async (id: string): Promise<void> => {
    await lose(id);
    await deleteJobs(attemptOf(id), id);
  };

  return {
    ...pool,
    backend: "kubernetes",
    async offer(): Promise<Resources> {
      await (await cluster()).list(JOBS, pod.namespace, { labels: selector });
      return options.largest;
    },
    submit: oneHandle(submit),
    async reap(reference) {
      const attemptId = attemptOf(reference.id);
      const tasks = await store.read((transaction) =>
        listAttemptTasks(transaction, { project, executor: name, attemptId }),
      );
      const all = tasks.map(({ id }) => id);
      const ids = reference.id === attemptId ? [...new Set([...all, attemptId])] : [reference.id];
      const late = setTimeout(() => {
        for (const id of ids) void end(id).catch(() => {});
      }, GRACE_MS + PRESS_MS);
      await pool.reap(reference).finally(() => clearTimeout(late));
      await deleteJobs(attemptId, reference.id === attemptId ? undefined : reference.id);
      await store.write((transaction) => removeWorkersOf(transaction, { project, actors: ids.map(actorOfTask) }));
    },
    outliving: {
      holds: async (attemptId) => (await pool.outliving?.holds(attemptId)) === true,
      list: async () => [
        ...new Set([
          ...((await pool.outliving?.list()) ?? []),
          ...(await listJobAttempts(cluster, pod.namespace, selector)),
        ]),
      ],
    },
    workers: async () =>
      (await store.read((transaction) => listWorkers(transaction, project))).filter(
        (worker) => worker.executor === name && worker.silentMs < (options.leaseMs ?? WORKER_LEASE_MS),
      ),
    async close() {
      ending.abort();
      (await cluster.opened()?.catch(() => undefined))?.close();
    },
  };
}

interface ClusterOpener {
  (): Promise<Cluster>;
  opened(): Promise<Cluster> | undefined;
}

/** Opens the cluster with its first use; what could not be opened is tried again. */
function createOpener({ access }: Pick<KubernetesExecutorOptions, "access">, signal: AbortSignal): ClusterOpener {
  let opened: Promise<Cluster> | undefined;
  const open = (): Promise<Cluster> =>
    (opened ??= access().then(
      (found) => new Cluster({ access: found, signal }),
      (error: unknown) => {
        opened = undefined;
        throw error;
      },
    ));
  return Object.assign(open, { opened: () => opened });
}

/** Deletes the jobs of an attempt, or the one of a process; what cannot be deleted now, the cluster deletes in time. */
function createDeleter({
  name: executor,
  project,
  pod: { namespace },
  log,
  cluster,
}: Pick<KubernetesExecutorOptions, "name" | "project" | "pod" | "log"> & {
  readonly cluster: () => Promise<Cluster>;
}): (attemptId: string, only: string | undefined) => Promise<void> {
  return async (attemptId, only) => {
    try {
      const there = await cluster();
      const { items } = await there.list(JOBS, namespace, { labels: selectorOf({ project, executor, attemptId }) });
      const wanted = only === undefined ? undefined : nameOfJob({ project, executor, id: only });
      for (const job of items)
        if (wanted === undefined || job.metadata.name === wanted) await there.remove(JOBS, namespace, job);
    } catch (error) {
      log.warn("jobs of an attempt could not be deleted", {
        executor,
        attempt: attemptId,
        reason: messageOf(error),
      });
    }
  };
}

/** Attempts of which there are jobs; none where the cluster does not answer: what is left is found the next time. */
async function listJobAttempts(
  cluster: () => Promise<Cluster>,
  namespace: string,
  labels: string,
): Promise<readonly string[]> {
  try {
    const { items } = await (await cluster()).list(JOBS, namespace, { labels });
    return items.flatMap(({ metadata }) => metadata.labels?.[ATTEMPT_LABEL] ?? []);
  } catch {
    return [];
  }
}

interface Making extends Pick<KubernetesExecutorOptions, "name" | "project" | "pod" | "url" | "ownUrl" | "tokenOf"> {
  readonly cluster: () => Promise<Cluster>;
  readonly isQueued: () => Promise<boolean>;
}

/**
 * The job of a process, and the secret of its pod: made, or found where somebody made them before. While the cluster
 * does not answer, it is tried again.
 *
 * @throws EXECUTORS_CLUSTER_REFUSED, EXECUTORS_CLUSTER_UNREACHABLE, EXECUTORS_JOB_FOREIGN
 */
async function makeOnce(spec: ProcessSpec, making: Making): Promise<void> {
  const began = performance.now();
  for (let tries = 0; ; tries++) {
    try {
      return await make(spec, making);
    } catch (error) {
      if (!isEsteiraError(error, clusterUnreachable.code) || performance.now() - began > LONGEST_SILENCE_MS)
        throw error;
      await pauseBefore(tries, spec.abandon, error);
      if (!(await making.isQueued())) return;
    }
  }
}

async function make(spec: ProcessSpec, making: Making): Promise<void> {
  const { name: executor, project, pod, tokenOf } = making;
  const cluster = await making.cluster();
  const wanted = toJob({
    project,
    executor,
    spec,
    taskLabel: `job:${nameOfJob({ project, executor, id: spec.attemptId })}`,
    url: making.url ?? (await making.ownUrl()),
    pod,
  });
  const { name } = wanted.metadata;
  const job = (await cluster.create(JOBS, pod.namespace, wanted)) ?? (await cluster.find(JOBS, pod.namespace, name));
  // Deleted between the two: whoever watches pods hears of it.
  if (job === undefined) return;
  if (!isSame(job, wanted)) throw jobForeign({ executor, job: name, namespace: pod.namespace });
  await cluster.create(SECRETS, pod.namespace, toSecret(job, await tokenOf(spec.attemptId)));
}

function isSame({ metadata }: ClusterObject, wanted: ClusterObject): boolean {
  return [TASK_LABEL, ATTEMPT_LABEL].every((label) => metadata.labels?.[label] === wanted.metadata.labels?.[label]);
}

/** Asks for an end, and makes one where none comes. */
async function pressed(handle: ProcessHandle, withinMs: number, end: () => Promise<void>): Promise<void> {
  const timer = setTimeout(() => void end().catch(() => {}), withinMs);
  await handle.cancel().finally(() => clearTimeout(timer));
}
