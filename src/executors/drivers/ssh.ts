import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "#base";
import type { Executor } from "#engine";
import { listWorkers } from "#metadata-store/tasks";
import type { Resources } from "#pipeline";
import { HostWorker, type LentToken } from "../ssh/host-worker.ts";
import type { SshHost } from "../ssh/ssh-hosts.ts";
import { createWorkerPool, type WorkerPoolOptions } from "./worker-pool.ts";

const LOOK_EVERY_MS = 200;
/** How long a host may take to have a worker, when somebody wants to know what it offers. */
const LONGEST_START_MS = 90_000;
/** A worker calls three times as often. */
const SILENT_MS = 40_000;
const LONGEST_NAME = 63;
/** A worker whose connection hangs, with nobody left to close it, ends by itself. */
const MOST_SILENT_S = 600;

export interface SshExecutorOptions extends Omit<WorkerPoolOptions, "labels"> {
  readonly hosts: readonly SshHost[];
  /** Program on the hosts. */
  readonly command: string;
  /** Folder of the workers, absolute or below the user's home folder; default in its cache. */
  readonly folder: string | undefined;
  /** What a worker's steps have together; default all of its machine. */
  readonly share: Resources;
  readonly key: () => string | undefined;
  readonly keyName: string;
  readonly url: string | undefined;
  readonly ownUrl: () => Promise<string>;
  readonly lendToken: () => LentToken;
  /** Who calls with such a token: no other process lends under this name. */
  readonly lender: string;
  readonly searchPath: string;
  readonly log: Log;
}

/**
 * Runs processes on hosts that are reached by SSH: with the first step that goes there, a worker is started on each,
 * through a connection that also carries what it asks of the server. Workers end with the process that started them.
 */
export function createSshExecutor(options: SshExecutorOptions): Executor {
  const { name, store, project, hosts } = options;
  const label = `ssh:${name}`;
  const pool = createWorkerPool({ ...options, labels: [label] });
  const workers = hosts.map((host) => createHostWorker(host, label, options));
  const start = (): void => {
    for (const worker of workers) worker.start();
  };

  const whenThere = async (): Promise<void> => {
    for (const until = performance.now() + LONGEST_START_MS; performance.now() < until; await delay(LOOK_EVERY_MS)) {
      const known = await store.urgent.read((transaction) => listWorkers(transaction, project));
      if (known.some((worker) => worker.labels.includes(label) && worker.silentMs < SILENT_MS)) return;
      const problems = workers.flatMap(({ problem }) => problem ?? []);
      if (problems.length === workers.length && problems[0] !== undefined) throw problems[0];
    }
  };

  return {
    ...pool,
    backend: "ssh",
    async offer(): Promise<Resources> {
      start();
      await whenThere();
      return pool.offer();
    },
    submit(spec, log) {
      start();
      return pool.submit(spec, log);
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}

function createHostWorker(host: SshHost, label: string, options: SshExecutorOptions): HostWorker {
  const { name, store, project, share } = options;
  const workerName = `${name}-${`${host.address}-${host.port}`.replaceAll(/[^A-Za-z0-9_.-]/g, "-")}`.slice(
    0,
    LONGEST_NAME,
  );
  const { cpus, gpus, memoryBytes } = share;
  const memory = memoryBytes === undefined ? undefined : `${Math.max(1, Math.floor(memoryBytes / 1024 ** 2))} MiB`;
  const amounts = Object.entries({ cpus, gpus, memory }).flatMap(([word, value]) =>
    value === undefined ? [] : [`--${word}`, String(value)],
  );
  return new HostWorker({
    executor: name,
    host,
    workerName,
    command: {
      command: options.command,
      folder: options.folder ?? `.cache/esteira/ssh/${project}/${name}`,
    },
    words: ["--labels", label, "--silence", String(MOST_SILENT_S), ...amounts],
    key: options.key,
    keyName: options.keyName,
    url: options.url,
    ownUrl: options.ownUrl,
    lendToken: options.lendToken,
    isElsewhere: async () => {
      const known = await store.urgent.read((transaction) => listWorkers(transaction, project));
      return known.some(
        (worker) => worker.name === workerName && worker.actor !== options.lender && worker.silentMs < SILENT_MS,
      );
    },
    searchPath: options.searchPath,
    log: options.log,
  });
}
