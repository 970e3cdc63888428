import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { dirname } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { IsolationDemand, IsolationLevel } from "#pipeline";
import { createSandbox, enterSandbox, SANDBOX_PIPES } from "../isolation/sandbox.ts";

/** What to start for one deployment of a service. */
export interface ServicePlan {
  readonly deploymentId: string;
  /** Absolute working folder: the release. */
  readonly folder: string;
  /** Shell line. It must listen on `$HOST:$PORT`. */
  readonly command: string;
  /** Everything the process sees, beside `HOST` and `PORT`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Default: the strongest isolation there is. The process may write its folder, and read nothing else of its kind. */
  readonly demand?: IsolationDemand;
  /** Path that answers 2xx when the service is ready; without one, an accepted connection is enough. */
  readonly health?: string;
  /** Default 30,000. */
  readonly healthTimeoutMs?: number;
}

/** A plan with where it runs; kept by its supervisor, which starts it again so. */
export interface PlacedService extends ServicePlan {
  /** Undefined in what earlier releases kept: then {@link sandboxRequiredBy} says it. */
  readonly isolation?: IsolationLevel;
  readonly sandboxRequiredBy?: string;
  /** Absolute paths that it sees beside its folder. */
  readonly readable?: readonly string[];
  /** Absolute folders that stay closed to it. */
  readonly hidden?: readonly string[];
}

/** One started process of a service. */
export interface ServiceProcess {
  readonly plan: PlacedService;
  readonly port: number;
  readonly pid: number;
  readonly startedAtMs: number;
  /** Resolves with how it ended: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
  /** SIGTERM to the group, SIGKILL after the grace period; resolves when it has ended. Idempotent. */
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
const GRACE_PERIOD_MS = 5_000;
const HEALTH_INTERVAL_MS = 100;
const HEALTH_REQUEST_MS = 2_000;
const DEFAULT_HEALTH_TIMEOUT_MS = 30_000;
const TAIL_BYTES = 65_536;

/** Starts the plan's command in its own process group; its output is appended to the log file. */
export async function startServiceProcess(plan: PlacedService, logFile: string): Promise<ServiceProcess> {
  const port = await freePort();
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, "a", 0o600);
  const level = plan.isolation ?? (plan.sandboxRequiredBy === undefined ? "none" : "sandbox");
  const { folder, readable = [], hidden = [] } = plan;
  const [program, ...args] =
    level === "sandbox"
      ? createSandbox().wrap(shellOf(plan), { workingFolder: folder, writable: [folder], readable, hidden })
      : shellOf(plan);
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...plan.environment, HOST, PORT: String(port) },
    stdio: ["ignore", log, log, ...(level === "sandbox" ? SANDBOX_PIPES : [])],
    detached: true,
  });
  closeSync(log);
  const ended = endOf(child);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", reject);
  });
  const status = level === "sandbox" ? enterSandbox(child) : undefined;
  let over = false;
  void ended.then(() => (over = true));
  const pid = child.pid ?? 0;
  return {
    plan,
    port,
    pid,
    startedAtMs: Date.now(),
    ended,
    hasEnded: () => over,
    stop: async () => {
      // A sandbox that is told to end takes everything in it down at once.
      signalGroup(status?.leader() ?? pid, "SIGTERM");
      const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), GRACE_PERIOD_MS);
      await ended;
      clearTimeout(timer);
      // The shell has ended; what it started may not have.
      signalGroup(pid, "SIGKILL");
    },
  };
}

const shellOf = ({ command }: ServicePlan): readonly [string, ...string[]] => ["/bin/sh", "-c", command];

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once("error", (error) => resolve(error.message));
  });
}

/** Signals a process group; one that is gone is no error. */
export function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/**
 * Waits until the process is ready.
 *
 * @returns undefined when it is, else why it is not
 */
export async function waitUntilHealthy(started: ServiceProcess, abandoned: () => boolean): Promise<string | undefined> {
  const { health, healthTimeoutMs = DEFAULT_HEALTH_TIMEOUT_MS } = started.plan;
  const deadline = Date.now() + healthTimeoutMs;
  let last = "no answer";
  while (Date.now() < deadline) {
    if (abandoned()) return "it was cancelled";
    if (started.hasEnded()) return `the process ended with ${await started.ended} before it was ready`;
    last = health === undefined ? await tryConnect(started.port) : await tryHealth(started.port, health);
    if (last === "") return started.hasEnded() ? `the process ended with ${await started.ended}` : undefined;
    await delay(HEALTH_INTERVAL_MS);
  }
  return `${health === undefined ? `it did not listen on port ${started.port}` : `${health} was not healthy`} within ${healthTimeoutMs / 1000} s: ${last}`;
}

async function tryHealth(port: number, path: string): Promise<string> {
  const { request } = await import("node:http");
  return new Promise((resolve) => {
    const sent = request({ host: HOST, port, path, timeout: HEALTH_REQUEST_MS, agent: false }, (response) => {
      response.resume();
      const status = response.statusCode ?? 0;
      resolve(status >= 200 && status < 300 ? "" : `status ${status}`);
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer in ${HEALTH_REQUEST_MS / 1000} s`)));
    sent.on("error", (error) => resolve(error.message));
    sent.end();
  });
}

function tryConnect(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => {
      socket.destroy();
      resolve("");
    });
    socket.on("error", (error) => resolve(error.message));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, HOST, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** The last lines of a log file; empty when there is none. */
export async function readLastLines(file: string, count: number): Promise<readonly string[]> {
  const handle = await open(file).catch(() => undefined);
  if (handle === undefined) return [];
  try {
    const { size } = await handle.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer
      .subarray(0, bytesRead)
      .toString("utf8")
      .split("\n")
      .filter((line) => line !== "")
      .slice(-count);
  } finally {
    await handle.close();
  }
}
