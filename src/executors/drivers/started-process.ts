import { type ChildProcess, spawn } from "node:child_process";
import { Readable } from "node:stream";
import { messageOf } from "#base";
import { startFailed } from "../errors.ts";
import { enterSandbox, SANDBOX_PIPES, SANDBOX_TERMINAL_PIPES } from "../isolation/sandbox.ts";
import type { SandboxStatus } from "../isolation/sandbox-status.ts";

/** What is started: in a session of its own, with pipes for its outputs and an empty input, or with this process's. */
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
  /** It has this process's input and outputs; interactive: in its session. */
  readonly terminal?: { readonly isInteractive: boolean } | undefined;
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
  const { terminal } = start;
  const isInteractive = terminal?.isInteractive === true;
  const child = spawn(start.program, start.args, {
    cwd: start.folder,
    env: start.environment,
    stdio: [
      ...(terminal === undefined
        ? (["ignore", "pipe", "pipe"] as const)
        : (["inherit", "inherit", "inherit"] as const)),
      ...(start.isSandboxed ? (isInteractive ? SANDBOX_TERMINAL_PIPES : SANDBOX_PIPES) : []),
    ],
    // A terminal gives its keys to its own session alone.
    detached: !isInteractive,
  });
  const { pid: group, stdout, stderr } = child;
  if (group === undefined) return failToStart(child, start.command);
  return {
    group,
    stdout: stdout ?? Readable.from([]),
    stderr: stderr ?? Readable.from([]),
    status: start.isSandboxed ? enterSandbox(child, isInteractive) : undefined,
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
