import type { VersionReference } from "./asset.ts";
import type { PipelineEdge } from "./pipeline.ts";
import type { WaitReason } from "./queue.ts";
import type { ApiProblem } from "./problem.ts";

export type PipelineRunStatus = "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled" | "interrupted";
export type StepRunStatus =
  | "pending"
  | "queued"
  | "running"
  | "waiting"
  | "succeeded"
  | "failed"
  | "skipped"
  | "cancelled";

/** Why a pipeline run was started. */
export interface RunCause {
  readonly on: "manual" | "schedule" | "data" | "alert" | "push" | "pull_request" | "webhook" | "backfill" | "sensor";
  /** The dataset, alert, branch, … */
  readonly subject?: string | undefined;
  /** Id of the event behind it: asset version, alert, commit. */
  readonly cause?: string | undefined;
}

/** How many step runs are in each state; states without any are left out or 0. */
export interface StepCounts {
  readonly pending?: number | undefined;
  readonly queued?: number | undefined;
  readonly running?: number | undefined;
  readonly waiting?: number | undefined;
  readonly succeeded?: number | undefined;
  readonly failed?: number | undefined;
  readonly skipped?: number | undefined;
  readonly cancelled?: number | undefined;
  /** Among `succeeded`: those whose versions were reused. */
  readonly cached?: number | undefined;
}

export interface PipelineRunSummary {
  readonly id: string;
  readonly pipeline: string;
  readonly status: PipelineRunStatus;
  readonly trigger: RunCause;
  /** Name of the partition that it makes. */
  readonly partition?: string | undefined;
  readonly actor: string;
  readonly commit?: { readonly id: string; readonly dirty: boolean } | undefined;
  readonly queuedAtMs: number;
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
  readonly steps: StepCounts;
  /** A verdict refused: the run succeeded, but what depended on it was skipped, for this reason. */
  readonly blocked?: string | undefined;
  /** Why it failed: the step and the first line of its error. */
  readonly reason?: string | undefined;
  /** It is called running, but its engine is gone: `esteira run --resume ID` finishes it. */
  readonly isAbandoned?: boolean | undefined;
}

export interface Attempt {
  readonly id: string;
  /** 1, 2, … */
  readonly number: number;
  readonly status: "running" | "succeeded" | "failed" | "cancelled" | "lost" | "waiting";
  readonly startedAtMs: number;
  readonly endedAtMs?: number | undefined;
  readonly executor?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly signal?: string | undefined;
  readonly peakMemoryBytes?: number | undefined;
  readonly error?: ApiProblem | undefined;
}

/** One reason of a cache hit or miss. */
export interface CacheReason {
  /** What it is about: `declaration`, `file`, `input`, `param`, `environment`, `first_run`, `not_cacheable`, … */
  readonly part: string;
  readonly name?: string | undefined;
  readonly before?: string | undefined;
  readonly after?: string | undefined;
}

export interface StepRun {
  readonly id: string;
  readonly step: string;
  readonly kind: string;
  readonly status: StepRunStatus;
  /** Beside `succeeded`: earlier versions were reused. */
  readonly cached: boolean;
  /** `node=22` for a step with a matrix. */
  readonly matrix?: string | undefined;
  /** Why it was cached, skipped, blocked or cancelled: one sentence. */
  readonly reason?: string | undefined;
  readonly why?: readonly CacheReason[] | undefined;
  /** Why it is still queued. */
  readonly waitsFor?: WaitReason | undefined;
  readonly queuedAtMs?: number | undefined;
  readonly startedAtMs?: number | undefined;
  readonly endedAtMs?: number | undefined;
  readonly attempts: readonly Attempt[];
  /** Numbers and facts of the kind: rows read, published, quarantined, … JSON values. */
  readonly facts: Readonly<Record<string, unknown>>;
  readonly inputs: readonly VersionReference[];
  readonly made: readonly VersionReference[];
  /** The closed gate that a waiting step stands at. */
  readonly gate?: { readonly key: string; readonly reason: string } | undefined;
  readonly progress?: { readonly done: number; readonly total?: number | undefined; readonly unit: string } | undefined;
  readonly error?: ApiProblem | undefined;
  /** The MLflow run that the step logged to. */
  readonly trackingRun?: { readonly experimentId: string; readonly runId: string } | undefined;
}

/** Body of `POST pipeline-runs/:id/resume`: what of all that did not succeed; nothing: all of it. */
export interface RunResume {
  /** Names of steps; what waits for them goes on with them. */
  readonly steps?: readonly string[] | undefined;
  /** Ids of step runs: items of a step, or combinations of its matrix. */
  readonly stepRuns?: readonly string[] | undefined;
}

export interface PipelineRunDetail extends PipelineRunSummary {
  readonly params: Readonly<Record<string, unknown>>;
  /** In the order of the graph: the first 1,000. How many there are of each status is in `steps`. */
  readonly stepRuns: readonly StepRun[];
  readonly stepRunCount: number;
  /** There are more step runs: pass it as `after` to `/pipeline-runs/:id/step-runs`. */
  readonly nextStepRuns?: string | undefined;
  /** Versions that its steps made, those left out that were reused. */
  readonly versionsMade: number;
  /** Rows of all versions that its steps gave. */
  readonly rowsMade: number;
  readonly edges: readonly PipelineEdge[];
  readonly error?: ApiProblem | undefined;
}

/** One piece of a step's log; `text` may hold several lines and ANSI colours. */
export interface LogChunk {
  /** Ascending per step run, over all its attempts. */
  readonly sequence: number;
  readonly attempt: number;
  readonly atMs: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

export interface StepRunLog {
  readonly items: readonly LogChunk[];
  /** Highest sequence read; pass it back as `after`. */
  readonly lastSequence: number;
  /**
   * There is more to read now: ask again with `lastSequence`. A page ends by number or by size (4 MB), so its length
   * says nothing.
   */
  readonly more: boolean;
  /** True: the step run is over and there is nothing after `lastSequence`. */
  readonly complete: boolean;
}
