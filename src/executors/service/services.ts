import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { entryFile, messageOf } from "#base";
import type { IsolationLevel } from "#pipeline";
import { createIsolation, type Isolation } from "../isolation/isolation.ts";
import { programFolders } from "../isolation/system-view.ts";
import { isRunning } from "./process-identity.ts";
import { serviceUnhealthy, supervisorUnavailable } from "./service-errors.ts";
import { type PlacedService, readLastLines, type ServicePlan } from "./service-process.ts";
import type { DeployAnswer, ServiceStatus, SupervisorAddress } from "./service-supervisor.ts";

const START_LIMIT_MS = 15_000;
const POLL_MS = 25;

/** Names a service: one per environment and asset of a project. */
export interface ServiceKey {
  readonly project: string;
  readonly environment: string;
  readonly name: string;
}

/** A service as it runs now. */
export interface RunningService {
  /** Stable address, whatever release runs behind it. */
  readonly url: string;
  readonly port: number;
  /** The deployment whose process answers. */
  readonly current: ServiceStatus["current"];
}

/** Long-living processes that survive the engine: one supervisor each, with a stable port in front. */
export interface Services {
  /**
   * Starts the plan beside what runs, waits until it is healthy, then switches without losing a request. Idempotent by
   * deployment id.
   *
   * @throws EXECUTORS_SERVICE_UNHEALTHY: what ran before still answers; EXECUTORS_SUPERVISOR_UNAVAILABLE,
   *   EXECUTORS_SANDBOX_UNAVAILABLE
   */
  deploy(
    key: ServiceKey,
    plan: ServicePlan,
    options: { readonly signal: AbortSignal; readonly port?: number },
  ): Promise<RunningService & { readonly isolation: IsolationLevel }>;
  /** undefined when nothing was deployed or its supervisor does not run. */
  status(key: ServiceKey): Promise<RunningService | undefined>;
  /** Starts the supervisor again when it should run and does not; false when nothing was ever deployed. */
  ensure(key: ServiceKey): Promise<boolean>;
  /** Ends the service and its supervisor for good: nothing brings it back but another deploy. Idempotent. */
  stop(key: ServiceKey): Promise<void>;
  /** File with what a deployment's process wrote. */
  logFile(key: ServiceKey, deploymentId: string): string;
}

export interface ServicesOptions {
  /** Absolute; one folder per service below it. */
  readonly folder: string;
  /** Default the strongest that there is. */
  readonly isolation?: Isolation;
  /** Absolute folder that isolated services do not see, but for their own release: the store. */
  readonly storeFolder?: string;
  /** Folders of programs that every isolated service sees, as in PATH; this Node's own is among them. */
  readonly searchPath?: string;
  /** Absolute paths that every isolated service sees. */
  readonly readable?: readonly string[];
}

/** Opens the services below a folder. Safe to use from several processes. */
export function createServices({
  folder,
  storeFolder,
  searchPath = "",
  readable = [],
  isolation = createIsolation(),
}: ServicesOptions): Services {
  const folderOf = (key: ServiceKey): string => join(folder, key.project, key.environment, key.name);
  const nameOf = (key: ServiceKey): string => `${key.name} in ${key.environment}`;
  return {
    async deploy(key, plan, { signal, port }) {
      signal.throwIfAborted();
      const level = await isolation.choose(plan.demand);
      const placed: PlacedService = {
        ...plan,
        isolation: level,
        readable: [...programFolders(`${searchPath}:${dirname(process.execPath)}`), ...readable],
        hidden: storeFolder === undefined ? [] : [storeFolder],
      };
      const address = await startSupervisor(folderOf(key), nameOf(key), port);
      const abandon = (): void =>
        void call(address, "POST /abandon", { deploymentId: plan.deploymentId }).catch(() => {});
      signal.addEventListener("abort", abandon, { once: true });
      try {
        const answer = (await call(address, "POST /deploy", placed).catch((error: unknown) => {
          throw supervisorUnavailable({ service: nameOf(key), reason: messageOf(error), log: [] }, error);
        })) as DeployAnswer;
        signal.throwIfAborted();
        if (answer.status === "failed") {
          throw serviceUnhealthy({
            service: nameOf(key),
            reason: answer.reason,
            log: answer.log,
            logFile: logFileOf(folderOf(key), plan.deploymentId),
          });
        }
        return { ...describe((await call(address, "GET /status")) as ServiceStatus), isolation: level };
      } finally {
        signal.removeEventListener("abort", abandon);
      }
    },
    async status(key) {
      const address = await findSupervisor(folderOf(key));
      return address === undefined ? undefined : describe((await call(address, "GET /status")) as ServiceStatus);
    },
    async ensure(key) {
      if ((await readFile(join(folderOf(key), "state.json")).catch(() => undefined)) === undefined) return false;
      await startSupervisor(folderOf(key), nameOf(key), undefined);
      return true;
    },
    async stop(key) {
      const address = await findSupervisor(folderOf(key));
      if (address === undefined) return;
      await call(address, "POST /stop").catch(() => {});
      while (await isRunning(address)) await delay(POLL_MS);
    },
    logFile: (key, deploymentId) => logFileOf(folderOf(key), deploymentId),
  };
}

function logFileOf(folder: string, deploymentId: string): string {
  return join(folder, "logs", `${deploymentId}.log`);
}

function describe(status: ServiceStatus): RunningService {
  return { url: `http://127.0.0.1:${status.port}`, port: status.port, current: status.current };
}

async function findSupervisor(folder: string): Promise<SupervisorAddress | undefined> {
  const text = await readFile(join(folder, "supervisor.json"), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const address = JSON.parse(text) as SupervisorAddress;
  return (await isRunning(address)) ? address : undefined;
}

async function startSupervisor(folder: string, service: string, port: number | undefined): Promise<SupervisorAddress> {
  const running = await findSupervisor(folder);
  if (running !== undefined) return running;
  await mkdir(folder, { recursive: true });
  const logFile = join(folder, "supervisor.log");
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", supervisorScript(), folder, String(port ?? 0)],
    {
      cwd: folder,
      env: {},
      stdio: ["ignore", log, log],
      // Its own session: a signal to the engine's group, or the engine's end, does not reach it.
      detached: true,
    },
  );
  closeSync(log);
  child.unref();
  let ended: string | undefined;
  child.once("exit", (code, signal) => (ended = signal ?? `exit code ${code}`));
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline) {
    const address = await findSupervisor(folder);
    if (address !== undefined) return address;
    if (ended !== undefined && ended !== "exit code 0") break;
    await delay(POLL_MS);
  }
  throw supervisorUnavailable({
    service,
    reason: ended === undefined ? `it did not start in ${START_LIMIT_MS / 1000} s` : `it ended with ${ended}`,
    log: await readLastLines(logFile, 10),
  });
}

function supervisorScript(): string {
  return fileURLToPath(entryFile("service-supervisor", import.meta.url));
}

/** Requests to the supervisor may last as long as a health check does. */
async function call(
  address: SupervisorAddress,
  request: `${"GET" | "POST"} /${string}`,
  body?: object,
): Promise<unknown> {
  const { request: send } = await import("node:http");
  const [method, path] = request.split(" ");
  return new Promise((resolve, reject) => {
    const sent = send(
      `${address.control}${path}`,
      { method, agent: false, headers: { "x-esteira-secret": address.secret, "content-type": "application/json" } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`status ${response.statusCode}: ${text}`));
        });
      },
    );
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
