import { spawn } from "node:child_process";
import { accessSync, closeSync, constants, globSync, readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { JobState } from "./job-state.ts";
import type { Said } from "./output.ts";
import { makePipes } from "./pipes.ts";

const GRACE_MS = 2500;

export interface StepProcess {
  readonly command: readonly [string, ...string[]];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly said?: Said;
  /** Ends it before the job ends. */
  readonly signal?: AbortSignal | undefined;
  /** Keeps its output from the log, and gives it back. */
  readonly isQuiet?: boolean;
}

export interface ProcessEnd {
  readonly exitCode: number;
  readonly output: string;
  readonly isEnded: boolean;
}

const MOST_QUIET_OUTPUT = 1_000_000;

/** Runs one process to its end; its output is read for commands. With the signal, its whole group ends. */
export function runProcess(job: Pick<JobState, "output" | "signal">, process: StepProcess): Promise<ProcessEnd> {
  const said = process.said ?? { outputs: {}, states: {}, refused: undefined };
  const [program, ...args] = process.command;
  return new Promise((resolve, reject) => {
    const pipes = makePipes(2);
    const child = spawn(program, args, {
      cwd: process.folder,
      env: { ...process.environment },
      stdio: ["ignore", pipes?.[0]?.write ?? "pipe", pipes?.[1]?.write ?? "pipe"],
      detached: true,
    });
    for (const { write } of pipes ?? []) closeSync(write);
    const streams = pipes?.map(({ read }) => read) ?? [child.stdout, child.stderr].filter((stream) => stream !== null);
    let output = "";
    for (const stream of streams) {
      const reader = job.output.reader(said);
      stream.setEncoding("utf8");
      stream.on("data", (text: string) => {
        if (process.isQuiet !== true) return reader.take(text);
        if (output.length < MOST_QUIET_OUTPUT) output += text;
      });
      stream.on("end", () => reader.end());
    }
    const signals = [job.signal, ...(process.signal === undefined ? [] : [process.signal])];
    let isEnded = false;
    let timer: NodeJS.Timeout | undefined;
    const end = (): void => {
      if (isEnded) return;
      isEnded = true;
      signalGroup(child.pid, "SIGTERM");
      timer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), GRACE_MS);
    };
    for (const signal of signals) {
      signal.addEventListener("abort", end, { once: true });
      if (signal.aborted) end();
    }
    const settle = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", end);
    };
    child.once("error", (error) => {
      settle();
      for (const stream of streams) stream.destroy();
      reject(error);
    });
    let exitCode: number | undefined;
    const finish = (): void => {
      settle();
      resolve({ exitCode: exitCode ?? 1, output, isEnded });
    };
    child.once("exit", (code, signal) => {
      exitCode = code ?? (signal === null ? 1 : 128 + (SIGNALS[signal] ?? 0));
      // What it left in the background may hold the pipes: the step has ended all the same.
      setTimeout(() => {
        for (const stream of streams) stream.destroy();
      }, 200).unref();
    });
    const closed = [child, ...streams].map((one) => new Promise<void>((closing) => one.once("close", () => closing())));
    void Promise.all(closed).then(finish);
  });
}

const SIGNALS: Readonly<Record<string, number>> = { SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 };

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid !== undefined) signalProcess(-pid, signal);
}

const REAP_TRIES = 20;
const REAP_PAUSE_MS = 50;

/** Kills what steps left running, also in sessions of their own: every process that carries the job's mark. */
export async function killTracked(id: string): Promise<void> {
  for (let tries = 0; tries < REAP_TRIES; tries++) {
    const found = findTracked(id);
    if (found.length === 0) return;
    for (const pid of found) signalProcess(pid, "SIGKILL");
    await new Promise((resolve) => setTimeout(resolve, REAP_PAUSE_MS));
  }
}

function findTracked(id: string): readonly number[] {
  const mark = `RUNNER_TRACKING_ID=${id}`;
  return readText(() => readdirSync("/proc"), []).flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    const environment = readText(() => readFileSync(join("/proc", name, "environ"), "utf8"), "");
    return environment.split("\0").includes(mark) ? [Number(name)] : [];
  });
}

/** Processes end while they are looked at. */
function readText<Value>(read: () => Value, missing: Value): Value {
  try {
    return read();
  } catch {
    return missing;
  }
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

/** Absolute path of a command; undefined when it is in none of the folders of a PATH. Folders may be patterns. */
export function findCommand(name: string, path: string, more: readonly string[] = []): string | undefined {
  const folders = [...path.split(delimiter), ...more.flatMap((folder) => globSync(folder).toSorted().toReversed())];
  return folders
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
