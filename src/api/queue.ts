/** Who holds what another waits for: a step run, or a whole pipeline run. */
export interface WorkHolder {
  readonly pipelineRunId: string;
  readonly pipeline: string;
  readonly stepRunId?: string | undefined;
  readonly step?: string | undefined;
  /** `node=22` for one of a matrix or an item. */
  readonly matrix?: string | undefined;
  readonly slots?: number | undefined;
  readonly sinceMs?: number | undefined;
}

/**
 * `delay`: a retry that is not due. `concurrency`, `pool`: all places are held. `pool-turn`: places are free, but one
 * before it needs more of them. `pool-gone`: its pool is not declared any more. `engine`: the next engine that has room
 * takes it. `no-engine`: none works on the project.
 */
export type WaitKind = "delay" | "concurrency" | "pool" | "pool-turn" | "pool-gone" | "engine" | "no-engine";

/** Why queued work has not begun. */
export interface WaitReason {
  readonly kind: WaitKind;
  /** The concurrency group or the pool. */
  readonly name?: string | undefined;
  /** Places that there are. */
  readonly limit?: number | undefined;
  readonly used?: number | undefined;
  /** Places that it needs. */
  readonly needs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** The first 20. */
  readonly holders: readonly WorkHolder[];
}

/** A pipeline run or a step run that waits for its turn. */
export interface QueuedWork {
  readonly pipelineRunId: string;
  readonly pipeline: string;
  readonly partition?: string | undefined;
  readonly stepRunId?: string | undefined;
  readonly step?: string | undefined;
  readonly matrix?: string | undefined;
  /** Higher comes first. */
  readonly priority: number;
  readonly queuedAtMs: number;
  readonly waitsFor: WaitReason;
}

/** What waits in a project, in the order in which it would begin: the first 200 of each, and how many there are. */
export interface WorkQueue {
  readonly runs: readonly QueuedWork[];
  readonly runCount: number;
  readonly stepRuns: readonly QueuedWork[];
  readonly stepRunCount: number;
}

/** Slots that steps of all pipelines share. */
export interface Pool {
  readonly name: string;
  readonly description?: string | undefined;
  readonly slots: number;
  /** Slots that are held. */
  readonly used: number;
  /** Step runs that are queued for it. */
  readonly waiting: number;
  /** The first 100, the longest first. */
  readonly holders: readonly WorkHolder[];
}

/** Every pool of a project, by name. */
export interface Pools {
  readonly pools: readonly Pool[];
}
