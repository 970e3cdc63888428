import type { Digest } from "#base";

/** What to start for one attempt. */
export interface ProcessSpec {
  /** Attempt id: a second submit with the same id returns the same handle. */
  readonly attemptId: string;
  /** Program and arguments, or a shell line. */
  readonly command: readonly [string, ...string[]] | { readonly shell: string };
  /** Absolute working folder. */
  readonly workingFolder: string;
  /** Everything the process sees: nothing of the engine's own environment is passed on. */
  readonly environment: Readonly<Record<string, string>>;
  /** Values in the environment that must never appear in a log. */
  readonly secrets?: readonly string[];
  /** Ends the whole process tree after this time. */
  readonly timeoutMs?: number;
  /** SIGTERM first, SIGKILL after this time; default 5,000. */
  readonly gracePeriodMs?: number;
  /** Require a sandbox; refused where there is none. */
  readonly sandbox?: boolean;
  /** What requires one although the step does not ask for it, as people say it: `environment "production"`. */
  readonly sandboxRequiredBy?: string;
  /** `false`: a sandboxed process has no network. Default: it reaches the platform, and so everything. */
  readonly network?: boolean;
  /** Folders that a sandboxed process must see wherever they lie; the system's are seen anyway, but for /tmp. */
  readonly readable?: readonly string[];
  /** Folders beside the working folder and the attempt's own that a sandboxed process may write. */
  readonly writable?: readonly string[];
  /** Extra channels (kernels): called with each log line instead of logging, when given. */
  readonly onOutput?: (stream: "stdout" | "stderr", text: string) => void;
}

export interface ProcessResult {
  readonly exitCode: number | undefined;
  /** The signal that ended it, as a name; never 128 + n. */
  readonly signal: string | undefined;
  /** Why we ended it, if we did. */
  readonly endedBy: "itself" | "timeout" | "cancel";
  readonly durationMs: number;
  /** The last of its output, at most 1,000 characters. */
  readonly tail?: string;
  /** Highest resident set of the tree, where the system tells. */
  readonly peakMemoryBytes?: number;
}

/** A locked Python environment, ready to use. */
export interface PythonEnvironment {
  /** Absolute path of the interpreter itself. */
  readonly python: string;
  /** Digest of the lock: every package with its exact version. */
  readonly lockDigest: Digest;
  /** The lock, one `name==version` a line. */
  readonly lock: string;
}
