import { createReadStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Digest } from "#base";
import type { Executor, ProcessHandle } from "#engine";
import type { ProcessResult } from "#pipeline";
import { attemptOf } from "../attempt-of.ts";
import { toErrorFacts } from "../job/job-error.ts";
import { pythonPackageFolder } from "../step-context.ts";
import type { PythonEnvironments } from "../python-environment.ts";
import { workerPythonMissing } from "../remote/remote-errors.ts";
import type { StartedTask, TaskResult, TaskRoot, TaskSpec } from "../remote/task-format.ts";
import type { TaskCache } from "./task-cache.ts";
import { collectOutputs, folderOf, type MadeRoot, makeRoot, PathMap, rewriteContext } from "./task-folders.ts";
import { TaskLog } from "./task-log.ts";
import type { WorkerClient } from "./worker-client.ts";

/** What a worker's machine runs tasks with. */
export interface TaskMachine {
  readonly client: WorkerClient;
  readonly cache: TaskCache;
  readonly executor: Executor;
  readonly environments: PythonEnvironments;
  /** Version of the Python that environments are made with. */
  readonly pythonVersion: () => Promise<string>;
  readonly name: string;
  /** Absolute; each task gets its folder below it. */
  readonly workFolder: string;
  /** Default grace period of a process that is asked to end is its own. */
  readonly node: string;
}

/** A task that runs here. */
export interface RunningTask {
  /** Asks it to end: what it left is sent all the same. */
  end(): void;
  /** It is no more ours: it is ended, and nothing of it is sent. */
  forget(): void;
  /** Nothing of it runs any more, and its end was told, or nobody wants to hear of it. */
  readonly done: Promise<void>;
}

/** Runs one task: fetches what it reads, starts it with the executor of this machine, sends back what it left. */
export function runTask(task: StartedTask, machine: TaskMachine): RunningTask {
  const given = new AbortController();
  let handle: ProcessHandle | undefined;
  let isEnding = false;
  const end = (): void => {
    isEnding = true;
    void handle?.cancel();
  };
  const perform = async (): Promise<void> => {
    const folder = join(machine.workFolder, attemptOf(task.id));
    const held = new Set<Digest>();
    const { client } = machine;
    const log = new TaskLog((piece) => client.log(task, { ...piece, signal: given.signal }));
    try {
      const ended = await carryOut(task, machine, {
        folder,
        held,
        log,
        signal: given.signal,
        isEnding: () => isEnding,
        started: (one) => {
          handle = one;
          if (isEnding || given.signal.aborted) void one.cancel();
        },
      }).catch((error: unknown): Omit<TaskResult, "format" | "logPieces"> => {
        given.signal.throwIfAborted();
        return { error: toErrorFacts(error), taken: [] };
      });
      await client.end(task, { format: "task/1", ...ended, logPieces: await log.close() }, given.signal);
    } finally {
      for (const digest of held) machine.cache.release(digest);
      await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
      await machine.cache.trim().catch(() => {});
    }
  };
  const done = perform().catch(() => {});
  return {
    end,
    forget: () => {
      given.abort(new Error("the task is no more this worker's"));
      end();
    },
    done,
  };
}

interface Carrying {
  readonly folder: string;
  /** Gets what it uses of the cache. */
  readonly held: Set<Digest>;
  readonly log: TaskLog;
  readonly signal: AbortSignal;
  isEnding(): boolean;
  started(handle: ProcessHandle): void;
}

async function carryOut(
  task: StartedTask,
  machine: TaskMachine,
  carrying: Carrying,
): Promise<Omit<TaskResult, "format" | "logPieces">> {
  const { folder, signal, log } = carrying;
  const { spec, manifest } = task;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const { map, made } = await makeRoots(task, machine, carrying);
  const context = spec.process.environment["ESTEIRA_CONTEXT"];
  if (context !== undefined) await rewriteContext(map.text(context), map);
  signal.throwIfAborted();
  if (carrying.isEnding()) return { result: NEVER_STARTED, taken: [] };
  const handle = await machine.executor.submit(
    { ...toLocalSpec(spec, map, machine), attemptId: task.id, ...seenBy(manifest.roots, map) },
    (stream, text) => log.write(stream, text),
  );
  carrying.started(handle);
  const { outputsProblem, ...result } = await handle.ended;
  signal.throwIfAborted();
  const taken = await collectOutputs(spec.process.takes, made, {
    map,
    keep: (digest, path) => machine.client.writeBlob(task, { digest, open: () => createReadStream(path), signal }),
  });
  return {
    result,
    taken,
    ...(outputsProblem === undefined ? {} : { outputsProblem: toErrorFacts(outputsProblem) }),
  };
}

const NEVER_STARTED: Omit<ProcessResult, "outputsProblem" | "tail"> = {
  exitCode: undefined,
  signal: "SIGKILL",
  endedBy: "cancel",
  durationMs: 0,
  isolation: "none",
};

async function makeRoots(
  task: StartedTask,
  machine: TaskMachine,
  { folder, held, log, signal }: Carrying,
): Promise<{ readonly map: PathMap; readonly made: readonly MadeRoot[] }> {
  const fetch = (digest: Digest): Promise<string> => {
    const isHeld = held.has(digest);
    held.add(digest);
    const path = machine.cache.hold(digest, () => machine.client.readBlob(task, digest, signal));
    if (isHeld) machine.cache.release(digest);
    return path;
  };
  const pairs: (readonly [string, string])[] = [];
  const made: MadeRoot[] = [];
  for (const [index, root] of task.manifest.roots.entries()) {
    if (root.kind === "package") pairs.push([root.path, pythonPackageFolder]);
    else if (root.kind === "python") pairs.push([root.path, await installPython(root, { task, machine, log, signal })]);
    else {
      const here = folderOf(folder, index);
      await makeRoot(root, here, fetch);
      pairs.push([root.path, here]);
      made.push({ root, folder: here });
    }
  }
  return { map: new PathMap(pairs), made };
}

/** The folder of an environment with the same packages, made once on this machine. */
async function installPython(
  { lock, wheels, version }: Extract<TaskRoot, { readonly kind: "python" }>,
  {
    machine,
    log,
    signal,
  }: {
    readonly task: StartedTask;
    readonly machine: TaskMachine;
    readonly log: TaskLog;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const found = await machine.pythonVersion();
  const minor = (text: string): string => text.split(".").slice(0, 2).join(".");
  if (minor(found) !== minor(version))
    throw workerPythonMissing({ worker: machine.name, wanted: minor(version), found });
  const environment = await machine.environments.prepare({
    requirements: lock,
    requirementsFile: "the environment's lock",
    wheels,
    signal,
    report: (line) => void log.write("stdout", `${line}\n`),
  });
  return join(environment.python, "..", "..");
}

function toLocalSpec({ process: spec, node }: TaskSpec, map: PathMap, machine: TaskMachine): TaskSpec["process"] {
  const { command, environment } = spec;
  const url = environment["ESTEIRA_URL"];
  const here = Object.entries(environment).map(([name, value]): readonly [string, string] =>
    // The engine's own address is of its machine: this server is the same platform.
    url !== undefined && value === url ? [name, machine.client.url] : [name, map.text(value)],
  );
  return {
    ...spec,
    command: toLocalCommand(command, node, map, machine),
    workingFolder: map.text(spec.workingFolder),
    environment: Object.fromEntries(here),
    ...(spec.outputFile === undefined ? {} : { outputFile: map.text(spec.outputFile) }),
    ...(spec.writable === undefined ? {} : { writable: spec.writable.map((path) => map.text(path)) }),
  };
}

function toLocalCommand(
  command: TaskSpec["process"]["command"],
  node: string,
  map: PathMap,
  machine: TaskMachine,
): TaskSpec["process"]["command"] {
  if ("shell" in command) return { shell: map.text(command.shell) };
  const [program, ...words] = command;
  return [program === node ? machine.node : map.text(program), ...words.map((word) => map.text(word))];
}

/** What an isolated process must see here of what it was shown there. */
function seenBy(roots: readonly TaskRoot[], map: PathMap): { readonly readable: readonly string[] } {
  return { readable: roots.filter(({ kind }) => kind !== "work").map(({ path }) => map.text(path)) };
}
