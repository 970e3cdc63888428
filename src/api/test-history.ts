/** Tests of one step run, as its report says. */
export interface TestRun {
  readonly stepRunId: string;
  readonly pipelineRunId: string;
  readonly step: string;
  /** The combination, as `suite=server`. */
  readonly matrix?: string | undefined;
  readonly status: "pending" | "queued" | "running" | "waiting" | "succeeded" | "failed" | "skipped" | "cancelled";
  /** Of a pushed commit. */
  readonly commit?: string | undefined;
  readonly atMs: number;
  readonly durationMs?: number | undefined;
  readonly tests: number;
  readonly failed: number;
  readonly skipped: number;
  /** Failed, and are declared as unreliable. */
  readonly excused: number;
  /** Failed in an attempt before, and not in the last one. */
  readonly flaky: number;
}

/** A test that failed at least once in the runs that were looked at. */
export interface UnsteadyTest {
  readonly name: string;
  readonly step: string;
  /** Step runs in which it failed to the end. */
  readonly failed: number;
  /** Step runs in which only a further attempt passed. */
  readonly retried: number;
  /** Step runs of its step, all combinations. */
  readonly of: number;
  /** It passed where it had failed: in a further attempt, or in another run of the same commit. */
  readonly isFlaky: boolean;
  /** In the last run of its step. */
  readonly isFailing: boolean;
  readonly lastAtMs: number;
  readonly lastPipelineRunId: string;
  readonly lastStepRunId: string;
  readonly message?: string | undefined;
}

/** How the tests of a pipeline went in its last runs. */
export interface TestHistory {
  readonly pipeline: string;
  /** Pipeline runs that were looked at; fewer where they have more than 5,000 step runs with tests. */
  readonly looked: number;
  /** Oldest first. */
  readonly runs: readonly TestRun[];
  /** What fails now, then what is flaky, then by the number of failures; at most 500. */
  readonly tests: readonly UnsteadyTest[];
  readonly testCount: number;
}
