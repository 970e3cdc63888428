import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { constants as system } from "node:os";
import { join } from "node:path";
import { messageOf } from "#base";
import { placeLost } from "#engine";
import { startFailed } from "../errors.ts";
import { pythonPackageFolder } from "../step-context.ts";
import { createSandboxStatus } from "../isolation/sandbox-status.ts";
import { findProgram } from "../program-path.ts";
import { signalGroup } from "./process-tree.ts";
import type { ProcessExit, ProcessStart, StartedProcess } from "./started-process.ts";

const SEARCHED = "/usr/local/bin:/usr/bin:/bin";
/** One that does not answer by then is not waited for, now or later. */
const READY_MS = 20_000;
const ID_BYTES = 12;
const SIGNALS = Object.keys(system.signals).filter((name): name is NodeJS.Signals => name in system.signals);

/** Starts processes from a small process beside the engine. */
export interface ProcessServer {
  /** Starts it where that was not done. Resolves to undefined where this machine has nothing to run it with. */
  opened(): Promise<RunningServer | undefined>;
}

export interface RunningServer {
  /** @throws EXECUTORS_START_FAILED */
  start(process: ProcessStart): Promise<StartedProcess>;
}

/** A process that the server was asked for: known until it was given to who asked, and has ended. */
interface Asked {
  readonly start: ProcessStart;
  readonly status: ReturnType<typeof createSandboxStatus> | undefined;
  readonly given: PromiseWithResolvers<StartedProcess>;
  readonly exit: PromiseWithResolvers<ProcessExit>;
  group: number | undefined;
}

/**
 * Node starts a process by copying itself, which takes the longer the more memory it has: 1 ms at 55 MB, 10 ms at 460
 * MB, and nobody is answered meanwhile. A small process in Python does it without a copy, whatever the engine holds.
 *
 * States: new → starting → ready → lost (somebody killed it) → starting …; or unable: no Python, or it does not answer.
 * Invariant: what it started ends with it. It kills everything when the engine is gone, and so does the engine's
 * watcher; when it is gone itself, its processes are killed, and their places count as lost.
 *
 * @param searched folders that may hold Python, separated as in PATH; default the system's
 */
export function createProcessServer(searched: string = SEARCHED): ProcessServer {
  const python = process.platform === "linux" ? findProgram("python3", searched) : undefined;
  let running: RunningServer | undefined;
  let opening: Promise<void> | undefined;

  const open = async (program: string): Promise<void> => {
    running = await openServer(program, () => {
      running = undefined;
      // Another one takes its place; one that never was ready is not tried again.
      opening = undefined;
    }).catch(() => undefined);
  };
  const begin = (): Promise<void> => (opening ??= python === undefined ? Promise.resolve() : open(python));
  return {
    async opened() {
      // Who waits for it does not end meanwhile.
      const waiting = setInterval(() => undefined, READY_MS);
      await begin();
      clearInterval(waiting);
      return running;
    },
  };
}

async function openServer(python: string, onEnd: () => void): Promise<RunningServer> {
  const asked = new Map<string, Asked>();
  const child = spawn(python, ["-I", "-S", join(pythonPackageFolder, "esteira", "_processes.py")], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
    // It holds no folder of the project.
    cwd: "/",
    env: { PATH: SEARCHED },
  });
  child.stdin.on("error", () => {});
  const forget = (id: string): void => {
    asked.delete(id);
    if (asked.size === 0) keepOpen(child.stdout, false);
  };
  let wasReady = false;
  const give = (of: Asked, id: string, [group, ...pipes]: readonly string[]): void => {
    of.group = Number(group);
    try {
      of.given.resolve(startedOf(of, of.group, openPipes(child.pid, pipes)));
    } catch (error) {
      signalGroup(of.group, "SIGKILL");
      of.given.reject(startFailed({ command: of.start.command, reason: messageOf(error) }, error));
      forget(id);
    } finally {
      child.stdin.write(`${JSON.stringify({ id, taken: true })}\n`);
    }
  };
  const ready = hear(child, (line) => take(line, asked, { forget, give }));
  child.once("close", () => {
    for (const one of asked.values()) lose(one);
    asked.clear();
    if (wasReady) onEnd();
  });
  // Nothing of it keeps the engine from ending; what it runs does.
  child.unref();
  keepOpen(child.stdin, false);
  keepOpen(child.stdout, false);
  const timer = setTimeout(() => child.kill("SIGKILL"), READY_MS).unref();
  try {
    await ready;
    wasReady = true;
  } finally {
    clearTimeout(timer);
  }
  return { start: (start) => ask(child, asked, start) };
}

function keepOpen(stream: unknown, isKept: boolean): void {
  if (!(stream instanceof Socket)) return;
  if (isKept) stream.ref();
  else stream.unref();
}

function ask(child: ChildProcess, asked: Map<string, Asked>, start: ProcessStart): Promise<StartedProcess> {
  const id = randomBytes(ID_BYTES).toString("hex");
  const of: Asked = {
    start,
    status: start.isSandboxed ? createSandboxStatus() : undefined,
    given: Promise.withResolvers(),
    exit: Promise.withResolvers(),
    group: undefined,
  };
  // It is looked at by whoever got the process.
  of.exit.promise.catch(() => {});
  if (asked.size === 0) keepOpen(child.stdout, true);
  asked.set(id, of);
  const { program, args, environment: env, folder, isSandboxed: status } = start;
  const command = program.includes("/") ? program : (findProgram(program, env["PATH"] ?? "") ?? program);
  child.stdin?.write(`${JSON.stringify({ id, command, args: [program, ...args], env, folder, status })}\n`);
  return of.given.promise;
}

/** Reads what the server says; resolves when it is ready. */
function hear(child: ChildProcess, onLine: (line: string) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let rest = "";
  child.stdout?.setEncoding("utf8");
  child.stdout?.on("data", (piece: string) => {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "ready") resolve();
      else onLine(line);
    }
  });
  child.once("error", reject);
  child.once("close", () => reject(new Error("it ended")));
  return promise;
}

/** A line: the id, a letter, and what it tells. */
function take(
  line: string,
  asked: ReadonlyMap<string, Asked>,
  {
    forget,
    give,
  }: {
    readonly forget: (id: string) => void;
    readonly give: (of: Asked, id: string, numbers: readonly string[]) => void;
  },
): void {
  const id = line.slice(0, 2 * ID_BYTES);
  const what = line.charAt(2 * ID_BYTES + 1);
  const said = line.slice(2 * ID_BYTES + 3);
  const of = asked.get(id);
  if (of === undefined) return;
  if (what === "s") return of.status?.take(`${said}\n`);
  if (what === "p") return give(of, id, said.split(" "));
  if (what === "e") {
    forget(id);
    const { command, program } = of.start;
    return of.given.reject(startFailed({ command, reason: `spawn ${program} ${said}` }));
  }
  forget(id);
  of.exit.resolve(what === "x" ? { code: Number(said), signal: null } : { code: null, signal: signalOf(Number(said)) });
}

function startedOf(of: Asked, group: number, [output, errors]: readonly [Socket, Socket]): StartedProcess {
  return {
    group,
    stdout: output,
    stderr: errors,
    status: of.status,
    exit: of.exit.promise,
    closed: Promise.all([output, errors].map(closing)).then(() => undefined),
    destroy: () => {
      output.destroy();
      errors.destroy();
    },
  };
}

async function closing(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, "close").catch(() => undefined);
}

/** Nobody can say any more how it ends: it is ended. */
function lose(of: Asked): void {
  const error = placeLost({ executor: "local", reason: "the process that had started it was killed" });
  if (of.group !== undefined) signalGroup(of.group, "SIGKILL");
  of.given.reject(error);
  of.exit.reject(error);
}

/** The reading ends of pipes that another process of this user holds. @throws what the system says */
function openPipes(holder: number | undefined, numbers: readonly string[]): [Socket, Socket] {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const open = (number: string): Socket => {
    const fd = openSync(`/proc/${String(holder)}/fd/${number}`, flags);
    return new Socket({ fd, readable: true, writable: false });
  };
  const [output = "", errors = ""] = numbers;
  const first = open(output);
  try {
    return [first, open(errors)];
  } catch (error) {
    first.destroy();
    throw error;
  }
}

function signalOf(number: number): NodeJS.Signals | null {
  return SIGNALS.find((name) => system.signals[name] === number) ?? null;
}
