import type { z } from "zod";
import type { Digest, EsteiraError, Json, Log } from "#base";
import type { AssetKind, AssetVersion, WriteTransaction } from "#metadata-store";
import type { Partition, PartitionWrite } from "./plan/partition.ts";
import type { ProcessResult, ProcessSpec } from "./process.ts";

/** Where a step kind found something wrong: `path` leads from the step to the YAML node. */
export interface Problem {
  readonly path: readonly (string | number)[];
  /** What was found and what was expected, one sentence. */
  readonly message: string;
  /** The nearest valid name, or what to do. */
  readonly hint?: string;
  /** True: something is missed that a pipeline which cannot be read may make. */
  readonly isMissed?: true;
  /** Another file, when the mistake is in one that the step names (1-based). */
  readonly at?: { readonly file: string; readonly line: number; readonly column: number };
}

/** An asset that a step reads. */
export interface StepInput {
  readonly asset: string;
  /** The part it plays: `input`, `spine`, `features`, `model`, `champion`, … */
  readonly role: string;
  /** YAML path of the mention, for errors. Empty when it was inferred from a file's content. */
  readonly path: readonly (string | number)[];
  /** The step can start without it (a champion before the first deployment). */
  readonly optional?: boolean;
}

/** What a step kind understood of one declaration; computed before anything runs, without side effects. */
export interface StepAnalysis {
  readonly inputs: readonly StepInput[];
  /** What the step makes: its own name, unless the kind says otherwise. Empty for steps that only do. */
  readonly makes: readonly { readonly asset: string; readonly kind: AssetKind }[];
  /** Project-relative files whose content is part of the cache key (SQL, notebook, contract, requirements, scripts). */
  readonly files: readonly string[];
  /**
   * False: the step has effects outside and always runs (deploy, capture decides by what it finds: see `fingerprint`).
   * Default true.
   */
  readonly cacheable?: boolean;
  /**
   * What counts of files whose bytes change without changing what the step does (a notebook's source without its
   * outputs), by path: it is hashed in their place.
   */
  readonly counted?: Readonly<Record<string, string>>;
  /** What the kind resolved from the project beyond `files` (the views of a join); part of the recipe. */
  readonly code?: Json;
  /**
   * Anything else that belongs to the cache key and not to the recipe: the list and digests of source files a capture
   * would read, …
   */
  readonly fingerprint?: Json;
  /** The fingerprint that releases before recipes gave the same step, where it is another. */
  readonly earlierFingerprint?: Json;
  readonly problems: readonly Problem[];
}

/** What analysing sees. */
export interface AnalysisContext {
  readonly project: string;
  /** Absolute folder of `esteira.yaml`. */
  readonly projectFolder: string;
  readonly step: string;
  /** Names of all steps of the pipeline, and of assets made by other pipelines of the project. */
  readonly knownAssets: ReadonlyMap<string, AssetKind>;
  /** What the run would make; a sample while a definition is checked. Undefined where the pipeline has none. */
  readonly partition?: Partition;
  /** Reads a project file, path checked; undefined when there is none. */
  readFile(path: string): Promise<string | undefined>;
  /** Paths that match a glob below the project, sorted. */
  glob(pattern: string): Promise<readonly string[]>;
}

/** Where the content of a version can be read on this machine. */
export interface LocatedAsset {
  /** `delta/1` (a Delta table), `tree/1` (a folder of files), … */
  readonly format: string;
  /** Absolute path of the table or folder. Never write to it. */
  readonly path: string;
  /** `delta/1`: the Parquet files that hold exactly this version's rows, absolute. */
  readonly files?: readonly string[];
  /** `delta/1`: the Delta version. */
  readonly deltaVersion?: number;
  /** `delta/1`: columns with their DuckDB types. */
  readonly columns?: readonly { readonly name: string; readonly type: string }[];
}

/** What a process left for an asset of a given kind, made ready to be recorded. */
export interface PublishedOutput {
  readonly made: MadeVersion;
  /** Go into the outcome's `facts`. */
  readonly facts?: Readonly<Record<string, number>>;
  /** Goes into the outcome's `alsoWrite`. */
  readonly alsoWrite?: (transaction: WriteTransaction) => Promise<void>;
}

/**
 * How versions of one asset kind are read and written. `data` implements it for data and features, `models` for models,
 * `pipeline` itself for plain trees (code, report, notebook); `app` hands them to the engine.
 */
export interface AssetStorage {
  readonly kinds: readonly AssetKind[];
  locate(version: AssetVersion): Promise<LocatedAsset>;
  /** Takes the files below `folder` (absolute) as the new content of `asset`. */
  publish(
    output: { readonly asset: string; readonly kind: AssetKind; readonly folder: string; readonly options?: object },
    attempt: AttemptContext<unknown>,
  ): Promise<PublishedOutput>;
}

/** One attempt, as a step kind sees it. */
export interface AttemptContext<Declaration> {
  readonly declaration: Declaration;
  readonly project: string;
  /** The project's files; for kinds with a `workspace`, the attempt's own copy of them. */
  readonly projectFolder: string;
  readonly pipeline: string;
  readonly step: string;
  readonly pipelineRunId: string;
  readonly stepRunId: string;
  readonly attemptId: string;
  readonly attemptNumber: number;
  /** User that started the pipeline run; `engine` for triggers. */
  readonly actor: string;
  /** It runs code of somebody who may not write to the repository: a pull request from another one. */
  readonly isOutside?: true;
  /** Commit of the project's work tree and whether it had uncommitted changes. */
  readonly commit: { readonly id: string; readonly dirty: boolean } | undefined;
  /** Digest of the recipe of what this attempt makes, without what is installed for it. */
  readonly recipe?: Digest;
  readonly params: Readonly<Record<string, Json>>;
  /** The item of a step with `for_each`. */
  readonly item?: Json;
  /** The part of the pipeline's assets that the run makes. */
  readonly partition?: Partition;
  /** Its dataset keeps all rows but those of this partition. */
  readonly partitionWrite?: PartitionWrite;
  /** What the steps that it waits for gave: outputs, and of several step runs each one's. Made on each call. */
  stepResults(): Promise<Readonly<Record<string, Json>>>;
  /** Versions chosen for the inputs, by asset name; an optional input may be missing. */
  readonly inputs: ReadonlyMap<string, AssetVersion>;
  /** What the analysis named as `files`: project-relative, sorted. */
  readonly files: readonly string[];
  /** Private folder of this attempt, removed afterwards. */
  readonly workFolder: string;
  /** Aborts on cancel, timeout or loss of the lease. */
  readonly signal: AbortSignal;
  /** One or more lines of the step's log. */
  log(text: string, stream?: "stdout" | "stderr"): void;
  /** Progress that a person watches: `done` of `total`, with a unit (`rows`, `cells`, `files`). */
  progress(done: number, total: number | undefined, unit: string): void;
  /** Operator's log, not the step's. */
  readonly operatorLog: Log;
  /**
   * Runs a process for this attempt through the executor: output goes to the step's log, the tree ends with `signal`.
   * `environment` is added to the declared variables, `ESTEIRA_*` and `MLFLOW_TRACKING_URI`.
   * When `signal` is given and aborts, the tree ends before the attempt does (a kernel that is done).
   */
  runProcess(
    spec: Omit<ProcessSpec, "attemptId" | "environment"> & {
      readonly environment?: Readonly<Record<string, string>>;
      readonly signal?: AbortSignal;
    },
  ): Promise<ProcessResult>;
  /** Where an input's content can be read. */
  locate(version: AssetVersion): Promise<LocatedAsset>;
  /** Takes a folder of files as the content of an asset this step makes; the result goes into the outcome. */
  publish(output: {
    readonly asset: string;
    readonly kind: AssetKind;
    readonly folder: string;
    readonly options?: object;
  }): Promise<PublishedOutput>;
  /**
   * The MLflow run of this attempt, made on first call and closed with the attempt; its id is in `MLFLOW_RUN_ID` of
   * processes started afterwards.
   */
  trackingRun(): Promise<{ readonly runId: string; readonly experimentId: string }>;
  /** Base URL of the platform's HTTP server (`http://127.0.0.1:PORT`); starts one when none runs. */
  platformUrl(): Promise<string>;
}

/** A version that an attempt made; recorded in the transaction that checks its fencing token. */
export interface MadeVersion {
  readonly asset: string;
  readonly kind: AssetKind;
  readonly digest: Digest;
  readonly rowCount?: number;
  readonly sizeBytes?: number;
  readonly content: object;
  /**
   * Assets that it was made from, of the step's inputs and of what the step made before it in its list. Default: all
   * inputs.
   */
  readonly reads?: readonly string[];
  /** Versions beyond the step's inputs that it was made from. */
  readonly alsoMadeFrom?: readonly { readonly versionId: string; readonly role: string }[];
}

/** How an attempt ended. Failing is throwing: an EsteiraError keeps its kind, anything else is terminal. */
export type StepOutcome =
  | {
      readonly status: "succeeded";
      readonly made: readonly MadeVersion[];
      /** Digest of what was installed for the step's processes: part of the recipe of what it made. */
      readonly environmentLock?: Digest;
      /** What other steps read as `${{ steps.NAME.outputs.x }}`. Secrets in it are masked already. */
      readonly outputs?: Readonly<Record<string, string>> | undefined;
      /** Numbers and facts shown with the step run: rows read, published, quarantined, … */
      readonly facts?: Readonly<Record<string, Json>>;
      /**
       * The step did its work, but what depends on it must not run: a verdict that refuses. Dependents are skipped with
       * the reason.
       */
      readonly blocks?: { readonly reason: string };
      /** Written in the same transaction as the outcome, after the token was checked: rows of the kind's own tables. */
      readonly alsoWrite?: (transaction: WriteTransaction) => Promise<void>;
      /**
       * Called when the outcome is recorded, and perhaps not at all, after a crash: what others may forget now. What it
       * throws goes to the log of the engine and changes nothing.
       */
      readonly afterwards?: () => Promise<void>;
    }
  | {
      /**
       * A gate is closed: the step run waits, holding nothing, until `gate` is opened or refused; then it is tried
       * again.
       */
      readonly status: "waiting";
      readonly gate: { readonly key: string; readonly reason: string };
    }
  | {
      /** The step found that it has nothing to do: what depends on it is skipped too. */
      readonly status: "skipped";
      readonly reason: string;
    }
  | {
      /** The same as throwing the error, with what is known of the failed step run all the same. */
      readonly status: "failed";
      readonly error: EsteiraError;
      readonly facts: Readonly<Record<string, Json>>;
    };

/**
 * One kind of step: one file, one object. The key of a step's declaration that equals `name` selects the kind.
 *
 * Adding a kind touches its own file and the list in `app/step-kinds.ts`.
 */
export interface StepKind<Declaration = unknown> {
  /** `run`, `sql`, `capture`, … */
  readonly name: string;
  readonly load: "code" | "data" | "models";
  /**
   * The kind's own keys, `name` among them; the keys every step has (`needs`, `retry`, `timeout`, …) are added by
   * `pipeline`. Unknown keys are refused.
   */
  readonly schema: z.ZodType<Declaration>;
  /** Keys whose text a shell reads: values put into it by expressions are refused when a shell would interpret them. */
  readonly shellKeys?: readonly string[];
  /**
   * For kinds that run the user's own processes: they work in a copy of the project that belongs to the attempt alone,
   * which is the
   * `projectFolder` that `execute` sees. Answers the project-relative paths that the step makes in it.
   */
  workspace?(declaration: Declaration): readonly string[];
  /**
   * The analysis knows every file of the project that the kind's processes need: where results are approved by their
   * recipe, the workspace holds these and no other.
   */
  readonly isClosed?: boolean;
  /**
   * Its processes need nothing of the engine's machine but files and the platform's address: they can run on another
   * one that sees the same files.
   */
  readonly travels?: true;
  /**
   * Its steps can write one partition of their dataset and leave the rows of others. Answers whether a declaration
   * without `partition_by` would replace them all.
   */
  writesPartitions?(declaration: Readonly<Record<string, Json>>): boolean;
  /** Its processes may write outputs: `${{ steps.NAME.outputs.x }}` can be read of its steps. */
  readonly givesOutputs?: true;
  /** It reads from or writes to systems outside: runs of pull requests take what the project has in its place. */
  readonly reachesOut?: true;
  /** One line for `esteira plan` and the UI. */
  describe(declaration: Declaration): string;
  analyse(declaration: Declaration, context: AnalysisContext): Promise<StepAnalysis>;
  /**
   * One line for `esteira plan`: what a run would find and do. Only for steps whose analysis found no problem; without
   * side effects. Undefined: nothing that is not said already.
   */
  preview?(declaration: Declaration, context: AnalysisContext): Promise<string | undefined>;
  execute(attempt: AttemptContext<Declaration>): Promise<StepOutcome>;
}
