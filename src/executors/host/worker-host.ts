import { mkdir, readdir, rm } from "node:fs/promises";
import { availableParallelism, hostname, totalmem } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { isEsteiraError, type Log, messageOf } from "#base";
import { describeResources, type IsolationLevel, type Resources } from "#pipeline";
import { createLocalExecutor } from "../drivers/local.ts";
import { withFolderLock } from "../folder-lock.ts";
import { createIsolation } from "../isolation/isolation.ts";
import { createSandbox } from "../isolation/sandbox.ts";
import { createPythonEnvironments } from "../python-environment.ts";
import { findPython } from "../python-interpreter.ts";
import { workerUnknown, workerUnreachable } from "../remote/remote-errors.ts";
import type { StartedTask, TaskNeeds, WorkerOffer } from "../remote/task-format.ts";
import { createResourcePool } from "../resource-pool.ts";
import { type RunningTask, runTask, type TaskMachine } from "./run-task.ts";
import { TaskCache } from "./task-cache.ts";
import { WorkerClient } from "./worker-client.ts";

const WAIT_MS = 10_000;
const PAUSE_MS = 1000;
/** Of a lease: what was not heard of then is ended, before anybody else can begin it. */
const FENCE = 0.8;
const MOST_AT_ONCE = 32;

export interface WorkerHostOptions {
  /** Address of the server: `https://…`. */
  readonly url: string;
  readonly token: string | undefined;
  /** Only one worker of a project has it; default the machine's name. */
  readonly name?: string | undefined;
  /** Takes tasks of this executor alone. */
  readonly executor?: string | undefined;
  readonly cpus?: number | undefined;
  readonly gpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly labels: readonly string[];
  /** Absolute: its cache, environments and the folders of its tasks. */
  readonly folder: string;
  readonly cacheBytes: number;
  readonly isolation: IsolationLevel | "auto";
  /** Path or name of the Python that environments are made with. */
  readonly python?: string | undefined;
  readonly searchPath: string;
  readonly installer: Readonly<Record<string, string>>;
  readonly certificates: Readonly<Record<string, string>>;
  readonly version: string;
  readonly log: Log;
  /** Ends when it has so many tasks behind it; default never. */
  readonly most?: number | undefined;
  /** Ends when it had nothing to do for so long; default never. */
  readonly idleMs?: number | undefined;
  /** Ends when it did not hear of the server for so long; default never. */
  readonly silenceMs?: number | undefined;
  /** Ends it: what runs is ended, and told. */
  readonly signal: AbortSignal;
  /** Called once the server knows it. */
  readonly onReady?: ((facts: { readonly name: string; readonly gives: string }) => void) | undefined;
}

interface Held {
  readonly task: StartedTask;
  readonly running: RunningTask;
  readonly needs: WorkerOffer;
  isEnding: boolean;
  /** Its lease began then, or later. */
  leasedAt: number;
}

/**
 * Takes tasks from a server and runs them on this machine, until it is asked to end.
 *
 * A worker that does not reach its server for most of a task's lease ends the task itself, so that the same step never
 * runs twice; one that only lost the network for a while goes on.
 *
 * @throws EXECUTORS_WORKER_REFUSED, EXECUTORS_WORKER_UNKNOWN when another worker took its name,
 *   EXECUTORS_SERVER_UNREACHABLE when it was silent for too long
 */
export async function runWorker(options: WorkerHostOptions): Promise<void> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const wait = (): void => options.log.info("waiting for another worker that uses the same folder", {});
  await withFolderLock(join(options.folder, "lock"), { signal: options.signal, onWait: wait }, () =>
    new WorkerHost(options).run(),
  );
}

/** What tasks are run with on this machine; each of them can have `share` at most, default all of it. */
export function createTaskMachine(
  options: Omit<WorkerHostOptions, "labels" | "log" | "signal"> & { readonly share?: Resources },
  { client, name }: Pick<TaskMachine, "client" | "name">,
): TaskMachine {
  const { folder, installer: environment, python: interpreter, share } = options;
  const workFolder = join(folder, "tasks");
  return {
    client,
    cache: new TaskCache({ folder, limitBytes: options.cacheBytes }),
    environments: createPythonEnvironments({ storeFolder: folder, environment, interpreter }),
    pythonVersion: async () => (await findPython({ environment, interpreter })).version,
    name,
    workFolder,
    node: process.execPath,
    executor: createLocalExecutor({
      workFolder,
      storeFolder: folder,
      path: options.searchPath,
      environment: options.certificates,
      ...(share === undefined ? {} : { share }),
      isolation: createIsolation({
        level: options.isolation,
        sandbox: createSandbox(undefined, join(folder, "sandbox")),
      }),
    }),
  };
}

/** What an earlier worker left: its processes ended with it. */
export async function sweepTasks({ workFolder }: Pick<TaskMachine, "workFolder">): Promise<void> {
  for (const name of await readdir(workFolder).catch(() => []))
    await rm(join(workFolder, name), { recursive: true, force: true, maxRetries: 3 });
}

class WorkerHost {
  readonly #options: WorkerHostOptions;
  readonly #client: WorkerClient;
  readonly #name: string;
  readonly #offer: WorkerOffer;
  readonly #machine: TaskMachine;
  readonly #held = new Map<string, Held>();
  /** When the last sync was sent that was answered. */
  #heardAt = performance.now();
  /** Ended by the fence; the server is to hear of it. */
  #givenUp: { readonly id: string; readonly token: number }[] = [];
  #idleSince = performance.now();
  #taken = 0;
  #news = new AbortController();

  constructor(options: WorkerHostOptions) {
    this.#options = options;
    this.#client = new WorkerClient(options);
    this.#name = options.name ?? (hostname().replaceAll(/[^A-Za-z0-9_.-]/g, "-") || "worker");
    const total = createResourcePool().total;
    this.#offer = {
      cpus: options.cpus ?? total.cpus ?? availableParallelism(),
      gpus: options.gpus ?? total.gpus ?? 0,
      memoryBytes: options.memoryBytes ?? total.memoryBytes ?? totalmem(),
    };
    this.#machine = createTaskMachine({ ...options, share: this.#offer }, { client: this.#client, name: this.#name });
  }

  async run(): Promise<void> {
    const { signal } = this.#options;
    await sweepTasks(this.#machine);
    await this.#register();
    signal.addEventListener("abort", () => this.#news.abort(), { once: true });
    const fence = setInterval(() => this.#fence(), 1000);
    try {
      while (!signal.aborted && !this.#isDone()) await this.#turn();
    } finally {
      clearInterval(fence);
      await this.#close();
    }
  }

  async #register(): Promise<void> {
    const { executor, labels, version, onReady, signal } = this.#options;
    await this.#client.register(
      {
        name: this.#name,
        ...(executor === undefined ? {} : { executor }),
        host: hostname(),
        version,
        offer: this.#offer,
        labels: [...labels],
      },
      signal,
    );
    this.#heardAt = performance.now();
    onReady?.({ name: this.#name, gives: describeResources(this.#offer) });
  }

  /** One exchange with the server. */
  async #turn(): Promise<void> {
    const sentAt = performance.now();
    this.#news = new AbortController();
    if (this.#options.signal.aborted) return;
    const tasks = [...this.#held.values()].map(({ task, isEnding }) => ({ id: task.id, token: task.token, isEnding }));
    const givenUp = [...this.#givenUp];
    const lease = Math.min(...[...this.#held.values()].map(({ task }) => task.leaseMs), 4 * WAIT_MS);
    try {
      const answer = await this.#client.sync(
        { tasks, givenUp, free: this.#free(), most: this.#room(), waitMs: Math.floor(Math.min(WAIT_MS, lease / 4)) },
        this.#news.signal,
      );
      this.#heardAt = sentAt;
      this.#givenUp = this.#givenUp.filter((task) => !givenUp.includes(task));
      for (const { id, say } of answer.tasks) this.#obey(id, say, sentAt);
      // The server may have waited longer for a task than the lease of that is.
      for (const task of answer.start) this.#start(task, sentAt + (answer.startedAfterMs ?? 0));
    } catch (error) {
      if (this.#news.signal.aborted) return;
      if (!isEsteiraError(error, workerUnreachable.code)) throw error;
      if (performance.now() - this.#heardAt > (this.#options.silenceMs ?? Infinity)) throw error;
      this.#options.log.warn("the server does not answer", { url: this.#options.url, reason: messageOf(error) });
      await delay(PAUSE_MS, undefined, { signal: this.#options.signal }).catch(() => {});
    }
  }

  #obey(id: string, say: "go on" | "end" | "forget", sentAt: number): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    held.leasedAt = Math.max(held.leasedAt, sentAt);
    if (say === "go on") return;
    if (say === "forget") {
      this.#options.log.info("a task is no more this worker's", { task: id });
      return held.running.forget();
    }
    if (held.isEnding) return;
    held.isEnding = true;
    held.running.end();
  }

  #start(task: StartedTask, leasedAt: number): void {
    if (this.#held.has(task.id)) return;
    const { environment, resources } = task.spec.process;
    this.#options.log.info("took a task", {
      task: task.id,
      step: `${environment["ESTEIRA_PIPELINE"] ?? ""}.${environment["ESTEIRA_STEP"] ?? ""}`,
    });
    this.#taken++;
    const running = runTask(task, this.#machine);
    const needs = {
      cpus: resources?.cpus ?? 1,
      gpus: resources?.gpus ?? 0,
      memoryBytes: resources?.memoryBytes ?? 0,
    };
    this.#held.set(task.id, { task, running, needs, isEnding: false, leasedAt });
    void running.done.then(() => {
      this.#held.delete(task.id);
      this.#idleSince = performance.now();
      this.#options.log.info("a task has ended", { task: task.id });
      this.#news.abort();
    });
  }

  #free(): WorkerOffer {
    const used = [...this.#held.values()].map(({ needs }) => needs);
    const left = (name: keyof TaskNeeds & keyof WorkerOffer): number =>
      Math.max(0, this.#offer[name] - used.reduce((sum, each) => sum + each[name], 0));
    return { cpus: left("cpus"), gpus: left("gpus"), memoryBytes: left("memoryBytes") };
  }

  #room(): number {
    const left = (this.#options.most ?? Infinity) - this.#taken;
    return Math.max(0, Math.min(MOST_AT_ONCE, Math.floor(this.#free().cpus), left));
  }

  #isDone(): boolean {
    const { most, idleMs } = this.#options;
    if (this.#held.size > 0) return false;
    return this.#taken >= (most ?? Infinity) || performance.now() - this.#idleSince >= (idleMs ?? Infinity);
  }

  /** What the server may soon give to another is ended here first. */
  #fence(): void {
    const now = performance.now();
    for (const { task, running, leasedAt } of this.#held.values())
      if (now - leasedAt > task.leaseMs * FENCE && !this.#givenUp.some(({ id }) => id === task.id)) {
        this.#givenUp.push({ id: task.id, token: task.token });
        this.#options.log.warn("a task is given up: the server was not heard of for too long", { task: task.id });
        running.forget();
      }
  }

  async #close(): Promise<void> {
    for (const { running } of this.#held.values()) running.forget();
    await Promise.all([...this.#held.values()].map(({ running }) => running.done));
    await this.#client.leave(AbortSignal.timeout(5000)).catch((error: unknown) => {
      if (!isEsteiraError(error, workerUnknown.code))
        this.#options.log.warn("the server could not be told", { reason: messageOf(error) });
    });
  }
}
