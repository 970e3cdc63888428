import type { IsolationLevel, ProcessLimits } from "../process.ts";
import type { Resources } from "../resources.ts";
import type { AssetKind } from "#metadata-store";
import type { DeadlineDefinition } from "./deadlines.ts";
import type { PartitionColumns, PartitionsDefinition } from "./partitions.ts";
import type { RetrainingDefinition } from "./retraining.ts";
import { digestOfJson, type Digest, type Json } from "#base";

/** What happens to ticks that passed while nobody looked. */
export const MISSED_TICK_RULES = ["skip", "once", "all"] as const;
type MissedTickRule = (typeof MISSED_TICK_RULES)[number];

/** What happens to a pull request. */
export const PULL_REQUEST_ACTIONS = ["opened", "synchronize", "reopened", "closed"] as const;
export type PullRequestAction = (typeof PULL_REQUEST_ACTIONS)[number];
/** What starts a pipeline that does not say which of them. */
export const USUAL_PULL_REQUEST_ACTIONS: readonly PullRequestAction[] = ["opened", "synchronize", "reopened"];

/** A param of a pipeline: its type follows from its default unless it is stated. */
export interface ParamDefinition {
  readonly type: "string" | "number" | "boolean" | "any";
  readonly default?: Json;
  readonly choices?: readonly Json[];
  readonly description?: string;
}

export interface ScheduleDefinition {
  readonly cron: string;
  readonly timezone: string;
  readonly missed: MissedTickRule;
}

/** Something outside that is looked at again and again, and starts the pipeline when it has changed. */
export interface SensorDefinition {
  readonly everyMs: number;
  /** True: what is there at the first look starts it too. */
  readonly existing?: true;
  readonly looksAt:
    | {
        readonly kind: "file";
        readonly patterns: readonly string[];
        /** Absolute, where the files are outside the project. */
        readonly folder?: string;
        /** A file has arrived when it did not change for so long. */
        readonly settleMs: number;
      }
    | {
        readonly kind: "url";
        readonly url: string;
        readonly headers?: Readonly<Record<string, string>>;
        /** As `auth` of a capture over HTTP: names of secrets. */
        readonly auth?: Json;
      }
    | {
        readonly kind: "rows";
        readonly sql: string;
        /** A database as a capture names it: `{ postgres: … }`; missing: the project's datasets. */
        readonly from?: Json;
      };
}

/** What starts a pipeline besides a person. Patterns may hold `*`. */
export interface TriggerDefinition {
  readonly schedules: readonly ScheduleDefinition[];
  readonly data: readonly string[];
  readonly alert: readonly string[];
  readonly push: readonly string[];
  /** Branches that a pull request is to be merged into, and what of it starts the pipeline. */
  readonly pullRequest?: { readonly branches: readonly string[]; readonly types: readonly PullRequestAction[] };
  readonly webhook: readonly string[];
  readonly sensors?: readonly SensorDefinition[];
}

/** When and how often a failed attempt is followed by another. */
export interface RetryDefinition {
  /** Further attempts after the first. */
  readonly times: number;
  /** Milliseconds before each further attempt; the last one stands for all that follow. */
  readonly delaysMs: readonly number[];
  /** Factor on the last delay for each attempt beyond the list. */
  readonly backoff: number;
  /** Ratio 0–1: each delay is drawn from delay × [1 − jitter, 1 + jitter]. */
  readonly jitter: number;
  /** Error codes, `transient`, `timeout`, `exit N` or `signal NAME`; empty: any failure. */
  readonly on: readonly string[];
}

export interface ConcurrencyDefinition {
  readonly group: string;
  readonly limit: number;
  /** Each partition of the pipeline has a group of its own. */
  readonly perPartition?: true;
}

/** Where the items of a step come from: exactly one of them. Expressions are still in place. */
export interface ForEachDefinition {
  /** A list, or an expression that gives one. */
  readonly items?: Json;
  /** A text with one item a line. */
  readonly lines?: string;
  /** Globs: each file of the project is an item. */
  readonly files?: readonly string[];
}

/** More items than this fail the step that lists them. */
export const MOST_ITEMS = 10_000;

/** One step, compiled: edges inferred, durations in milliseconds, matrix expanded. Expressions are still in place. */
export interface StepDefinition {
  readonly name: string;
  readonly kind: string;
  readonly load: "code" | "data" | "models";
  /** The kind's own keys as written. */
  readonly declaration: Readonly<Record<string, Json>>;
  /** All steps that must end before it: stated and inferred. */
  readonly needs: readonly string[];
  readonly inputs: readonly { readonly asset: string; readonly role: string; readonly optional?: boolean }[];
  readonly makes: readonly { readonly asset: string; readonly kind: AssetKind }[];
  readonly params: Readonly<Record<string, Json>>;
  readonly env: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** Those of them that its processes get as files and not as variables. */
  readonly secretFiles?: readonly string[];
  /** Its processes are isolated at least so, or it does not run. */
  readonly isolation?: IsolationLevel;
  /** Its processes have no network, or reach the platform and these places alone. */
  readonly network?: false | readonly string[];
  readonly limits?: ProcessLimits;
  /** Where its processes run; default what the project says. */
  readonly executor?: string;
  /** What its processes need of the machine. */
  readonly resources?: Resources;
  readonly when?: string;
  /** It stands in `finally`: it runs after all others, whatever happened. */
  readonly finally?: true;
  readonly retry?: RetryDefinition;
  readonly timeoutMs?: number;
  /** After its pipeline run was asked for: when it has not ended by then, an alert opens. */
  readonly deadlineMs?: number;
  readonly matrix?: readonly Readonly<Record<string, Json>>[];
  /** It runs once per item, which a run lists when it gets there. */
  readonly forEach?: ForEachDefinition;
  /** How many of its combinations or items may be at work at once in one run. */
  readonly maxParallel?: number;
  /** The others end when one of them has failed for good. */
  readonly failFast?: true;
  /** Outputs that it must give. */
  readonly outputs?: readonly string[];
  readonly concurrency?: ConcurrencyDefinition;
  /** What it takes of a pool while it is at work. */
  readonly pool?: { readonly name: string; readonly slots: number };
  /** Added to that of its pipeline; 0 where it is missing. */
  readonly priority?: number;
  /** Its dataset keeps the rows of other partitions: these columns say which a row belongs to. */
  readonly partitionBy?: PartitionColumns;
  /** False: never reuse an earlier result. */
  readonly cache: boolean;
  readonly description?: string;
  /** The part that it comes from, and where that is used, from the innermost use outwards. */
  readonly from?: {
    readonly part: string;
    readonly line: number;
    /** Its name there; missing for the only step of a part. */
    readonly step?: string;
    readonly uses: readonly { readonly file: string; readonly line: number; readonly step: string }[];
  };
}

/** A pipeline, compiled from its file and pinned by digest in every pipeline run. */
export interface PipelineDefinition {
  readonly format: "pipeline/1";
  readonly name: string;
  /** Project-relative path of the YAML file. */
  readonly file: string;
  readonly description?: string;
  /** `models` when a step trains or deploys a model, else `data` when one makes data, else `code`. */
  readonly load: "code" | "data" | "models";
  readonly on: TriggerDefinition;
  readonly params: Readonly<Record<string, ParamDefinition>>;
  /** When it trains again by itself. */
  readonly retrain?: RetrainingDefinition;
  /** Each run of it makes one of these. */
  readonly partitions?: PartitionsDefinition;
  /**
   * How many pipeline runs of the group may be at work at once; default one of this pipeline, or one of each
   * partition.
   */
  readonly concurrency: ConcurrencyDefinition;
  /** Higher comes first; 0 where it is missing. */
  readonly priority?: number;
  readonly deadline?: DeadlineDefinition;
  /** In topological order. */
  readonly steps: readonly StepDefinition[];
}

/** Digest of what a run does, whatever starts it: steps and params. */
export function digestOfWork({ params, steps, retrain }: PipelineDefinition): Digest {
  const own = steps.map((step) => ({ ...step, description: undefined, from: step.from?.part }));
  return digestOfJson({ params, steps: own, retrain: retrain?.params });
}

/** Digest of what a definition means: comments, descriptions, order of keys and places in files do not count. */
export function digestOfDefinition(definition: PipelineDefinition): Digest {
  const steps = definition.steps.map((step) => ({ ...step, description: undefined, from: step.from?.part }));
  return digestOfJson({ ...definition, description: undefined, file: undefined, steps });
}
