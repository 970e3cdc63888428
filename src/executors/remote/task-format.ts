import { z } from "zod";
import { type Digest, isDigest } from "#base";
import type { ProcessResult, ProcessSpec, WheelDigests } from "#pipeline";

/** What a worker starts: a process's spec, with the paths of the engine's machine. It holds the values of secrets. */
export interface TaskSpec {
  readonly format: "task/1";
  readonly process: Omit<ProcessSpec, "onOutput" | "abandon" | "logged">;
  /** The Node of the engine: commands that name it get the worker's. */
  readonly node: string;
}

const digest = z.custom<Digest>((value) => typeof value === "string" && isDigest(value), "expected a digest");

/** One file, link or empty folder below a root; `at` is relative, with `/`. */
const entrySchema = z.strictObject({
  at: z.string().min(1).max(4096),
  digest: digest.optional(),
  sizeBytes: z.int().min(0).optional(),
  /** Content of a small file, in base64. */
  inline: z.string().optional(),
  isExecutable: z.literal(true).optional(),
  link: z.string().max(4096).optional(),
});
export type TaskEntry = z.infer<typeof entrySchema>;

/** A folder of the engine's machine that is made again on the worker's. */
export type TaskRoot =
  | { readonly kind: "work" | "input"; readonly path: string; readonly entries: readonly TaskEntry[] }
  /** A locked environment, installed there. */
  | {
      readonly kind: "python";
      readonly path: string;
      readonly lock: string;
      readonly wheels: WheelDigests | undefined;
      readonly version: string;
    }
  /** The Python package of esteira, which each has. */
  | { readonly kind: "package"; readonly path: string };

/** Everything that a task is made of but its spec. */
export interface TaskManifest {
  readonly format: "task/1";
  readonly roots: readonly TaskRoot[];
}

/** What a task left at a path that its engine reads. */
const takenSchema = z.strictObject({
  path: z.string().min(1).max(8192),
  /** The path is a file itself, the only entry. */
  isFile: z.boolean(),
  /** Everything that is there, and not only what changed. */
  isWhole: z.boolean(),
  isMissing: z.boolean(),
  entries: z.array(entrySchema),
});
export type TakenPath = z.infer<typeof takenSchema>;

const processResultSchema = z.looseObject({
  exitCode: z.int().optional(),
  signal: z.string().max(40).optional(),
  endedBy: z.enum(["itself", "timeout", "cancel"]),
  durationMs: z.number(),
  isolation: z.enum(["none", "user", "sandbox"]),
  outputs: z.record(z.string(), z.string()).optional(),
});

/** How a task ended, as its worker says. */
export const taskResultSchema = z.strictObject({
  format: z.literal("task/1"),
  result: processResultSchema.optional(),
  error: z.looseObject({ message: z.string() }).optional(),
  outputsProblem: z.looseObject({ message: z.string() }).optional(),
  logPieces: z.int().min(0),
  taken: z.array(takenSchema),
});

export interface TaskResult {
  readonly format: "task/1";
  /** Undefined when it could not be started. */
  readonly result?: Omit<ProcessResult, "outputsProblem" | "tail"> | undefined;
  readonly error?: object | undefined;
  readonly outputsProblem?: object | undefined;
  readonly logPieces: number;
  readonly taken: readonly TakenPath[];
}

export interface TaskNeeds {
  readonly cpus: number;
  readonly gpus: number;
  readonly memoryBytes: number;
  /** A worker must carry all of them. */
  readonly labels: readonly string[];
}

const offerSchema = z.strictObject({
  cpus: z.int().min(1).max(100_000),
  gpus: z.int().min(0).max(10_000),
  memoryBytes: z.number().min(0),
});
export type WorkerOffer = z.infer<typeof offerSchema>;

/** As labels are written. */
const LABEL: RegExp = /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,62}$/;
const WORKER_NAME: RegExp = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;

/** What a worker says when it comes. */
export const workerCardSchema = z.strictObject({
  name: z.string().regex(WORKER_NAME, "a worker's name holds letters, digits, _, . and -, at most 63"),
  executor: z.string().max(63).optional(),
  host: z.string().max(255),
  version: z.string().max(40),
  offer: offerSchema,
  labels: z.array(z.string().regex(LABEL)).max(50),
});
export type WorkerCard = z.infer<typeof workerCardSchema>;

/** What it says from then on, some times a minute. */
export const syncSchema = z.strictObject({
  tasks: z.array(z.strictObject({ id: z.string().max(80), token: z.int().min(1), isEnding: z.boolean() })).max(10_000),
  /** What it ended because it did not reach the server: its result is not to be waited for. */
  givenUp: z.array(z.strictObject({ id: z.string().max(80), token: z.int().min(1) })).max(10_000),
  free: z.strictObject({ cpus: z.number(), gpus: z.number(), memoryBytes: z.number() }),
  most: z.int().min(0).max(64),
  waitMs: z.int().min(0).max(30_000),
});
export type SyncRequest = z.infer<typeof syncSchema>;

/** A task with all that is needed to run it. */
export interface StartedTask {
  readonly id: string;
  readonly executor: string;
  readonly token: number;
  readonly leaseMs: number;
  readonly spec: TaskSpec;
  readonly manifest: TaskManifest;
}

export interface SyncAnswer {
  readonly tasks: readonly { readonly id: string; readonly say: "go on" | "end" | "forget" }[];
  readonly start: readonly StartedTask[];
  /** How long after the request had come the leases of what is to be started began, at the least; default 0. */
  readonly startedAfterMs?: number;
}
