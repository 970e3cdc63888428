import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Log } from "#base";
import { certificateVariables, runTaskRelay, runWorker } from "#executors";
import type { Settings } from "#config";
import { type IsolationLevel, MEMORY, toBytes } from "#pipeline";
import { readVersion } from "./open-platform.ts";

/** What a worker of this machine is started with. */
export interface WorkerRequest {
  readonly url: string;
  /** Read once, at the start. */
  readonly tokenFile?: string | undefined;
  readonly name?: string | undefined;
  readonly executor?: string | undefined;
  readonly cpus?: number | undefined;
  readonly gpus?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly labels: readonly string[];
  readonly folder?: string | undefined;
  readonly cacheBytes?: number | undefined;
  readonly isolation?: IsolationLevel | "auto" | undefined;
  readonly python?: string | undefined;
  readonly most?: number | undefined;
  readonly idleMs?: number | undefined;
  readonly silenceMs?: number | undefined;
  /** Lines of tasks that another process took: it runs those, and takes none itself. */
  readonly relay?: { readonly input: Readable; readonly say: (line: string) => void } | undefined;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly onReady: (facts: { readonly name: string; readonly gives: string }) => void;
}

/** Bytes of "16 GB"; undefined for what is no size. */
export function toMemoryBytes(text: string): number | undefined {
  return MEMORY.test(text) ? toBytes(text) : undefined;
}

const CACHE_BYTES = 20 * 1024 ** 3;

/** Runs a worker on this machine until it is asked to end. It needs no project and no store. */
export async function runWorkerHere(request: WorkerRequest, settings: Settings): Promise<void> {
  const { tokenFile, folder, cacheBytes = CACHE_BYTES, isolation = "auto", relay, ...given } = request;
  const token = tokenFile === undefined ? settings.token : (await readFile(tokenFile, "utf8")).trim();
  const name = given.name ?? given.executor;
  const options = {
    ...given,
    token,
    cacheBytes,
    isolation,
    folder: folder ?? join(settings.homeFolder ?? "/var/tmp", ".cache", "esteira", "worker", name ?? "default"),
    searchPath: settings.searchPath,
    installer: settings.installer,
    certificates: certificateVariables(settings.installer),
    version: readVersion(),
  };
  await (relay === undefined ? runWorker(options) : runTaskRelay({ ...options, ...relay }));
}
