import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "#base";
import type { Executor } from "#engine";
import { listWorkers } from "#metadata-store/tasks";
import type { Resources } from "#pipeline";
import { RayDriver } from "../ray/ray-driver.ts";
import { RayJobs } from "../ray/ray-jobs.ts";
import type { LentToken } from "../ssh/host-worker.ts";
import { createWorkerPool, type WorkerPoolOptions } from "./worker-pool.ts";

const LOOK_EVERY_MS = 250;
/** How long a cluster may take to have a driver, when somebody wants to know what it offers. */
const LONGEST_START_MS = 120_000;
/** A driver calls three times as often. */
const SILENT_MS = 40_000;

export interface RayExecutorOptions extends Omit<WorkerPoolOptions, "labels"> {
  /** Of the head's dashboard: `http://head:8265`. */
  readonly address: string;
  /** Of a cluster that asks for one. */
  readonly token: () => string | undefined;
  readonly python: string;
  readonly command: string;
  /** Folder on the nodes; default in the cache of Ray's user. */
  readonly folder: string | undefined;
  readonly url: string | undefined;
  readonly ownUrl: () => Promise<string>;
  readonly lendToken: () => LentToken;
  /** Who calls with such a token: no other process lends under this name. */
  readonly lender: string;
  readonly version: string;
  readonly log: Log;
}

/**
 * Runs processes as tasks of a Ray cluster, which places them by what they ask for. One driver job takes them from the
 * queue of the metadata store, as a worker does; each Ray task runs its own by a relay on its node.
 */
export function createRayExecutor(options: RayExecutorOptions): Executor {
  const { name, store, project } = options;
  const label = `ray:${name}`;
  const pool = createWorkerPool({ ...options, labels: [label] });
  const listDrivers = async () =>
    (await store.urgent.read((transaction) => listWorkers(transaction, project))).filter(
      (worker) => worker.labels.includes(label) && worker.silentMs < SILENT_MS,
    );
  const driver = new RayDriver({
    executor: name,
    jobs: new RayJobs({ executor: name, address: options.address, token: options.token() }),
    workerName: `${name}-ray`,
    labels: [label],
    python: options.python,
    command: options.command,
    folder: options.folder ?? `~/.cache/esteira/ray/${project}/${name}`,
    url: options.url,
    ownUrl: options.ownUrl,
    lendToken: options.lendToken,
    isElsewhere: async () => (await listDrivers()).some(({ actor }) => actor !== options.lender),
    version: options.version,
    log: options.log,
  });

  const whenThere = async (): Promise<void> => {
    for (const until = performance.now() + LONGEST_START_MS; performance.now() < until; await delay(LOOK_EVERY_MS)) {
      if ((await listDrivers()).length > 0) return;
      if (driver.problem !== undefined) throw driver.problem;
    }
  };

  return {
    ...pool,
    backend: "ray",
    async offer(): Promise<Resources> {
      driver.start();
      await whenThere();
      return pool.offer();
    },
    submit(spec, log) {
      driver.start();
      return pool.submit(spec, log);
    },
    close: () => driver.stop(),
  };
}
