import type { ApiProblem } from "./problem.ts";
import type { ApiAssetKind } from "./asset.ts";
import type { PipelineRunStatus, PipelineRunSummary, StepRunStatus } from "./pipeline-run.ts";

/** What a step carries on the belt. */
export type Load = "code" | "data" | "models";

/** Since when no schedule and no sensor starts a pipeline. */
export interface PipelinePause {
  readonly pausedAtMs: number;
  readonly actor: string;
  readonly reason?: string | undefined;
}

/** Body of `POST pipelines/:name/pause`. */
export interface NewPause {
  /** For whoever wonders. */
  readonly reason?: string | undefined;
}

/** Something outside that is looked at again and again. */
export interface SensorState {
  /** What it looks at. */
  readonly subject: string;
  readonly everyMs: number;
  readonly nextAtMs: number;
  /** The last look; missing before the first. */
  readonly checkedAtMs?: number | undefined;
  /** The last event, with the run that it started. */
  readonly firedAtMs?: number | undefined;
  readonly pipelineRunId?: string | undefined;
  /** Runs that it has started. */
  readonly fireCount: number;
  /** Why the last look failed, and since when looks do. */
  readonly problem?: ApiProblem | undefined;
  readonly failingSinceMs?: number | undefined;
}

/** What starts a pipeline by itself, by time or by a look outside. */
export interface PipelineSchedule {
  readonly pipeline: string;
  readonly paused?: PipelinePause | undefined;
  readonly schedules: readonly {
    readonly cron: string;
    readonly timezone: string;
    readonly nextAtMs?: number | undefined;
    readonly lastAtMs?: number | undefined;
  }[];
  readonly sensors: readonly SensorState[];
}

/** Every pipeline with a schedule, a sensor or a pause. */
export interface PipelineSchedules {
  readonly pipelines: readonly PipelineSchedule[];
}

/** So much within any period of this length. */
export interface RetrainingLimit {
  /** Runs, or milliseconds of their steps. */
  readonly amount: number;
  readonly periodMs: number;
  /** What of it is used now. */
  readonly used: number;
}

/** What keeps a pipeline from training again. */
export interface RetrainingReason {
  readonly kind: "running" | "nothing_new" | "at_most" | "budget";
  /** The run that is under way. */
  readonly pipelineRunId?: string | undefined;
  /** When it holds no more. */
  readonly untilMs?: number | undefined;
  /** Versions of data that were read last. */
  readonly since?: readonly { readonly asset: string; readonly version: number }[] | undefined;
}

/** What asked for a retraining. */
export interface RetrainingCause {
  readonly on: string;
  /** The alert's monitor, the dataset, or the schedule. */
  readonly subject: string;
  readonly atMs: number;
}

/** What was decided when something asked for a retraining. */
export interface RetrainingDecision {
  readonly decided: "started" | "waited" | "skipped" | "withdrawn";
  readonly atMs: number;
  readonly causes: readonly RetrainingCause[];
  readonly reasons: readonly RetrainingReason[];
  /** `started` only. */
  readonly pipelineRunId?: string | undefined;
  /** `started` only: models that the run gave, and whether it made them or had them already. */
  readonly models?:
    | readonly { readonly asset: string; readonly version: number; readonly isNew: boolean }[]
    | undefined;
  /** `withdrawn` only. */
  readonly why?: "alerts_closed" | "trained" | undefined;
}

/** A pipeline's policy for training again, and how it stands. */
export interface RetrainingPolicy {
  readonly pipeline: string;
  readonly atMost?: RetrainingLimit | undefined;
  readonly budget?: RetrainingLimit | undefined;
  /** Params of the runs that it starts, in place of their defaults. */
  readonly params: Readonly<Record<string, unknown>>;
  /** What would keep it from training now; empty: it may. */
  readonly reasons: readonly RetrainingReason[];
  /** When limits hold no more; missing while none does. */
  readonly nextAtMs?: number | undefined;
  readonly waiting: readonly RetrainingCause[];
  /** Newest first, at most 20. */
  readonly decisions: readonly RetrainingDecision[];
}

/** Every pipeline with a policy for training again. */
export interface RetrainingPolicies {
  readonly pipelines: readonly RetrainingPolicy[];
}

/** Something that starts a pipeline by itself. */
export interface Trigger {
  readonly on: "schedule" | "data" | "alert" | "push" | "pull_request" | "webhook" | "sensor";
  /** Dataset, alert pattern, branch, webhook name, or what a sensor looks at. */
  readonly subject?: string | undefined;
  /** `schedule` only: five or six fields. */
  readonly cron?: string | undefined;
  /** `schedule` only: IANA name. */
  readonly timezone?: string | undefined;
  /** `schedule` only: the next times, ascending, at most 5. */
  readonly nextAtMs?: readonly number[] | undefined;
}

export interface RecentRun {
  readonly id: string;
  readonly status: PipelineRunStatus;
  readonly startedAtMs?: number | undefined;
  readonly durationMs?: number | undefined;
  /** It is called running, but its engine is gone. */
  readonly isAbandoned?: boolean | undefined;
}

export interface PipelineSummary {
  readonly name: string;
  readonly description?: string | undefined;
  /** Project-relative path of its YAML file. */
  readonly file?: string | undefined;
  readonly loads: readonly Load[];
  readonly stepCount: number;
  readonly triggers: readonly Trigger[];
  readonly nextAtMs?: number | undefined;
  /** No schedule and no sensor starts it meanwhile. */
  readonly paused?: PipelinePause | undefined;
  readonly lastRun?: PipelineRunSummary | undefined;
  /** Newest last, at most 20. */
  readonly recentRuns: readonly RecentRun[];
}

/** The part that a step comes from. */
export interface PartOrigin {
  /** Project-relative path of its file. */
  readonly part: string;
  readonly line: number;
  /** Its name there; missing for the only step of a part. */
  readonly step?: string | undefined;
  /** Where the part is used, from the innermost use outwards. */
  readonly uses: readonly { readonly file: string; readonly line: number; readonly step: string }[];
}

export interface PipelineStep {
  readonly name: string;
  /** Name of the step kind: `sql`, `notebook`, `deploy`, … */
  readonly kind: string;
  readonly load: Load;
  readonly description?: string | undefined;
  readonly makes: readonly { readonly asset: string; readonly kind: ApiAssetKind }[];
  /** Names of assets it reads. */
  readonly reads: readonly string[];
  readonly hasMatrix: boolean;
  /** Its condition, as written. */
  readonly when?: string | undefined;
  /** It stands in `finally`: it runs after all others, whatever happened. */
  readonly isFinal?: boolean | undefined;
  readonly from?: PartOrigin | undefined;
  readonly lastStatus?: StepRunStatus | undefined;
  readonly lastCached?: boolean | undefined;
  /** It is called running, but its engine is gone. */
  readonly isAbandoned?: boolean | undefined;
  readonly lastStepRunId?: string | undefined;
  readonly lastAtMs?: number | undefined;
}

/** Between two steps of one pipeline. */
export interface PipelineEdge {
  readonly from: string;
  readonly to: string;
  /** The asset that flows, or nothing for plain order. */
  readonly asset?: string | undefined;
}

export interface PipelineParam {
  readonly name: string;
  /** JSON value. */
  readonly default?: unknown;
}

export interface PipelineDetail extends PipelineSummary {
  readonly steps: readonly PipelineStep[];
  readonly edges: readonly PipelineEdge[];
  /** Assets read that steps of other pipelines make. */
  readonly externalAssets: readonly {
    readonly asset: string;
    readonly readBy: string;
    readonly pipeline?: string | undefined;
  }[];
  readonly params: readonly PipelineParam[];
  /** It makes its assets by partitions. */
  readonly hasPartitions?: boolean | undefined;
  /** The YAML text as it was registered. */
  readonly definition?: string | undefined;
}

/** Body of `POST pipelines/:name/runs`. */
export interface NewPipelineRun {
  readonly params?: Readonly<Record<string, unknown>> | undefined;
  /**
   * Start here: this step runs again; what comes before is reused, and what follows when its inputs come out unchanged.
   */
  readonly from?: string | undefined;
  /** Run this step alone, again. */
  readonly only?: string | undefined;
  /** The partition to make, by name; needed for a pipeline that has some. */
  readonly partition?: string | undefined;
  /** Instead of the pipeline's, -1000 to 1000: of what waits, the higher begins first. */
  readonly priority?: number | undefined;
}
