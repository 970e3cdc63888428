import { setTimeout as delay } from "node:timers/promises";
import type { ProcessResult } from "#pipeline";
import { openKernelConnection } from "./kernel-connection.ts";
import { type KernelMessage, textIn } from "./kernel-message.ts";

const FIRST_PROBE_MS = 60;
const LATEST_PROBE_MS = 500;
const SHUTDOWN_MS = 2_000;

/** How the execution of one piece of code ended. */
export type ExecutionEnd =
  | { readonly status: "ok" | "error"; readonly reply: KernelMessage }
  /** The process is gone. */
  | { readonly status: "dead"; readonly exit: string };

/**
 * One running kernel.
 *
 * States: starting → ready → (busy → ready)* → ended. `ended` is entered from anywhere when the process exits, and
 * every execution that waits then resolves as `dead` at once.
 */
export interface Kernel {
  /** `ipykernel 7.4.0` and the like, as the kernel says it. */
  readonly implementation: string;
  /**
   * Executes code. It is finished when both the reply and the status `idle` with the same parent have come: all output
   * was published then.
   *
   * @param onMessage iopub messages of this execution, in order
   */
  execute(code: string, onMessage: (message: KernelMessage) => void): Promise<ExecutionEnd>;
  /** Asks the kernel to raise KeyboardInterrupt in what it executes. */
  interrupt(): void;
  /** Ends the process tree now. */
  kill(): Promise<void>;
  /** Lets the kernel end in its own way for 2 s, then ends it. */
  shutdown(): Promise<void>;
}

export interface KernelOptions {
  readonly temporaryFolder: string;
  readonly transport?: "ipc" | "tcp";
  readonly startTimeoutMs: number;
  /** Output that belongs to no execution that still waits: threads that print after their cell. */
  readonly onStray?: (message: KernelMessage) => void;
  /** Starts the kernel's process on a connection file; resolves when its whole tree has ended; `signal` ends it. */
  readonly start: (connectionFile: string, signal: AbortSignal) => Promise<ProcessResult>;
}

/** A kernel that could not be had. */
export class KernelStartError extends Error {
  override readonly name = "KernelStartError";
}

interface Waiting {
  readonly onMessage: (message: KernelMessage) => void;
  readonly resolve: (end: ExecutionEnd) => void;
  reply?: KernelMessage;
  idle: boolean;
}

/** @throws KernelStartError when the process ends, or does not answer in time */
export async function startKernel(options: KernelOptions): Promise<Kernel> {
  const waiting = new Map<string, Waiting>();
  const connection = await openKernelConnection({
    temporaryFolder: options.temporaryFolder,
    ...(options.transport === undefined ? {} : { transport: options.transport }),
    onMessage: (channel, message) => receive(waiting, channel, message, options.onStray ?? (() => {})),
  });
  const stopping = new AbortController();
  let exit: string | undefined;
  const ended = options
    .start(connection.file, stopping.signal)
    .then(
      (result) => describeExit(result),
      (error: unknown) => String(error),
    )
    .then((text) => {
      exit = text;
      for (const execution of waiting.values()) execution.resolve({ status: "dead", exit: text });
      waiting.clear();
    });

  function request(type: string, content: object, onMessage: (message: KernelMessage) => void): Promise<ExecutionEnd> {
    if (exit !== undefined) return Promise.resolve({ status: "dead", exit });
    return new Promise((resolve) => {
      waiting.set(connection.request("shell", type, content), { onMessage, resolve, idle: false });
    });
  }
  async function kill(): Promise<void> {
    stopping.abort();
    await ended;
    await connection.close();
  }
  const probe = (): Promise<ExecutionEnd> => request("kernel_info_request", {}, () => {});

  const first = await answerOf(probe, options.startTimeoutMs);
  if (first === undefined || first.status === "dead") {
    await kill();
    throw new KernelStartError(
      first === undefined ? `no answer within ${options.startTimeoutMs / 1000} s` : `its process ended (${first.exit})`,
    );
  }
  return {
    implementation: `${textIn(first.reply.content, "implementation")} ${textIn(first.reply.content, "implementation_version")}`,
    execute: (code, onMessage) =>
      request(
        "execute_request",
        { code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false, stop_on_error: true },
        onMessage,
      ),
    interrupt: () => void connection.request("control", "interrupt_request", {}),
    kill,
    async shutdown() {
      if (exit === undefined) {
        connection.request("control", "shutdown_request", { restart: false });
        await Promise.race([ended, delay(SHUTDOWN_MS, undefined, { ref: false })]);
      }
      await kill();
    },
  };
}

/**
 * The first answer of a kernel that is starting. A subscription is live only once an `idle` has come through it, and a
 * request sent before that is answered without one: so requests are repeated until one is answered in full.
 */
async function answerOf(probe: () => Promise<ExecutionEnd>, timeoutMs: number): Promise<ExecutionEnd | undefined> {
  const deadline = performance.now() + timeoutMs;
  const probes: Promise<ExecutionEnd>[] = [];
  for (let waitMs = FIRST_PROBE_MS; performance.now() < deadline; waitMs = Math.min(waitMs * 1.5, LATEST_PROBE_MS)) {
    probes.push(probe());
    const answer = await Promise.race([...probes, delay(waitMs, undefined)]);
    if (answer !== undefined) return answer;
  }
  return undefined;
}

function receive(
  waiting: Map<string, Waiting>,
  channel: "shell" | "iopub" | "control",
  message: KernelMessage,
  onStray: (message: KernelMessage) => void,
): void {
  const execution = message.parentId === undefined ? undefined : waiting.get(message.parentId);
  if (execution === undefined) {
    if (channel === "iopub" && message.type !== "status") onStray(message);
    return;
  }
  if (channel === "shell") execution.reply = message;
  if (channel === "iopub") {
    execution.onMessage(message);
    if (message.type === "status" && message.content["execution_state"] === "idle") execution.idle = true;
  }
  if (execution.reply === undefined || !execution.idle) return;
  waiting.delete(message.parentId ?? "");
  execution.resolve({ status: execution.reply.content["status"] === "ok" ? "ok" : "error", reply: execution.reply });
}

function describeExit(result: ProcessResult): string {
  if (result.endedBy !== "itself") return result.endedBy;
  return result.signal ?? `exit code ${result.exitCode}`;
}
