import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, mkdirSync, statSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { messageOf, newId } from "#base";
import type { Executor, ProcessHandle } from "#engine";
import type { ProcessResult, ProcessSpec } from "#pipeline";
import { commandMissing, folderUnusable, startFailed } from "../errors.ts";
import { LocalSupervisor } from "./local-supervisor.ts";
import { readOutput } from "./output-reader.ts";
import { endGroup, isGroupAlive, killMarkedProcesses, waitForGroupEnd } from "./process-tree.ts";
import { createSandbox, type Sandbox } from "./sandbox.ts";

const DEFAULT_GRACE_MS = 5000;
const DEFAULT_PATH = `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
/**
 * How long output is still read after the last process of the group has ended: a process of another session may hold
 * the pipe.
 */
const DRAIN_MS = 200;

export interface LocalExecutorOptions {
  /** Absolute folder; each attempt gets its private HOME and TMPDIR below it. */
  readonly workFolder: string;
  /** PATH of the processes; default the folder of this Node and the system's usual ones. */
  readonly path?: string;
  /** Absolute folder that sandboxed processes see and do not write, wherever it lies: the store. */
  readonly storeFolder?: string;
  /** Default the system's bubblewrap. */
  readonly sandbox?: Sandbox;
}

/**
 * Runs processes on this machine, each in a process group of its own, with nothing of the engine's environment: PATH,
 * HOME (a private folder), LANG, TMPDIR and what is declared.
 *
 * A process ends with its group: what it leaves in the background is ended too. When the engine dies, a small watcher
 * kills every group at once; `reap` ends whatever still carries an attempt's mark, so that a second attempt never runs
 * beside the first.
 */
export function createLocalExecutor(options: LocalExecutorOptions): Executor {
  const mark = newId();
  const supervisor = new LocalSupervisor(mark);
  const sandbox = options.sandbox ?? createSandbox();
  const handles = new Map<string, Promise<ProcessHandle>>();

  return {
    name: "local",
    capabilities: { exitCode: true, liveLogs: true, sandbox: true },
    submit(spec, log) {
      const known = handles.get(spec.attemptId);
      if (known !== undefined) return known;
      const started = start(spec, { ...options, sandbox, mark, supervisor, log });
      handles.set(spec.attemptId, started);
      const forget = (): boolean => handles.delete(spec.attemptId);
      // Kept while it runs, and a while longer for a repeat that comes late.
      started.then((handle) => handle.ended.then(() => setTimeout(forget, 60_000).unref()), forget);
      return started;
    },
    reap: ({ id }) => killMarkedProcesses("ESTEIRA_ATTEMPT_ID", id),
  };
}

interface Starting extends LocalExecutorOptions {
  readonly sandbox: Sandbox;
  readonly mark: string;
  readonly supervisor: LocalSupervisor;
  readonly log: (stream: "stdout" | "stderr", text: string) => void | Promise<void>;
}

async function start(spec: ProcessSpec, starting: Starting): Promise<ProcessHandle> {
  const environment = buildEnvironment(spec, starting);
  const plain: readonly [string, ...string[]] =
    "shell" in spec.command ? ["/bin/sh", "-e", "-c", spec.command.shell] : spec.command;
  assertStartable(plain[0], spec.workingFolder, environment["PATH"] ?? "");
  const [program, ...args] =
    spec.sandbox === true || spec.sandboxRequiredBy !== undefined ? await sandboxed(plain, spec, starting) : plain;
  starting.supervisor.begin();
  const startedAt = performance.now();
  const child = spawn(program, args, {
    cwd: spec.workingFolder,
    env: environment,
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  const group = child.pid;
  if (group === undefined) return failToStart(child, plain[0]);
  starting.supervisor.watch(group);
  const output = spec.onOutput ?? starting.log;
  for (const [stream, source] of [
    ["stdout", child.stdout],
    ["stderr", child.stderr],
  ] as const) {
    readOutput(source, { secrets: spec.secrets ?? [], take: (text) => output(stream, text) });
  }
  child.stdin.on("error", () => {});
  return superviseProcess(spec, { child, group, startedAt, supervisor: starting.supervisor });
}

async function sandboxed(
  command: readonly [string, ...string[]],
  spec: ProcessSpec,
  { sandbox, storeFolder, workFolder }: Starting,
): Promise<readonly [string, ...string[]]> {
  await sandbox.assertAvailable(spec.sandboxRequiredBy ?? "the step");
  return sandbox.wrap(command, {
    workingFolder: spec.workingFolder,
    writable: [join(workFolder, attemptOf(spec)), ...(spec.writable ?? [])],
    readable: [...(storeFolder === undefined ? [] : [storeFolder]), ...(spec.readable ?? [])],
    network: spec.network,
  });
}

/** A second process of an attempt carries a number behind its id. */
const attemptOf = ({ attemptId }: ProcessSpec): string => attemptId.split(".")[0] ?? attemptId;

function superviseProcess(
  spec: ProcessSpec,
  running: {
    readonly child: ChildProcess;
    readonly group: number;
    readonly startedAt: number;
    readonly supervisor: LocalSupervisor;
  },
): ProcessHandle {
  const { child, group, startedAt, supervisor } = running;
  const grace = spec.gracePeriodMs ?? DEFAULT_GRACE_MS;
  let endedBy: ProcessResult["endedBy"] = "itself";
  let ending: Promise<void> | undefined;
  let over = false;
  const end = (cause: "timeout" | "cancel"): Promise<void> => {
    if (over) return Promise.resolve();
    if (ending === undefined) {
      endedBy = cause;
      // A grandchild in a session of its own is not in the group, but carries the mark.
      ending = endGroup(group, grace).then(() => killMarkedProcesses("ESTEIRA_ATTEMPT_ID", spec.attemptId));
    }
    return ending;
  };
  const timer = spec.timeoutMs === undefined ? undefined : setTimeout(() => void end("timeout"), spec.timeoutMs);

  const ended = waitForChild(child, group, grace).then(async ({ code, signal }): Promise<ProcessResult> => {
    await ending;
    over = true;
    clearTimeout(timer);
    supervisor.release(group);
    return {
      exitCode: code ?? undefined,
      signal: signal ?? undefined,
      endedBy,
      durationMs: performance.now() - startedAt,
    };
  });
  return {
    reference: { executor: "local", id: spec.attemptId, startedAtMs: Date.now() },
    ended,
    cancel: async () => {
      await end("cancel");
      await ended;
    },
    write: (text) => void child.stdin?.write(text),
  };
}

/** The end of the first process, of everything it left in its group, and of the output. */
async function waitForChild(
  child: ChildProcess,
  group: number,
  grace: number,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const exit = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once("exit", (code, signal) => resolve({ code, signal })),
  );
  if (isGroupAlive(group) && !(await waitForGroupEnd(group, 20))) await endGroup(group, grace);
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([closed, new Promise<void>((resolve) => (timer = setTimeout(resolve, DRAIN_MS)))]);
  clearTimeout(timer);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return exit;
}

function failToStart(child: ChildProcess, command: string): Promise<never> {
  return new Promise((_, reject) =>
    child.once("error", (error) => reject(startFailed({ command, reason: messageOf(error) }, error))),
  );
}

function buildEnvironment(spec: ProcessSpec, starting: Starting): Record<string, string> {
  const attempt = attemptOf(spec);
  const home = join(starting.workFolder, attempt, "home");
  const temporary = join(starting.workFolder, attempt, "tmp");
  try {
    mkdirSync(home, { recursive: true });
    mkdirSync(temporary, { recursive: true });
  } catch (error) {
    throw folderUnusable({ folder: starting.workFolder, reason: messageOf(error) }, error);
  }
  return {
    PATH: starting.path ?? DEFAULT_PATH,
    HOME: home,
    LANG: "C.UTF-8",
    TMPDIR: temporary,
    ...spec.environment,
    ESTEIRA_ATTEMPT_ID: spec.attemptId,
    ESTEIRA_ENGINE: starting.mark,
  };
}

/** Told before the start, because a failed `spawn` says ENOENT for a missing command and a missing folder alike. */
function assertStartable(command: string, folder: string, path: string): void {
  try {
    if (!statSync(folder).isDirectory()) throw new Error("it is not a folder");
    accessSync(folder, constants.X_OK);
  } catch (error) {
    throw folderUnusable({ folder, reason: messageOf(error) }, error);
  }
  const places = isAbsolute(command)
    ? [command]
    : command.includes("/")
      ? [join(folder, command)]
      : path.split(delimiter).map((place) => join(place, command));
  if (!places.some(isExecutable)) throw commandMissing({ command, searched: places.join(", ") });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
