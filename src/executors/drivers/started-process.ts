import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { messageOf } from "#base";
import { startFailed } from "../errors.ts";
import { enterSandbox, SANDBOX_PIPES } from "../isolation/sandbox.ts";
import type { SandboxStatus } from "../isolation/sandbox-status.ts";

/** What is started: in a session of its own, with pipes for its outputs, and an empty input. */
export interface ProcessStart {
  /** Absolute, or relative to the folder; a bare name is looked for in PATH. */
  readonly program: string;
  readonly args: readonly string[];
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  /** It is wrapped by a sandbox, which says of itself what becomes of it. */
  readonly isSandboxed: boolean;
  /** As people know it. */
  readonly command: string;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A first process of a group that was just started. */
export interface StartedProcess {
  /** Its number, which is that of its group. */
  readonly group: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Of a sandbox. */
  readonly status: SandboxStatus | undefined;
  /** How it ended. Rejects with PIPELINE_PLACE_LOST when nobody can say. */
  readonly exit: Promise<ProcessExit>;
  /** Once nothing more comes of its outputs. */
  readonly closed: Promise<void>;
  /** Gives up what is still to be read. */
  destroy(): void;
}

/** Starts a process from this one. @throws EXECUTORS_START_FAILED */
export async function startHere(start: ProcessStart): Promise<StartedProcess> {
  const child = spawn(start.program, start.args, {
    cwd: start.folder,
    env: start.environment,
    stdio: ["ignore", "pipe", "pipe", ...(start.isSandboxed ? SANDBOX_PIPES : [])],
    detached: true,
  });
  const { pid: group, stdout, stderr } = child;
  if (group === undefined || stdout === null || stderr === null) return failToStart(child, start.command);
  return {
    group,
    stdout,
    stderr,
    status: start.isSandboxed ? enterSandbox(child) : undefined,
    exit: new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal }))),
    closed: new Promise((resolve) => child.once("close", () => resolve())),
    destroy: () => {
      for (const stream of child.stdio) stream?.destroy();
    },
  };
}

function failToStart(child: ChildProcess, command: string): Promise<never> {
  return new Promise((_, reject) =>
    child.once("error", (error) => reject(startFailed({ command, reason: messageOf(error) }, error))),
  );
}
