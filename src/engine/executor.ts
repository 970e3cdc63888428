import type { ProcessResult, ProcessSpec, Resources } from "#pipeline";

/** A process of an attempt that was started and not yet seen to end. */
export interface ProcessHandle {
  /** Backend and its own id, enough for another process to find it again. */
  readonly reference: { readonly executor: string; readonly id: string; readonly startedAtMs: number };
  /** Resolves when the whole tree has ended. Never rejects for what the command did. */
  readonly ended: Promise<ProcessResult>;
  /** Asks, waits the grace period, kills the tree. Idempotent. */
  cancel(): Promise<void>;
  /** Stops following it; it goes on, and `ended` rejects. Only of executors whose processes outlive the engine. */
  leave?(): void;
}

/** A program on another machine that runs processes of an executor. */
export interface ExecutorWorker {
  readonly name: string;
  readonly host: string;
  readonly labels: readonly string[];
  /** Milliseconds since it was heard of. */
  readonly silentMs: number;
  readonly tasks: readonly { readonly attemptId: string; readonly executor: string }[];
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
  /** Where its processes reach the platform; default the engine's own address. */
  readonly platformUrl?: string;
  /**
   * Where processes go on when their engine is gone, and are found again: a second `submit` of the same attempt follows
   * the one that is there. Without it, they end with the engine.
   */
  readonly outliving?: {
    /** It has, or may have, a process of this attempt, or its result. */
    holds(attemptId: string): Promise<boolean>;
    /** Attempts of which it keeps anything. */
    list(): Promise<readonly string[]>;
  };
  /**
   * What one process can have at most; what is left out, it has no bound of. Where a backend is away, it throws its
   * transient error.
   */
  offer(): Promise<Resources>;
  /**
   * Starts an attempt's process. Idempotent by attempt id.
   *
   * @throws what is wrong with the spec. `ended` rejects with PIPELINE_PLACE_LOST when the backend lost the process
   */
  submit(
    spec: ProcessSpec,
    log: (stream: "stdout" | "stderr", text: string) => void | Promise<void>,
  ): Promise<ProcessHandle>;
  /** Programs of other machines that take its processes, where it has such. */
  workers?(): Promise<readonly ExecutorWorker[]>;
  /** Ends and forgets what there is of an attempt: resolves when nothing of `reference` runs any more. */
  reap(reference: ProcessHandle["reference"]): Promise<void>;
  /** Ends what it keeps running beside processes, where it does: it is used no more. */
  close?(): Promise<void>;
}
