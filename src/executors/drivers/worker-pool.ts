import { setTimeout as delay } from "node:timers/promises";
import type { EsteiraError } from "#base";
import type { Executor, ProcessHandle } from "#engine";
import type { MetadataStore } from "#metadata-store";
import {
  askTasksToEnd,
  getToldCharacters,
  insertTask,
  listAttemptTasks,
  listTaskAttempts,
  listWorkers,
  observeTasks,
  removeTasks,
  type WorkerState,
} from "#metadata-store/tasks";
import { describeResources, type ProcessSpec, type Resources } from "#pipeline";
import type { Blobs } from "#storage";
import { oneHandle } from "../one-handle.ts";
import { attemptOf } from "../attempt-of.ts";
import { ownFolders, packTask, type PackingPlace } from "../remote/pack-task.ts";
import { workerMissing } from "../remote/remote-errors.ts";
import { takeOutputs } from "../remote/take-outputs.ts";
import { mayServe, type Sealer } from "../remote/task-board.ts";
import type { TaskNeeds, WorkerOffer } from "../remote/task-format.ts";
import { TaskWatch } from "../remote/task-watch.ts";
import { tellOwn } from "../remote/told-lines.ts";

export const WORKER_LEASE_MS = 90_000;

export interface WorkerPoolOptions {
  readonly name: string;
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly project: string;
  readonly sealer: Sealer;
  /** Holds the folders of attempts. */
  readonly workFolder: string;
  readonly storeFolder?: string | undefined;
  /** Its workers carry all of these. */
  readonly labels?: readonly string[] | undefined;
  /** How long a worker may be silent until what it runs counts as lost. */
  readonly leaseMs?: number | undefined;
  /** Where each task has a worker of its own. */
  readonly own?: OwnWorkers | undefined;
}

/** Workers that are started for one task each. */
export interface OwnWorkers {
  /** Only the worker of a task carries it. */
  readonly labelOf: (taskId: string) => string;
  readonly whyWaiting: (taskId: string) => string;
  /** Why a task is lost, where what runs its worker says it. */
  readonly lossOf: (taskId: string) => EsteiraError | undefined;
}

/**
 * Runs processes on workers: programs on other machines that share no files with this one, take tasks from the queue in
 * the metadata store over HTTP, and send back what was made. Tasks outlive the engine, and another one follows them.
 */
export function createWorkerPool(options: WorkerPoolOptions): Executor {
  const { name, project, objects, sealer, labels = [] } = options;
  const store = options.store.urgent;
  const watch = new TaskWatch({ executor: name, store, lossOf: options.own?.lossOf });
  const place: PackingPlace = options;

  const own = async (): Promise<{ readonly own: readonly WorkerState[]; readonly all: readonly WorkerState[] }> => {
    const all = await store.read((transaction) => listWorkers(transaction, project));
    const alive = all.filter(({ silentMs }) => silentMs < (options.leaseMs ?? WORKER_LEASE_MS));
    return { all: alive, own: alive.filter((worker) => mayServe(worker, name, { labels })) };
  };

  const whyWaiting = async (needs: TaskNeeds): Promise<string> => {
    const { own: mine, all } = await own();
    const asked = describeResources({ cpus: needs.cpus, gpus: needs.gpus, memoryBytes: needs.memoryBytes });
    if (mine.length === 0) {
      const error = workerMissing({ executor: name, labels, known: all.map((worker) => worker.name) });
      return `waiting for a worker: ${error.message}. ${error.hint ?? ""}`;
    }
    return `waiting until a worker of "${name}" has room for ${asked}; there are ${mine.map((worker) => `${worker.name} (${worker.tasks.length} running)`).join(", ")}`;
  };

  const start = async (spec: ProcessSpec, log: Parameters<Executor["submit"]>[1]): Promise<ProcessHandle> => {
    const attempt = attemptOf(spec.attemptId);
    const known = await store.read((transaction) =>
      listAttemptTasks(transaction, { project, executor: name, attemptId: attempt }),
    );
    const needs: TaskNeeds = {
      cpus: spec.resources?.cpus ?? 1,
      gpus: spec.resources?.gpus ?? 0,
      memoryBytes: spec.resources?.memoryBytes ?? 0,
      labels: options.own === undefined ? labels : [options.own.labelOf(spec.attemptId)],
    };
    if (!known.some(({ id }) => id === spec.attemptId)) {
      const packed = await packTask(spec, place);
      const { digest } = await objects.put(JSON.stringify(packed.manifest));
      const sealed = await sealer.seal(JSON.stringify(packed.spec));
      await store.write((transaction) =>
        insertTask(transaction, {
          id: spec.attemptId,
          attemptId: attempt,
          project,
          executor: name,
          spec: sealed,
          manifest: digest,
          needs: JSON.stringify(needs),
          leaseMs: options.leaseMs ?? WORKER_LEASE_MS,
        }),
      );
    }
    const told = await store.read((transaction) => getToldCharacters(transaction, spec.attemptId));
    return watch.follow({
      spec: withoutOwn(spec, told),
      log,
      tell: (text) => tellOwn(text, { store, id: spec.attemptId, log }),
      whyWaiting: async () => options.own?.whyWaiting(spec.attemptId) ?? whyWaiting(needs),
      take: async ({ taken }) =>
        takeOutputs(taken, {
          folders: await ownFolders(spec, place),
          takes: spec.takes,
          objects,
          leftOut: (path) =>
            void log("stderr", `esteira: ${path} was left out: it is a link that leads out of its folder\n`),
        }),
    });
  };

  return {
    name,
    backend: "worker",
    capabilities: { exitCode: true, liveLogs: true, sandbox: true, remote: true },
    async offer(): Promise<Resources> {
      const { own: mine, all } = await own();
      const offers = mine.map((worker): WorkerOffer => JSON.parse(worker.offer));
      if (offers.length === 0) throw workerMissing({ executor: name, labels, known: all.map((worker) => worker.name) });
      return largestOf(offers);
    },
    submit: oneHandle(start),
    reap: ({ id }) => reapTasks(id, { store, project, executor: name, watch }),
    outliving: {
      holds: async (attemptId) =>
        (await store.read((transaction) => listAttemptTasks(transaction, { project, executor: name, attemptId })))
          .length > 0,
      list: () => store.read((transaction) => listTaskAttempts(transaction, { project, executor: name })),
    },
    workers: async () => (await own()).own,
  };
}

/** Ends what there is of an attempt, or of one of its processes, and forgets it. */
async function reapTasks(
  id: string,
  facts: {
    readonly store: MetadataStore;
    readonly project: string;
    readonly executor: string;
    readonly watch: TaskWatch;
  },
): Promise<void> {
  const { store, project, executor, watch } = facts;
  const attemptId = id.split(".")[0] ?? id;
  for (let pause = 50; ; pause = Math.min(pause * 2, 1000)) {
    const found = await store.read((transaction) => listAttemptTasks(transaction, { project, executor, attemptId }));
    const tasks = id === attemptId ? found : found.filter((task) => task.id === id);
    const ids = tasks.map((task) => task.id);
    watch.forget(ids);
    const active = tasks.filter(({ state }) => state === "queued" || state === "running").map((task) => task.id);
    if (active.length === 0) return store.write((transaction) => removeTasks(transaction, ids));
    await store.write((transaction) => askTasksToEnd(transaction, active));
    await delay(pause);
    // One whose worker is gone is lost in time, also when nobody follows it.
    await observeTasks(store, active);
  }
}

/** Of what is kept of a log, only what its process wrote is passed over. */
function withoutOwn({ logged, ...spec }: ProcessSpec, told: number): ProcessSpec {
  if (logged === undefined) return spec;
  return { ...spec, logged: { ...logged, stderr: Math.max(0, logged.stderr - told) } };
}

/** The machine with the most processors speaks for all: what one process asks has to be on one machine. */
function largestOf(offers: readonly WorkerOffer[]): Resources {
  return {
    cpus: Math.max(...offers.map(({ cpus }) => cpus)),
    gpus: Math.max(...offers.map(({ gpus }) => gpus)),
    memoryBytes: Math.max(...offers.map(({ memoryBytes }) => memoryBytes)),
  };
}
