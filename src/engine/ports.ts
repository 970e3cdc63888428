import type { AssetVersion, WriteTransaction } from "#metadata-store";
import type { Late, LeaseKeeper } from "#metadata-store/engine";
import type { Json } from "#base";
import type { IsolationDemand, PipelineDefinition, ProcessLimits, Sensing } from "#pipeline";

/** An MLflow run that belongs to one attempt. */
export interface TrackingRun {
  readonly runId: string;
  readonly experimentId: string;
  /** Closes the run with the attempt. */
  finish(status: "FINISHED" | "FAILED" | "KILLED"): Promise<void>;
}

/** What the engine needs from layers above it. */
export interface EnginePorts {
  /** Base URL of the platform's HTTP server; starts one when none runs. */
  readonly platformUrl: () => Promise<string>;
  /** Makes the MLflow run of an attempt. */
  readonly openTrackingRun: (facts: {
    readonly project: string;
    readonly pipeline: string;
    readonly step: string;
    readonly pipelineRunId: string;
    readonly stepRunId: string;
    readonly attemptId: string;
    readonly actor: string;
    readonly params: Readonly<Record<string, Json>>;
    readonly inputs: ReadonlyMap<string, AssetVersion>;
    readonly commit: { readonly id: string; readonly dirty: boolean } | undefined;
  }) => Promise<TrackingRun>;
  /** The MLflow run that an attempt has already, of an engine that is gone. */
  readonly keptTrackingRun?: (runId: string) => TrackingRun;
  /** Ends the MLflow run that a dead engine's attempt had opened, which would stay RUNNING for ever. */
  readonly killTrackingRun: (
    transaction: WriteTransaction,
    attempt: { readonly attemptId: string; readonly atMs: number },
  ) => Promise<void>;
  /** A token for the processes of a running attempt, refused as soon as that is no longer current. */
  readonly attemptToken: (attempt: { readonly attemptId: string; readonly token: number }) => Promise<string>;
  /**
   * Fills `folder` (absolute, not there yet) with the project's files for one attempt. Without it, processes work in
   * the project's own folder.
   *
   * @param made project-relative paths that the step makes itself
   * @param only project-relative files, when it must hold no others
   * @returns absolute paths beside it that its processes must see
   */
  readonly createWorkspace?: (request: {
    readonly projectFolder: string;
    readonly folder: string;
    readonly made: readonly string[];
    readonly only?: readonly string[];
  }) => Promise<readonly string[]>;
  /** Results are approved by their recipe somewhere: steps of closed kinds see the files of their recipe alone. */
  readonly closedWorkspaces?: boolean;
  /** Commit of a work tree; undefined when it is not under git. */
  readonly commit: (folder: string) => Promise<{ readonly id: string; readonly dirty: boolean } | undefined>;
  /** What processes may take where their step does not say it. */
  readonly limits?: ProcessLimits;
  /** Where steps run that do not say it; default the first executor. */
  readonly defaultExecutor?: string | undefined;
  /** How the processes of a step must be isolated; undefined: as well as can be. */
  readonly isolationOf?: (pipeline: PipelineDefinition, step: string) => IsolationDemand | undefined;
  /** Prolongs the leases of an engine beside its event loop; without it, the engine does so alone. */
  readonly keepLeases?: (engine: { readonly engineId: string; readonly leaseMs: number }) => LeaseKeeper;
  /** The values of a column of a dataset, each once, in order, at most so many: keys of partitions. */
  readonly listKeys?: (of: {
    readonly dataset: string;
    readonly column: string;
    readonly most: number;
  }) => Promise<readonly string[]>;
  /** Looks at what sensors watch; without it, none does. */
  readonly sensing?: Sensing;
  /** Opens the alert of a breach of a deadline; undefined when that is known already. */
  readonly openLate?: (
    transaction: WriteTransaction,
    late: Late & { readonly message: string; readonly atMs: number },
  ) => Promise<{ readonly id: string; readonly monitor: string } | undefined>;
  /** Closes it: what was late has ended. */
  readonly closeLate?: (
    transaction: WriteTransaction,
    late: Late & { readonly reason: string; readonly atMs: number },
  ) => Promise<void>;
  /** Remembers which pipeline runs the alert started. */
  readonly linkLate?: (
    transaction: WriteTransaction,
    alert: string,
    pipelineRunIds: readonly string[],
  ) => Promise<void>;
  /** Value of a secret by name; undefined when it is not set. */
  readonly resolveSecret: (name: string) => Promise<string | undefined>;
}
