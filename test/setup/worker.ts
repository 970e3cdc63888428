import { join } from "node:path";
import { after } from "node:test";
import { silentLog } from "#base";
import type { Executor } from "#engine";
import { runWorker, type WorkerHostOptions } from "#executors";
import type { Platform } from "#app";
import { openTestServer, type OpenedServer } from "./opened-server.ts";
import { temporaryFolder } from "./stores.ts";

export interface PoolServer extends OpenedServer {
  readonly whole: Platform;
  readonly pool: Executor;
}

/** A server whose executor `pool` waits for workers. */
export async function openPoolServer(
  options: {
    readonly settings?: string;
    readonly yaml?: string;
    readonly prepare?: (folder: string) => Promise<void>;
    readonly start?: boolean;
  } = {},
): Promise<PoolServer> {
  const { settings = "{}", yaml = "", ...more } = options;
  const opened = await openTestServer({ yaml: `executors: { pool: { worker: ${settings} } }\n${yaml}`, ...more });
  const whole = await opened.platform.whole();
  const pool = whole.executors.find(({ name }) => name === "pool");
  if (pool === undefined) throw new Error("there is no pool");
  return { ...opened, whole, pool };
}

export interface TestWorker {
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

/** A worker in this process, known to the server; it ends with the suite. */
export async function startTestWorker(url: string, options: Partial<WorkerHostOptions> = {}): Promise<TestWorker> {
  const folder = await temporaryFolder();
  const ending = new AbortController();
  const ready = Promise.withResolvers<void>();
  const ended = runWorker({
    url,
    token: undefined,
    name: "one",
    cpus: 16,
    labels: [],
    folder: join(folder, "worker"),
    cacheBytes: 2 ** 30,
    isolation: "none",
    searchPath: process.env["PATH"] ?? "",
    installer: { PATH: process.env["PATH"] ?? "", HOME: folder },
    certificates: {},
    version: "0.0.0",
    log: silentLog,
    signal: ending.signal,
    onReady: () => ready.resolve(),
    ...options,
  });
  ended.catch((error: unknown) => ready.reject(error as Error));
  const stop = async (): Promise<void> => {
    ending.abort();
    await ended.catch(() => {});
  };
  after(stop);
  await ready.promise;
  return { ended, stop };
}
