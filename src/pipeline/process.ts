import type { Digest } from "#base";
import type { Resources } from "./resources.ts";

/**
 * How far a process of the user is kept from the platform, weakest first. `none`: it runs as the engine's own user and
 * can do what that can. `user`: another user of the system, without rights. `sandbox`: namespaces of its own, in which
 * it sees the system's programs, what it was given, and nothing else.
 */
export const ISOLATION_LEVELS = ["none", "user", "sandbox"] as const;
export type IsolationLevel = (typeof ISOLATION_LEVELS)[number];

/** True when a level keeps a process at least as far away as another. */
export function isAtLeast(level: IsolationLevel, floor: IsolationLevel): boolean {
  return ISOLATION_LEVELS.indexOf(level) >= ISOLATION_LEVELS.indexOf(floor);
}

/** Characters that a secret has at least: a shorter one would be found all over a log, or is not masked. */
export const SHORTEST_SECRET = 8;

/** What is asked of one process. */
export interface IsolationDemand {
  /** Refused where less can be done. */
  readonly atLeast?: IsolationLevel | undefined;
  /** What requires it, as people say it: `environment "production"`. */
  readonly requiredBy?: string | undefined;
  /** The project lets it have the machine, unless something requires more. */
  readonly exempt?: boolean | undefined;
  /** What it reaches unless its step says more or less; default all. */
  readonly network?: "all" | "platform" | undefined;
}

/** What a process and all that it starts may take of the machine; undefined: as much as there is. */
export interface ProcessLimits {
  /** Of all processes together, without what they share. */
  readonly memoryBytes?: number | undefined;
  /** At once. */
  readonly processes?: number | undefined;
  /** Open in each process. */
  readonly files?: number | undefined;
}

/** What took more than its limit. */
export interface ExceededLimit {
  readonly limit: "memory" | "processes";
  readonly found: number;
  readonly allowed: number;
}

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
  /** Secrets that it gets as files in memory, by name; `NAME_FILE` of its environment names each. */
  readonly secretFiles?: Readonly<Record<string, string>> | undefined;
  /** Values in the environment that must never appear in a log. */
  readonly secrets?: readonly string[];
  /** Ends the whole process tree after this time. */
  readonly timeoutMs?: number;
  /** SIGTERM first, SIGKILL after this time; default 5,000. */
  readonly gracePeriodMs?: number;
  /** Default: the strongest isolation there is. */
  readonly isolation?: IsolationDemand;
  readonly limits?: ProcessLimits | undefined;
  /** What it needs: it starts when that is free. */
  readonly resources?: Resources | undefined;
  /** Aborts while it waits for them: then it is not started. */
  readonly abandon?: AbortSignal;
  /**
   * `false`: a sandboxed process has no network. A list: it reaches the platform and these places (`host`, `host:port`,
   * `*.domain`), by a proxy for HTTP that its environment names. Default: it reaches everything.
   */
  readonly network?: false | readonly string[] | undefined;
  /** Absolute paths that an isolated process must see, beside its folder and the system's programs. */
  readonly readable?: readonly string[];
  /** Folders beside the working folder and the attempt's own that a sandboxed process may write. */
  readonly writable?: readonly string[];
  /** Absolute path of a file to which it may write outputs; read when it has ended well. */
  readonly outputFile?: string;
  /**
   * Absolute paths of files and folders, in the working folder or the attempt's own, that are read when it has ended:
   * what comes back from a machine that shares no files. Default: all that it changed in these two.
   */
  readonly takes?: readonly string[];
  /** Characters of its output that are logged already: it was started by an engine that is gone. */
  readonly logged?: { readonly stdout: number; readonly stderr: number };
  /**
   * It has the input and the outputs of this process, so that nothing of it is read or logged; interactive: with the
   * keys of its terminal. Only on this machine.
   */
  readonly terminal?: { readonly isInteractive: boolean };
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
  /** Why it was ended, where a limit was passed. */
  readonly exceeded?: ExceededLimit | undefined;
  /** How it was isolated. */
  readonly isolation: IsolationLevel;
  /** What it wrote to `outputFile`, secrets masked; undefined when it did not end well. */
  readonly outputs?: Readonly<Record<string, string>>;
  /** Why what it wrote there cannot be taken. */
  readonly outputsProblem?: Error;
  /** The last of its output, at most 1,000 characters. */
  readonly tail?: string;
  /** Highest resident set of the tree, where the system tells. */
  readonly peakMemoryBytes?: number;
}

/** What the packages of an environment were installed from. */
export interface WheelDigests {
  /** System, processor and Python that they are for. */
  readonly platform: string;
  /** SHA-256 by line of the lock; lines that are missing were not told. */
  readonly sha256: Readonly<Record<string, string>>;
}

/** A locked Python environment, ready to use. */
export interface PythonEnvironment {
  /** Absolute path of the interpreter itself. */
  readonly python: string;
  /** Digest of the lock: every package with its exact version. */
  readonly lockDigest: Digest;
  /** The lock, one `name==version` a line. */
  readonly lock: string;
  readonly wheels?: WheelDigests | undefined;
  /** Absolute folders that hold it and its interpreter: what an isolated process must see to use it. */
  readonly folders: readonly string[];
}
