import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newId } from "#base";
import type { Executor, ProcessHandle } from "#engine";
import type { IsolationDemand, ProcessResult } from "#pipeline";
import { workerSilent } from "../errors.ts";
import { createFrameReader, formatFrame, type ReceivedFrame, type WorkerFrame } from "./worker-frame.ts";

/** What to start. */
export interface WorkerPlan {
  /** Program and arguments; the path of the socket that it must connect to is added as the last one. */
  readonly command: readonly [string, ...string[]];
  readonly environment: Readonly<Record<string, string>>;
  /** Absolute folders that it must see. */
  readonly readable: readonly string[];
  /** Absolute folders that it may write, made where they are missing. */
  readonly writable: readonly string[];
  /** Private memory that it may have; beyond it an allocation fails. */
  readonly memoryBytes: number;
}

/**
 * A process that answers frames, one after the other, until it is ended.
 *
 * States: connected → ended. It has no network where there is a sandbox, and ends with this process however that ends.
 */
export interface Worker {
  /** Sends a frame and resolves with the one that answers it; undefined when the worker ended before. */
  ask(frame: WorkerFrame): Promise<ReceivedFrame | undefined>;
  /** Resolves with how it ended: `exit code 1`, `SIGKILL`. */
  readonly ended: Promise<string>;
  /** The last lines it wrote. */
  lastLines(): string;
  /** Kills it and what it started; resolves when nothing is left. Idempotent. */
  end(): Promise<void>;
}

/** Starts workers. */
export interface Workers {
  /** @throws EXECUTORS_WORKER_SILENT when it ends before it connects, or does not connect in time */
  start(plan: WorkerPlan): Promise<Worker>;
}

const CONNECT_LIMIT_MS = 60_000;
/** How long a worker may take to end once it has closed its socket. */
const ENDING_MS = 1000;
const LAST_LINES = 20;
const LAST_CHARACTERS = 4000;

/**
 * @param options.executor where workers run, as isolated as it can
 * @param options.workFolder folder below which the executor gives each process its HOME
 */
export function createWorkers(options: {
  readonly executor: Executor;
  readonly workFolder: string;
  /** What is asked of each; default the strongest there is. */
  readonly isolation?: () => IsolationDemand | undefined;
}): Workers {
  const { executor, workFolder } = options;
  return {
    async start(plan) {
      const id = `worker-${newId()}`;
      // The address of a socket has at most 108 bytes: it cannot lie in a store at any depth.
      const folder = await mkdtemp(join(tmpdir(), "esteira-worker-"));
      const door = await openDoor(join(folder, "socket"));
      const output = keepLast();
      const workingFolder = join(workFolder, id);
      try {
        for (const path of [workingFolder, ...plan.writable]) await mkdir(path, { recursive: true });
        const isolation = options.isolation?.();
        const handle = await executor.submit(
          {
            attemptId: id,
            command: [...limited(plan), door.path],
            workingFolder,
            environment: plan.environment,
            readable: plan.readable,
            writable: [...plan.writable, folder],
            network: false,
            ...(isolation === undefined ? {} : { isolation }),
            gracePeriodMs: 0,
            onOutput: (_, text) => output.add(text),
          },
          () => undefined,
        );
        void handle.ended.then(() => rm(workingFolder, { recursive: true, force: true }));
        const socket = await connected(door, handle, output.text);
        return toWorker(socket, handle, output.text);
      } finally {
        door.server.close();
        // Once it is connected, nothing outside the store is left to remove.
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** RLIMIT_DATA: unlike the limit of the address space, it counts what is private and written, not what is mapped. */
function limited({ command, memoryBytes }: WorkerPlan): readonly [string, ...string[]] {
  return ["/bin/sh", "-c", 'ulimit -d "$0"; exec "$@"', String(Math.floor(memoryBytes / 1024)), ...command];
}

interface Door {
  readonly path: string;
  readonly server: Server;
  readonly socket: Promise<Socket>;
}

function openDoor(path: string): Promise<Door> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.maxConnections = 1;
    const socket = new Promise<Socket>((take) => server.once("connection", take));
    server.once("error", reject);
    server.listen(path, () => resolve({ path, server, socket }));
  });
}

async function connected(door: Door, handle: ProcessHandle, lastLines: () => string): Promise<Socket> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`it did not connect in ${CONNECT_LIMIT_MS / 1000} s`), CONNECT_LIMIT_MS);
  });
  const socket = await Promise.race([
    door.socket,
    late,
    handle.ended.then((result) => `it ended with ${howOf(result)}`),
  ]);
  clearTimeout(timer);
  if (typeof socket !== "string") return socket;
  await handle.cancel();
  throw workerSilent({ reason: socket, lastLines: lastLines() });
}

function toWorker(socket: Socket, handle: ProcessHandle, lastLines: () => string): Worker {
  const waiting: ((frame: ReceivedFrame | undefined) => void)[] = [];
  let over = false;
  const end = (): Promise<void> => handle.cancel();
  const read = createFrameReader((frame) => waiting.shift()?.(frame));
  socket.on("data", (piece) => {
    try {
      read(piece);
    } catch {
      // Not what a worker says: whatever speaks there is not to be trusted with another question.
      void end();
    }
  });
  socket.on("error", () => undefined);
  // A process that ends closes its socket first: how it ended is known a moment later.
  socket.on("close", () => void setTimeout(() => void end(), ENDING_MS).unref());
  const ended = handle.ended.then((result) => {
    over = true;
    socket.destroy();
    for (const answer of waiting.splice(0)) answer(undefined);
    return howOf(result);
  });
  socket.unref();
  return {
    ended,
    lastLines,
    end,
    ask: (frame) =>
      new Promise((resolve) => {
        if (over) return resolve(undefined);
        waiting.push(resolve);
        socket.write(formatFrame(frame));
      }),
  };
}

function howOf({ signal, exitCode }: ProcessResult): string {
  return signal ?? `exit code ${exitCode ?? "unknown"}`;
}

/** However much a worker writes, only its last lines are kept. */
function keepLast(): { readonly add: (text: string) => void; readonly text: () => string } {
  let kept = "";
  return {
    add: (text) => {
      kept = (kept + text).slice(-LAST_CHARACTERS);
    },
    text: () => kept.trimEnd().split("\n").slice(-LAST_LINES).join("\n"),
  };
}
