import { randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { identifyProcess, isRunning, type ProcessIdentity } from "./process-identity.ts";
import { type Front, openFront } from "./service-front.ts";
import {
  readLastLines,
  type PlacedService,
  type ServiceProcess,
  signalGroup,
  startServiceProcess,
  waitUntilHealthy,
} from "./service-process.ts";

/** How a deploy ended; the answer of `POST /deploy`. */
export type DeployAnswer =
  | { readonly status: "live"; readonly pid: number; readonly port: number; readonly startedAtMs: number }
  | { readonly status: "failed"; readonly reason: string; readonly log: readonly string[] };

/** How to reach a supervisor; `supervisor.json`, readable by its user alone. */
export interface SupervisorAddress extends ProcessIdentity {
  readonly control: string;
  readonly secret: string;
  /** The service's stable port. */
  readonly port: number;
}

/** What `GET /status` answers. */
export interface ServiceStatus {
  readonly port: number;
  readonly current:
    | {
        readonly deploymentId: string;
        readonly pid: number;
        readonly port: number;
        readonly startedAtMs: number;
        readonly restarts: number;
        readonly up: boolean;
      }
    | undefined;
}

/** `state.json`: what the supervisor brings back after it, or the machine, was stopped. */
interface StoredState {
  readonly format: "service/1";
  readonly port: number;
  readonly current?: PlacedService;
  /** Process group of the running child, to be ended by a successor. */
  readonly child?: ProcessIdentity;
}

const LOG_LINES = 20;
const DRAIN_LIMIT_MS = 30_000;
const FIRST_RESTART_MS = 250;
const LONGEST_RESTART_MS = 30_000;
const STEADY_AFTER_MS = 60_000;

/**
 * Keeps one service running, and outlives the engine that started it.
 *
 * States: empty → (deploy) starting → live → (deploy) starting beside live → live. A candidate that does not become
 * healthy is stopped and what was live stays live. A live process that ends is started again after 0.25 s, 0.5 s, … 30
 * s, while requests wait. Ends on SIGTERM and `POST /stop`, with its process.
 */
class Supervisor {
  readonly #folder: string;
  readonly #front: Front;
  #live: { readonly started: ServiceProcess; readonly restarts: number } | undefined;
  #plan: PlacedService | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #deploys = new Map<string, Promise<DeployAnswer>>();
  readonly #abandoned = new Set<string>();
  #stopping = false;

  constructor(folder: string, front: Front) {
    this.#folder = folder;
    this.#front = front;
  }

  /** A repeat of a deploy that runs or is live joins it; different ones run one after the other. */
  deploy(plan: PlacedService): Promise<DeployAnswer> {
    const known = this.#deploys.get(plan.deploymentId);
    if (known !== undefined) return known;
    this.#abandoned.delete(plan.deploymentId);
    const deploy = this.#last.then(() => this.#switchTo(plan)).finally(() => this.#deploys.delete(plan.deploymentId));
    this.#deploys.set(plan.deploymentId, deploy);
    this.#last = deploy.catch(() => {});
    return deploy;
  }

  abandon(deploymentId: string): void {
    if (this.#deploys.has(deploymentId)) this.#abandoned.add(deploymentId);
  }

  status(): ServiceStatus {
    const live = this.#live;
    return {
      port: this.#front.port,
      current:
        live === undefined
          ? undefined
          : {
              deploymentId: live.started.plan.deploymentId,
              pid: live.started.pid,
              port: live.started.port,
              startedAtMs: live.started.startedAtMs,
              restarts: live.restarts,
              up: !live.started.hasEnded(),
            },
    };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#front.setLive(undefined);
    await this.#live?.started.stop();
    await this.#front.close();
  }

  async #switchTo(plan: PlacedService): Promise<DeployAnswer> {
    const current = this.#live?.started;
    if (current !== undefined && !current.hasEnded() && current.plan.deploymentId === plan.deploymentId)
      return answerOf(current);
    const logFile = this.#logFile(plan);
    const candidate = await startServiceProcess(plan, logFile);
    const problem = await waitUntilHealthy(candidate, () => this.#stopping || this.#abandoned.has(plan.deploymentId));
    if (problem !== undefined) {
      await candidate.stop();
      return { status: "failed", reason: problem, log: await readLastLines(logFile, LOG_LINES) };
    }
    const old = this.#live;
    this.#plan = plan;
    this.#goLive(candidate, 0);
    await this.#save();
    if (old !== undefined) void this.#retire(old.started);
    return answerOf(candidate);
  }

  #goLive(started: ServiceProcess, restarts: number): void {
    this.#live = { started, restarts };
    this.#front.setLive(started);
    void started.ended.then((how) => this.#restart(started, how));
  }

  async #retire(old: ServiceProcess): Promise<void> {
    await this.#front.drained(old, DRAIN_LIMIT_MS);
    await old.stop();
  }

  async #restart(ended: ServiceProcess, how: string): Promise<void> {
    const live = this.#live;
    if (this.#stopping || live?.started !== ended) return;
    this.#front.setLive(undefined);
    const steady = Date.now() - ended.startedAtMs > STEADY_AFTER_MS;
    const restarts = steady ? 1 : live.restarts + 1;
    const waitMs = Math.min(LONGEST_RESTART_MS, FIRST_RESTART_MS * 2 ** (restarts - 1));
    await this.#note(`the process ended with ${how}; starting it again in ${waitMs / 1000} s`, ended.plan);
    await delay(waitMs);
    if (this.#stopping || this.#live?.started !== ended) return;
    const again = await startServiceProcess(ended.plan, this.#logFile(ended.plan));
    await waitUntilHealthy(again, () => this.#stopping || this.#live?.started !== ended);
    if (this.#stopping || this.#live?.started !== ended) return again.stop();
    this.#goLive(again, restarts);
    await this.#save();
  }

  /** Brings back what ran before the supervisor was ended, after ending what it left behind. */
  async resume(state: StoredState): Promise<void> {
    if (state.child !== undefined && (await isRunning(state.child))) signalGroup(state.child.pid, "SIGKILL");
    if (state.current !== undefined) void this.#bringBack(state.current);
  }

  /** What ran before must run again, however long what it needs takes to come up. */
  async #bringBack(plan: PlacedService): Promise<void> {
    for (
      let waitMs = FIRST_RESTART_MS;
      !this.#stopping && this.#live === undefined;
      waitMs = Math.min(LONGEST_RESTART_MS, waitMs * 2)
    ) {
      if ((await this.deploy(plan)).status === "live") return;
      await delay(waitMs);
    }
  }

  async #save(): Promise<void> {
    const child = this.#live === undefined ? undefined : await identifyProcess(this.#live.started.pid);
    const state: StoredState = {
      format: "service/1",
      port: this.#front.port,
      ...(this.#plan === undefined ? {} : { current: this.#plan }),
      ...(child === undefined ? {} : { child }),
    };
    await writeWhole(join(this.#folder, "state.json"), JSON.stringify(state));
  }

  #logFile(plan: PlacedService): string {
    return join(this.#folder, "logs", `${plan.deploymentId}.log`);
  }

  async #note(text: string, plan: PlacedService): Promise<void> {
    await writeFile(this.#logFile(plan), `esteira: ${text}\n`, { flag: "a", mode: 0o600 });
  }
}

function answerOf(started: ServiceProcess): DeployAnswer {
  return { status: "live", pid: started.pid, port: started.port, startedAtMs: started.startedAtMs };
}

/** Runs until it is stopped. Ends at once when another supervisor holds the folder. */
async function main(folder: string, firstPort: number): Promise<void> {
  await mkdir(join(folder, "logs"), { recursive: true });
  if (!(await takeLock(folder))) return;
  const state = await readState(folder);
  const front = await openFront(state?.port ?? firstPort);
  const supervisor = new Supervisor(folder, front);
  const secret = randomBytes(24).toString("hex");
  const finish = async (forGood: boolean): Promise<void> => {
    await supervisor.stop();
    // Stopped by SIGTERM, as when the machine goes down, it comes back with what it ran.
    if (forGood) await rm(join(folder, "state.json"), { force: true });
    await rm(join(folder, "supervisor.json"), { force: true });
    await rm(join(folder, "supervisor.lock"), { force: true });
    process.exit(0);
  };
  const control = await serveControl(supervisor, { secret, finish: () => finish(true) });
  const identity = await identifyProcess(process.pid);
  const address: SupervisorAddress = {
    pid: process.pid,
    startTime: identity?.startTime,
    control,
    secret,
    port: front.port,
  };
  process.on("SIGTERM", () => void finish(false));
  if (state !== undefined) await supervisor.resume(state);
  await writeWhole(join(folder, "supervisor.json"), JSON.stringify(address));
}

/** The control address: loopback, every request carries the secret. */
async function serveControl(
  supervisor: Supervisor,
  options: { readonly secret: string; readonly finish: () => Promise<void> },
): Promise<string> {
  const server: Server = createServer((incoming, answer) => {
    const reply = (status: number, body: object): void => {
      answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (!secretsMatch(incoming.headers["x-esteira-secret"], options.secret))
      return reply(403, { reason: "wrong secret" });
    handleControl(supervisor, incoming, options.finish).then(
      (body) => reply(200, body),
      (error: unknown) =>
        reply(500, { status: "failed", reason: error instanceof Error ? error.message : String(error), log: [] }),
    );
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

async function handleControl(
  supervisor: Supervisor,
  incoming: IncomingMessage,
  finish: () => Promise<void>,
): Promise<object> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const body =
    chunks.length === 0
      ? {}
      : (JSON.parse(Buffer.concat(chunks).toString("utf8")) as PlacedService & { readonly deploymentId: string });
  switch (`${incoming.method} ${incoming.url}`) {
    case "POST /deploy":
      return supervisor.deploy(body as PlacedService);
    case "POST /abandon":
      supervisor.abandon((body as PlacedService).deploymentId);
      return {};
    case "GET /status":
      return supervisor.status();
    case "POST /stop":
      setImmediate(() => void finish());
      return {};
    default:
      throw new Error(`unknown request ${incoming.method} ${incoming.url}`);
  }
}

function secretsMatch(sent: string | string[] | undefined, secret: string): boolean {
  const [left, right] = [Buffer.from(String(sent)), Buffer.from(secret)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** One supervisor per folder: a lock whose holder has ended is taken over. */
async function takeLock(folder: string): Promise<boolean> {
  const file = join(folder, "supervisor.lock");
  const identity = await identifyProcess(process.pid);
  for (let tries = 0; tries < 20; tries++) {
    try {
      const handle = await open(file, "wx", 0o600);
      await handle.writeFile(JSON.stringify(identity));
      await handle.close();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const holder = await readFile(file, "utf8")
      .then((text) => JSON.parse(text) as ProcessIdentity)
      .catch(() => undefined);
    if (holder !== undefined && (await isRunning(holder))) return false;
    // A holder may be between creating and writing the lock.
    if (holder === undefined && tries < 5) await delay(50);
    else await rm(file, { force: true });
  }
  return false;
}

async function readState(folder: string): Promise<StoredState | undefined> {
  const text = await readFile(join(folder, "state.json"), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as StoredState);
}

async function writeWhole(file: string, text: string): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  await writeFile(partial, text, { mode: 0o600, flush: true });
  await rename(partial, file);
}

const [, , folder, port] = process.argv;
if (folder !== undefined) void main(folder, Number(port ?? 0));
