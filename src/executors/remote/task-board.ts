import { Readable } from "node:stream";
import { z } from "zod";
import { type Digest, isDigest, newId } from "#base";
import type { MetadataStore } from "#metadata-store";
import {
  appendTaskLog,
  claimTasks,
  endTask,
  getHeldTask,
  getTaskState,
  hasNewsFor,
  hasQueuedTask,
  type HeldTask,
  listWorkers,
  loseTasks,
  registerWorker,
  removeWorker,
  renewTasks,
  touchWorker,
  type WorkerState,
} from "#metadata-store/tasks";
import type { Blobs } from "#storage";
import { taskBlobForeign, taskMessageInvalid, taskNotHeld, workerUnknown } from "./remote-errors.ts";
import {
  type StartedTask,
  type SyncAnswer,
  type SyncRequest,
  syncSchema,
  type TaskManifest,
  type TaskNeeds,
  taskResultSchema,
  type TaskSpec,
  workerCardSchema,
  type WorkerOffer,
} from "./task-format.ts";

const LOOK_EVERY_MS = 1000;
const MANIFESTS = 64;

/** Hides what a task is started with from whoever reads the database. */
export interface Sealer {
  seal(text: string): Promise<string>;
  open(sealed: string): Promise<string>;
}

/** Who calls, for which of its tasks, with which fencing token. */
export interface TaskCaller {
  readonly workerId: string;
  readonly taskId: string;
  readonly token: number;
  /** Whose token the call came with. */
  readonly actor: string;
}

/** The queue that workers of other machines take from; what they write counts under the token of a task alone. */
export interface TaskBoard {
  /** @throws EXECUTORS_TASK_MESSAGE_INVALID */
  register(card: unknown, actor: string): Promise<{ readonly worker: string }>;
  /**
   * Prolongs what a worker runs, says what it is to end, and gives it what it can take; waits for a while when there is
   * no news.
   *
   * @throws EXECUTORS_WORKER_UNKNOWN, EXECUTORS_TASK_MESSAGE_INVALID
   */
  sync(
    worker: { readonly id: string; readonly actor: string },
    request: unknown,
    gone: AbortSignal,
  ): Promise<SyncAnswer>;
  /** The worker ends. */
  leave(worker: { readonly id: string; readonly actor: string }): Promise<void>;
  /** @throws EXECUTORS_TASK_NOT_HELD, EXECUTORS_TASK_BLOB_FOREIGN */
  readBlob(caller: TaskCaller, digest: string): Promise<Readable>;
  /** @throws EXECUTORS_TASK_NOT_HELD, STORAGE_DIGEST_MISMATCH */
  writeBlob(caller: TaskCaller, digest: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  /** @throws EXECUTORS_TASK_NOT_HELD */
  log(caller: TaskCaller, piece: { readonly number: number; readonly text: string }): Promise<void>;
  /** @throws EXECUTORS_TASK_NOT_HELD, EXECUTORS_TASK_MESSAGE_INVALID */
  end(caller: TaskCaller, result: unknown): Promise<void>;
  workers(): Promise<readonly WorkerState[]>;
}

interface KnownManifest {
  readonly manifest: TaskManifest;
  /** Of all its files. */
  readonly digests: ReadonlySet<string>;
}

interface BoardOptions {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  readonly project: string;
  readonly sealer: Sealer;
}

/** Who may what, and what tasks are made of. */
function createHolders({ objects, project, sealer, store }: BoardOptions) {
  const manifests = new Map<string, KnownManifest>();
  const actors = new Map<string, string>();

  const readManifest = async (digest: string): Promise<KnownManifest> => {
    const known = manifests.get(digest);
    if (known !== undefined) return known;
    const manifest: TaskManifest = JSON.parse((await objects.get(toDigest(digest))).toString("utf8"));
    const entries = manifest.roots.flatMap((root) => ("entries" in root ? root.entries : []));
    const read = { manifest, digests: new Set(entries.map((entry): string => entry.digest ?? "")) };
    manifests.set(digest, read);
    if (manifests.size > MANIFESTS) manifests.delete(manifests.keys().next().value ?? "");
    return read;
  };

  const assertActor = async (workerId: string, actor: string): Promise<void> => {
    if (!actors.has(workerId)) {
      const found = (await store.read((transaction) => listWorkers(transaction, project))).find(
        ({ id }) => id === workerId,
      );
      if (found === undefined) throw workerUnknown({ worker: workerId });
      actors.set(workerId, found.actor);
    }
    if (actors.get(workerId) !== actor) throw workerUnknown({ worker: workerId });
  };

  const holderOf = async ({ workerId, taskId, token, actor }: TaskCaller) => {
    await assertActor(workerId, actor);
    return { project, workerId, id: taskId, token };
  };

  const heldManifest = async (caller: TaskCaller): Promise<KnownManifest> => {
    const holder = await holderOf(caller);
    const held = await store.read((transaction) => getHeldTask(transaction, holder));
    if (held === undefined) throw taskNotHeld({ task: caller.taskId });
    return readManifest(held.manifest);
  };

  const open = async (task: HeldTask): Promise<StartedTask> => {
    const spec: TaskSpec = JSON.parse(await sealer.open(task.spec));
    const { id, executor, token, leaseMs } = task;
    return { id, executor, token, leaseMs, spec, manifest: (await readManifest(task.manifest)).manifest };
  };

  return { actors, assertActor, holderOf, heldManifest, open };
}

/** Opens the queue of a project. */
export function createTaskBoard(options: BoardOptions): TaskBoard {
  const { objects, project } = options;
  const store = options.store.urgent;
  const { actors, assertActor, holderOf, heldManifest, open } = createHolders({ ...options, store });
  return {
    async register(said, actor) {
      const { offer, ...card } = parse(workerCardSchema, said, "registration");
      const worker = newId();
      await store.write((transaction) =>
        registerWorker(transaction, {
          ...card,
          id: worker,
          executor: card.executor,
          offer: JSON.stringify(offer),
          project,
          actor,
        }),
      );
      actors.set(worker, actor);
      return { worker };
    },

    async sync(worker, said, gone) {
      const cameAt = performance.now();
      let claimedAt = cameAt;
      await assertActor(worker.id, worker.actor);
      const request = parse(syncSchema, said, "sync");
      const first = await store.write(async (transaction) => {
        const known = await touchWorker(transaction, { project, id: worker.id });
        if (known === undefined) return undefined;
        await loseTasks(transaction, { project, workerId: worker.id, tasks: request.givenUp });
        const said = await renewTasks(transaction, { project, workerId: worker.id, tasks: request.tasks });
        return { known, said };
      });
      if (first === undefined) {
        actors.delete(worker.id);
        throw workerUnknown({ worker: worker.id });
      }
      const claim = (): Promise<readonly HeldTask[]> => {
        claimedAt = performance.now();
        return store.write((transaction) =>
          claimTasks(transaction, {
            project,
            worker: first.known,
            known: request.tasks.map(({ id }) => id),
            most: request.most,
            takes: createAloneChooser(worker.actor) ?? createChooser(first.known, request.free),
          }),
        );
      };
      const isNews = first.said.some(
        ({ id, say }) => say !== "go on" && !request.tasks.some((task) => task.id === id && task.isEnding),
      );
      const given = await claim();
      if (isNews || given.length > 0) return { tasks: first.said, start: await Promise.all(given.map(open)) };
      const later = await waitForNews(store, { project, worker: worker.id, request, gone, claim });
      const renewed =
        later.changed && !gone.aborted
          ? await store.write((transaction) =>
              renewTasks(transaction, { project, workerId: worker.id, tasks: request.tasks }),
            )
          : first.said;
      const startedAfterMs = Math.floor(claimedAt - cameAt);
      return { tasks: renewed, start: await Promise.all(later.given.map(open)), startedAfterMs };
    },

    async leave(worker) {
      await assertActor(worker.id, worker.actor);
      await store.write((transaction) => removeWorker(transaction, { project, id: worker.id }));
      actors.delete(worker.id);
    },

    async readBlob(caller, digest) {
      const { digests } = await heldManifest(caller);
      if (!isDigest(digest) || !digests.has(digest)) throw taskBlobForeign({ task: caller.taskId, digest });
      return objects.open(digest);
    },

    async writeBlob(caller, digest, content) {
      await heldManifest(caller);
      if (!isDigest(digest)) throw taskBlobForeign({ task: caller.taskId, digest });
      await objects.putStream(content, digest);
    },

    async log(caller, piece) {
      const holder = await holderOf(caller);
      const isKept = await store.write((transaction) => appendTaskLog(transaction, { ...holder, ...piece }));
      if (!isKept) throw taskNotHeld({ task: caller.taskId });
    },

    async end(caller, said) {
      const result = parse(taskResultSchema, said, "result");
      const holder = await holderOf(caller);
      const isTaken = await store.write((transaction) =>
        endTask(transaction, { ...holder, result: JSON.stringify(result) }),
      );
      if (!isTaken) throw taskNotHeld({ task: caller.taskId });
    },

    workers: () => store.read((transaction) => listWorkers(transaction, project)),
  };
}

/** What a worker may take: of its executors, with its labels, and only what still fits beside what it has. */
export function createChooser(
  worker: { readonly executor: string | undefined; readonly labels: readonly string[] },
  free: WorkerOffer,
): (task: { readonly executor: string; readonly needs: string }) => boolean {
  const left = { ...free };
  return ({ executor, needs }) => {
    const asked: TaskNeeds = JSON.parse(needs);
    if (!mayServe(worker, executor, asked)) return false;
    if (asked.cpus > left.cpus || asked.gpus > left.gpus || asked.memoryBytes > left.memoryBytes) return false;
    left.cpus -= asked.cpus;
    left.gpus -= asked.gpus;
    left.memoryBytes -= asked.memoryBytes;
    return true;
  };
}

/** Who calls with the token of one task's worker. */
export function actorOfTask(taskId: string): string {
  return `${TASK_ACTOR}${taskId}`;
}
const TASK_ACTOR = "task:";

/** The queue has it, or its end. */
export async function isTaskKept(
  store: MetadataStore,
  of: { readonly project: string; readonly id: string },
): Promise<boolean> {
  return (await store.urgent.read((transaction) => getTaskState(transaction, of))) !== undefined;
}

/** What the worker of one task may take: that one, whatever it says of itself. Undefined for every other worker. */
function createAloneChooser(actor: string): ((task: { readonly id: string }) => boolean) | undefined {
  return actor.startsWith(TASK_ACTOR) ? ({ id }) => actorOfTask(id) === actor : undefined;
}

/** Whether a worker is one of an executor's. */
export function mayServe(
  worker: { readonly executor: string | undefined; readonly labels: readonly string[] },
  executor: string,
  { labels }: Pick<TaskNeeds, "labels">,
): boolean {
  if (worker.executor !== undefined && worker.executor !== executor) return false;
  return labels.every((label) => worker.labels.includes(label));
}

async function waitForNews(
  store: MetadataStore,
  facts: {
    readonly project: string;
    readonly worker: string;
    readonly request: SyncRequest;
    readonly gone: AbortSignal;
    readonly claim: () => Promise<readonly HeldTask[]>;
  },
): Promise<{ readonly given: readonly HeldTask[]; readonly changed: boolean }> {
  const { project, worker, request, gone, claim } = facts;
  const deadline = performance.now() + request.waitMs;
  let wake: (() => void) | undefined;
  const hear = (): void => wake?.();
  const unsubscribe = store.onChange(hear);
  gone.addEventListener("abort", hear);
  const told = request.tasks.filter(({ isEnding }) => isEnding).map(({ id }) => id);
  const tasks = request.tasks.map(({ id }) => id);
  try {
    for (;;) {
      const left = deadline - performance.now();
      if (left <= 0 || gone.aborted) return { given: [], changed: false };
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, LOOK_EVERY_MS));
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      if (gone.aborted) return { given: [], changed: false };
      const [waits, news] = await store.read(async (transaction) => [
        request.most > 0 && (await hasQueuedTask(transaction, project)),
        await hasNewsFor(transaction, { workerId: worker, tasks, told }),
      ]);
      if (news) return { given: [], changed: true };
      if (!waits) continue;
      const given = await claim();
      if (given.length > 0) return { given, changed: false };
    }
  } finally {
    unsubscribe();
    gone.removeEventListener("abort", hear);
  }
}

function parse<Value>(schema: z.ZodType<Value>, said: unknown, what: string): Value {
  const checked = schema.safeParse(said);
  if (checked.success) return checked.data;
  const problems = checked.error.issues.slice(0, 5).map(({ path, message }) => `${path.join(".")}: ${message}`);
  throw taskMessageInvalid({ what, problems });
}

function toDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new Error(`a task names ${JSON.stringify(text)} as its manifest`);
}
