// The command line as people start it, in processes that can be interrupted and killed.
import { type ChildProcess, spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";

const ESTEIRA = resolve(import.meta.dirname, "../../bin/esteira");

export interface CommandEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a command of esteira in a folder, at the head of a process group of its own. */
export function startEsteira(
  folder: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  { keepOutput = true }: { readonly keepOutput?: boolean } = {},
): { readonly child: ChildProcess; readonly ended: Promise<CommandEnd> } {
  const child = spawn(ESTEIRA, words, {
    cwd: folder,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...environment },
  });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (piece: string) => {
      if (keepOutput || stream === "stderr") said[stream] += piece;
    });
  const ended = new Promise<CommandEnd>((done, failed) => {
    child.once("error", failed);
    child.once("close", (code) => done({ code, ...said }));
  });
  return { child, ended };
}

export const runEsteira = (
  folder: string,
  words: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<CommandEnd> => startEsteira(folder, words, environment).ended;

/**
 * Signals everything of the command's group at once: SIGINT as Ctrl-C does, SIGKILL as the kernel when memory is out.
 */
export function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Processes that still work in or below a folder: found by what their command line or environment names. */
export async function listProcessesOf(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue;
    const read = (file: string): Promise<string> => readFile(join("/proc", pid, file), "latin1").catch(() => "");
    const [command, environment, stat] = await Promise.all([read("cmdline"), read("environ"), read("stat")]);
    if (/\) Z /.test(stat) || command === "") continue;
    if (command.includes(folder) || environment.includes(folder))
      found.push(`${pid} ${command.replaceAll("\0", " ").trim().slice(0, 500)}`);
  }
  return found;
}

/** Ends them; one that ended meanwhile is what is wanted. */
export async function endProcessesOf(folder: string): Promise<void> {
  for (const line of await listProcessesOf(folder))
    try {
      process.kill(Number.parseInt(line, 10), "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
}
