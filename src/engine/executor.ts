import type { ProcessResult, ProcessSpec, Resources } from "#pipeline";

/** A process of an attempt that was started and not yet seen to end. */
export interface ProcessHandle {
  /** Backend and its own id, enough for another process to find it again. */
  readonly reference: { readonly executor: string; readonly id: string; readonly startedAtMs: number };
  /** Resolves when the whole tree has ended. Never rejects for what the command did. */
  readonly ended: Promise<ProcessResult>;
  /** Asks, waits the grace period, kills the tree. Idempotent. */
  cancel(): Promise<void>;
  /** Writes to standard input, where the backend has one. */
  write?(text: string): void;
}

/**
 * Where processes run. Declared here, implemented in `executors`, one file per backend.
 * What a backend says is a hint; the lease decides.
 */
export interface Executor {
  /** As steps name it. */
  readonly name: string;
  /** What it is: `local`, … */
  readonly backend: string;
  readonly capabilities: {
    readonly exitCode: boolean;
    readonly liveLogs: boolean;
    readonly sandbox: boolean;
    /** Its processes run on other machines, which take no place of this one's. */
    readonly remote: boolean;
  };
  /**
   * What one process can have at most; what is left out, it has no bound of. Where a backend is away, it throws its
   * transient error.
   */
  offer(): Promise<Resources>;
  /** Starts an attempt's process. Idempotent by attempt id. */
  submit(
    spec: ProcessSpec,
    log: (stream: "stdout" | "stderr", text: string) => void | Promise<void>,
  ): Promise<ProcessHandle>;
  /** Ends what a dead engine left behind: resolves when nothing of `reference` runs any more. */
  reap(reference: ProcessHandle["reference"]): Promise<void>;
}
