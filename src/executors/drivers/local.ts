import { accessSync, closeSync, constants, existsSync, mkdirSync, openSync, readSync, statSync } from "node:fs";
import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { messageOf, newId } from "#base";
import type { Executor, ProcessHandle } from "#engine";
import type { ExceededLimit, IsolationLevel, ProcessLimits, ProcessResult, ProcessSpec, Resources } from "#pipeline";
import { attemptOf } from "../attempt-of.ts";
import { commandMissing, folderUnusable, startFailed } from "../errors.ts";
import { createIsolation, type Isolation } from "../isolation/isolation.ts";
import { openWay } from "../isolation/network-relay.ts";
import { type Sandbox, SECRETS_INSIDE } from "../isolation/sandbox.ts";
import { signalBehind } from "../isolation/sandbox-status.ts";
import { CERTIFICATE_VARIABLES, programFolders } from "../isolation/system-view.ts";
import { LocalSupervisor } from "./local-supervisor.ts";
import { createProcessServer, type ProcessServer, type RunningServer } from "./process-server.ts";
import { type ProcessExit, type StartedProcess, startHere } from "./started-process.ts";
import { watchLimits } from "./limits-watch.ts";
import { readOutput } from "./output-reader.ts";
import { placeSecretFiles, type SecretFiles, sweepSecretFiles } from "./secret-files.ts";
import { isExecutable } from "../program-path.ts";
import { createResourcePool, type ResourcePool } from "../resource-pool.ts";
import { readStepOutputs } from "../step-outputs.ts";
import { endGroup, isGroupAlive, killMarkedProcesses, signalGroup, waitForGroupEnd } from "./process-tree.ts";

const DEFAULT_GRACE_MS = 5000;
const DEFAULT_PATH = `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
/**
 * How long output is still read after the last process of the group has ended: a process of another session may hold
 * the pipe.
 */
const DRAIN_MS = 200;
const HERE: RunningServer = { start: startHere };

export interface LocalExecutorOptions {
  /** As steps name it; default `local`. */
  readonly name?: string;
  /** What of the machine its processes may have together, those that say what they need; default all. */
  readonly share?: Resources;
  /** Absolute folder; each attempt gets its private HOME and TMPDIR below it. */
  readonly workFolder: string;
  /** PATH of the processes; default the folder of this Node and the system's usual ones. */
  readonly path?: string;
  /** Absolute folder that isolated processes do not see, but for what they are shown of it: the store. */
  readonly storeFolder?: string;
  /** Absolute paths that every isolated process sees. */
  readonly readable?: readonly string[];
  /** Absolute folders that every isolated process may write. */
  readonly writable?: readonly string[];
  /** Variables that every process gets, declared or not: where certificates are. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Default the system's bubblewrap. */
  readonly sandbox?: Sandbox;
  /** What starts its processes, where it can; default one that is made with the first of them. */
  readonly processServer?: ProcessServer;
  /** How processes are kept away; default the strongest that can be done with the `sandbox`. */
  readonly isolation?: Isolation;
}

/**
 * Runs processes on this machine, each in a process group of its own, with nothing of the engine's environment: PATH,
 * HOME (a private folder), LANG, TMPDIR and what is declared.
 *
 * Where the machine can make a sandbox, a process sees the system's programs, those of PATH, its folder and what its
 * spec shows it, and none of the store beside; elsewhere only what permissions keep from the engine's user is closed.
 *
 * A process ends with its group: what it leaves in the background is ended too. When the engine dies, a small watcher
 * kills every group at once; `reap` ends whatever still carries an attempt's mark, so that a second attempt never runs
 * beside the first.
 */
export function createLocalExecutor(options: LocalExecutorOptions): Executor {
  const mark = newId();
  const supervisor = new LocalSupervisor(mark);
  const server = options.processServer ?? createProcessServer();
  const isolation = options.isolation ?? createIsolation({ sandbox: options.sandbox });
  const handles = new Map<string, Promise<ProcessHandle>>();
  const pool = createResourcePool(options.share);
  sweepSecretFiles();

  return {
    name: options.name ?? "local",
    backend: "local",
    capabilities: { exitCode: true, liveLogs: true, sandbox: true, remote: false },
    offer: () => Promise.resolve(pool.total),
    submit(spec, log) {
      const known = handles.get(spec.attemptId);
      if (known !== undefined) return known;
      const started = startInTurn(spec, { ...options, isolation, mark, supervisor, server, log }, pool);
      handles.set(spec.attemptId, started);
      const forget = (): boolean => handles.delete(spec.attemptId);
      // Kept while it runs, and a while longer for a repeat that comes late.
      started.then((handle) => afterEnd(handle, () => setTimeout(forget, 60_000).unref()), forget);
      return started;
    },
    reap: ({ id }) => killMarkedProcesses("ESTEIRA_ATTEMPT_ID", id),
  };
}

/** Whatever its end is: who waits for it hears that it was lost. */
function afterEnd({ ended }: ProcessHandle, then: () => unknown): void {
  void ended.then(then, then);
}

interface Starting extends LocalExecutorOptions {
  readonly server: ProcessServer;
  readonly isolation: Isolation;
  readonly mark: string;
  readonly supervisor: LocalSupervisor;
  readonly log: (stream: "stdout" | "stderr", text: string) => void | Promise<void>;
}

/** A process that says what it needs waits until that is free, and gives it back at its end. */
async function startInTurn(spec: ProcessSpec, starting: Starting, pool: ResourcePool): Promise<ProcessHandle> {
  if (spec.resources === undefined) return start(spec, starting);
  const share = await pool.take(spec.resources, spec.abandon);
  try {
    const environment = { ...share.environment, ...spec.environment };
    const handle = await start({ ...spec, environment }, starting);
    afterEnd(handle, () => share.release());
    return handle;
  } catch (error) {
    share.release();
    throw error;
  }
}

async function start(spec: ProcessSpec, starting: Starting): Promise<ProcessHandle> {
  if (spec.secretFiles === undefined) return startWith(spec, starting, undefined);
  const secrets = placeSecretFiles(spec.secretFiles);
  try {
    const handle = await startWith(spec, starting, secrets);
    afterEnd(handle, () => secrets.remove());
    return handle;
  } catch (error) {
    secrets.remove();
    throw error;
  }
}

async function startWith(
  spec: ProcessSpec,
  starting: Starting,
  secrets: SecretFiles | undefined,
): Promise<ProcessHandle> {
  const own = buildEnvironment(spec, starting);
  const asked: readonly [string, ...string[]] =
    "shell" in spec.command ? ["/bin/sh", "-e", "-c", spec.command.shell] : spec.command;
  const plain = limited(asked, spec.limits);
  assertStartable(asked[0], spec.workingFolder, own["PATH"] ?? "");
  const level = await starting.isolation.choose(spec.isolation);
  const isSandboxed = level === "sandbox";
  if (isSandboxed) assertInterpreter(asked[0], spec.workingFolder);
  const output = spec.onOutput ?? starting.log;
  const way = await openWay(plain, isSandboxed ? spec : { environment: {} }, (place) =>
    output("stderr", refusal(place)),
  );
  const readable = [...(spec.readable ?? []), ...way.readable];
  const [program, ...args] = isSandboxed
    ? sandboxed(way.command, { ...spec, readable }, { ...starting, secrets: secrets?.folder })
    : plain;
  starting.supervisor.begin();
  const startedAt = performance.now();
  // What stays, as a model that is asked, is this process's own: it does not end with another.
  const isOwn = spec.onOutput !== undefined || spec.terminal !== undefined;
  const server = isOwn ? undefined : await starting.server.opened();
  const started = await (server ?? HERE)
    .start({
      program,
      args,
      folder: spec.workingFolder,
      environment: { ...own, ...way.environment, ...secrets?.variables(isSandboxed ? SECRETS_INSIDE : secrets.folder) },
      isSandboxed,
      command: plain[0],
      terminal: spec.terminal,
    })
    .catch((error: unknown) => {
      way.close();
      throw error;
    });
  const handle = follow(spec, { started, startedAt, level, starting });
  void handle.ended.then(way.close, way.close);
  return handle;
}

/** Reads what a started process writes, and hears how it ends. */
function follow(
  spec: ProcessSpec,
  running: {
    readonly started: StartedProcess;
    readonly startedAt: number;
    readonly level: IsolationLevel;
    readonly starting: Starting;
  },
): ProcessHandle {
  const { started, startedAt, level, starting } = running;
  const output = spec.onOutput ?? starting.log;
  starting.supervisor.watch(started.group);
  for (const stream of ["stdout", "stderr"] as const)
    readOutput(started[stream], { secrets: spec.secrets ?? [], take: (text) => output(stream, text) });
  const handle = superviseProcess(spec, { started, startedAt, level, supervisor: starting.supervisor });
  const { status } = started;
  if (status !== undefined) {
    const sayNotStarted = ({ endedBy, signal }: ProcessResult): void => {
      if (!status.hasRun() && endedBy === "itself" && signal === undefined) output("stderr", NOT_STARTED);
    };
    void handle.ended.then(sayNotStarted, () => undefined);
  }
  return handle;
}

/** The number of open files is of one process, and is inherited. */
function limited(command: readonly [string, ...string[]], limits: ProcessLimits = {}): readonly [string, ...string[]] {
  if (limits.files === undefined) return command;
  return ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', String(limits.files), ...command];
}

const refusal = (place: string): string =>
  `esteira: refused: ${place} is not among the places that "network" of this step names\n`;

/** What bubblewrap wrote stands before it. */
const NOT_STARTED = `esteira: the command did not start in its sandbox, where it sees the system's programs, those of PATH, its workspace, its inputs and its environment. More is shown by isolation.folders in esteira.yaml; isolation.exempt gives a step the machine.
`;

/** Nothing that a step declares says what is shown to it: neither its PATH nor its variables. */
function sandboxed(
  command: readonly [string, ...string[]],
  spec: ProcessSpec,
  starting: Starting & { readonly secrets: string | undefined },
): readonly [string, ...string[]] {
  const { storeFolder, workFolder, isolation } = starting;
  const own = join(workFolder, attemptOf(spec.attemptId));
  for (const folder of starting.writable ?? []) mkdirSync(folder, { recursive: true });
  // A link in it to somewhere else leads nowhere.
  const isOwn = spec.workingFolder === own || spec.workingFolder.startsWith(`${own}/`);
  return isolation.sandbox.wrap(command, {
    workingFolder: spec.workingFolder,
    writable: [own, ...(isOwn ? [] : [spec.workingFolder]), ...(starting.writable ?? []), ...(spec.writable ?? [])],
    readable: [
      ...programFolders(starting.path ?? DEFAULT_PATH),
      ...programFolders(dirname(process.execPath)),
      ...certificatesOf(starting.environment ?? {}),
      ...(starting.readable ?? []),
      ...(spec.readable ?? []),
    ],
    hidden: storeFolder === undefined ? [] : [storeFolder],
    secrets: starting.secrets,
    network: spec.network,
    isInteractive: spec.terminal?.isInteractive === true,
  });
}

function certificatesOf(environment: Readonly<Record<string, string>>): readonly string[] {
  return CERTIFICATE_VARIABLES.flatMap((name) => environment[name]?.split(delimiter) ?? []).filter(isAbsolute);
}

/** A second process of an attempt carries a number behind its id. */
function superviseProcess(
  spec: ProcessSpec,
  running: {
    readonly started: StartedProcess;
    readonly startedAt: number;
    readonly level: IsolationLevel;
    readonly supervisor: LocalSupervisor;
  },
): ProcessHandle {
  const { started, startedAt, level, supervisor } = running;
  const { group, status } = started;
  const grace = spec.gracePeriodMs ?? DEFAULT_GRACE_MS;
  let endedBy: ProcessResult["endedBy"] = "itself";
  let ending: Promise<void> | undefined;
  let over = false;
  const end = (cause: "timeout" | "cancel"): Promise<void> => {
    if (over) return Promise.resolve();
    if (ending === undefined) {
      endedBy = cause;
      // A grandchild in a session of its own is not in the group, but carries the mark.
      ending = endGroup(group, grace, status?.leader()).then(() =>
        killMarkedProcesses("ESTEIRA_ATTEMPT_ID", spec.attemptId),
      );
    }
    return ending;
  };
  let exceeded: ExceededLimit | undefined;
  const unwatch = watchLimits(group, spec.limits ?? {}, (found) => {
    exceeded = found;
    // The first process of a sandbox takes all others with it, faster than they can start new ones.
    const leader = status?.leader();
    if (leader !== undefined) signalGroup(leader, "SIGKILL");
    signalGroup(group, "SIGKILL");
    void killMarkedProcesses("ESTEIRA_ATTEMPT_ID", spec.attemptId);
  });
  const timer = spec.timeoutMs === undefined ? undefined : setTimeout(() => void end("timeout"), spec.timeoutMs);

  const release = (): void => {
    over = true;
    clearTimeout(timer);
    unwatch();
    supervisor.release(group);
  };
  const ended = waitForEnd(spec, started, grace).then(async ({ code, signal }): Promise<ProcessResult> => {
    await ending;
    release();
    const endedWell = code === 0 && signal === null && endedBy === "itself";
    const outputs =
      endedWell && spec.outputFile !== undefined
        ? await readStepOutputs(spec.outputFile, spec.secrets ?? []).then(
            (read) => ({ outputs: read }),
            (error: unknown) => ({ outputsProblem: error instanceof Error ? error : new Error(messageOf(error)) }),
          )
        : {};
    const behind = status?.hasRun() === true ? signalBehind(code) : undefined;
    return {
      exitCode: behind === undefined ? (code ?? undefined) : undefined,
      signal: behind ?? signal ?? undefined,
      endedBy,
      durationMs: performance.now() - startedAt,
      isolation: level,
      ...outputs,
      ...(exceeded === undefined ? {} : { exceeded }),
    };
  });
  ended.catch(release);
  return {
    reference: { executor: "local", id: spec.attemptId, startedAtMs: Date.now() },
    ended,
    cancel: async () => {
      await end("cancel");
      await ended.catch(() => undefined);
    },
  };
}

/** The end of the first process, of everything it left in its group, and of the output. */
async function waitForEnd(spec: ProcessSpec, started: StartedProcess, grace: number): Promise<ProcessExit> {
  const { group } = started;
  const exit = await started.exit.catch(async (error: unknown) => {
    // Its group was killed with what had started it; a grandchild in a session of its own was not.
    await endGroup(group, 0);
    await killMarkedProcesses("ESTEIRA_ATTEMPT_ID", spec.attemptId);
    started.destroy();
    throw error;
  });
  if (isGroupAlive(group) && !(await waitForGroupEnd(group, 20))) await endGroup(group, grace);
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([started.closed, new Promise<void>((resolve) => (timer = setTimeout(resolve, DRAIN_MS)))]);
  clearTimeout(timer);
  started.destroy();
  return exit;
}

function buildEnvironment(spec: ProcessSpec, starting: Starting): Record<string, string> {
  const attempt = attemptOf(spec.attemptId);
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
    ...starting.environment,
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

/** bubblewrap would say in its own words that the program named in a script's first line is not there. */
function assertInterpreter(command: string, folder: string): void {
  if (!command.includes("/")) return;
  const file = openSync(resolve(folder, command), "r");
  try {
    const start = Buffer.alloc(256);
    const text = start.toString("utf8", 0, readSync(file, start));
    const interpreter = /^#!\s*(\S+)/.exec(text)?.[1];
    if (interpreter !== undefined && !existsSync(interpreter))
      throw startFailed({ command, reason: `ENOENT: its first line names ${interpreter}, which is not there` });
  } finally {
    closeSync(file);
  }
}
