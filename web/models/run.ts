import type { PipelineRunStatus, PipelineStep, StepCounts, StepRun } from "#api";

const ORDER = [
  "cached",
  "succeeded",
  "running",
  "abandoned",
  "waiting",
  "failed",
  "skipped",
  "cancelled",
  "queued",
  "pending",
] as const;
const TONES = {
  cached: "cached",
  succeeded: "good",
  running: "running",
  abandoned: "bad",
  waiting: "waiting",
  failed: "bad",
  skipped: "idle",
  cancelled: "idle",
  queued: "rest",
  pending: "rest",
} as const;

export interface ProgressPart {
  readonly state: (typeof ORDER)[number];
  readonly tone: string;
  readonly count: number;
}

export interface StepProgress {
  /** Those that gave what they were to give, anew or reused. */
  readonly done: number;
  readonly total: number;
  /** In the order they are drawn; none is empty. */
  readonly parts: readonly ProgressPart[];
}

/** How far a pipeline run is, in step runs. */
export function stepProgress({
  steps,
  isAbandoned = false,
}: {
  readonly steps: StepCounts;
  readonly isAbandoned?: boolean | undefined;
}): StepProgress {
  const cached = steps.cached ?? 0;
  const own: Readonly<Record<string, number | undefined>> = {
    ...steps,
    cached,
    succeeded: Math.max(0, (steps.succeeded ?? 0) - cached),
    ...(isAbandoned ? { running: 0, abandoned: steps.running } : {}),
  };
  const parts = ORDER.map((state) => ({ state, tone: TONES[state], count: own[state] ?? 0 })).filter(
    ({ count }) => count > 0,
  );
  const total = parts.reduce((sum, part) => sum + part.count, 0);
  const done = parts
    .filter(({ state }) => state === "succeeded" || state === "cached")
    .reduce((sum, part) => sum + part.count, 0);
  return { done, total, parts };
}

/** True when nothing of it will happen any more by itself. */
export function isOver(status: PipelineRunStatus): boolean {
  return status === "succeeded" || status === "failed" || status === "cancelled" || status === "interrupted";
}

/** What a person may do with a pipeline run now. */
export function runActions(status: PipelineRunStatus): { readonly canCancel: boolean; readonly canResume: boolean } {
  return {
    canCancel: status === "queued" || status === "running" || status === "waiting",
    canResume: status === "failed" || status === "cancelled" || status === "interrupted",
  };
}

interface RunOutcome {
  readonly status: PipelineRunStatus;
  readonly blocked?: string | undefined;
  readonly isAbandoned?: boolean | undefined;
}

/**
 * The word for a pipeline run's outcome: `blocked` when a verdict stopped what depended on it, `abandoned` when its
 * engine is gone.
 */
export function runState({ status, blocked, isAbandoned }: RunOutcome): string {
  if (isAbandoned === true && status === "running") return "abandoned";
  return status === "succeeded" && blocked !== undefined ? "blocked" : status;
}

/** The word for a step run: one that an engine worked on which is gone does not run. */
export function stepState(stepRun: Pick<StepRun, "status">, run: Pick<RunOutcome, "isAbandoned">): string {
  return run.isAbandoned === true && stepRun.status === "running" ? "abandoned" : stepRun.status;
}

/** The word for what a step of a pipeline did last; undefined when it never ran. */
export function lastStepState({
  lastStatus,
  isAbandoned,
}: Pick<PipelineStep, "lastStatus" | "isAbandoned">): string | undefined {
  return lastStatus === undefined ? undefined : stepState({ status: lastStatus }, { isAbandoned });
}

/** The last moment at which something of a run is known to have happened. */
export function lastKnownMs(stepRuns: readonly StepRun[]): number {
  return stepRuns.reduce(
    (last, { queuedAtMs, startedAtMs, endedAtMs }) => Math.max(last, queuedAtMs ?? 0, startedAtMs ?? 0, endedAtMs ?? 0),
    0,
  );
}

export interface TimelineBar {
  readonly stepRun: StepRun;
  /** 0–1 of the whole time shown. */
  readonly queuedFrom: number;
  readonly from: number;
  readonly to: number;
}

export interface Timeline {
  readonly startMs: number;
  readonly endMs: number;
  readonly bars: readonly TimelineBar[];
}

/** Step runs on a common time axis, in the order they started; those that never started come last, without width. */
export function toTimeline(stepRuns: readonly StepRun[], nowMs: number): Timeline {
  const started = stepRuns
    .flatMap(({ queuedAtMs, startedAtMs }) => [queuedAtMs, startedAtMs])
    .filter((value) => value !== undefined);
  const startMs = started.length === 0 ? nowMs : Math.min(...started);
  const ends = stepRuns.map((stepRun) => stepRun.endedAtMs ?? (stepRun.startedAtMs === undefined ? startMs : nowMs));
  // A clock that lags behind the server's must not end the axis before what it shows.
  const endMs = Math.max(startMs + 1, ...started, ...ends);
  const share = (atMs: number): number => Math.min(1, Math.max(0, (atMs - startMs) / (endMs - startMs)));
  const bars = stepRuns.map((stepRun): TimelineBar => {
    const from = stepRun.startedAtMs ?? stepRun.endedAtMs;
    if (from === undefined) return { stepRun, queuedFrom: 1, from: 1, to: 1 };
    const to = stepRun.endedAtMs ?? nowMs;
    return {
      stepRun,
      queuedFrom: share(Math.min(stepRun.queuedAtMs ?? from, from)),
      from: share(from),
      to: share(Math.max(to, from)),
    };
  });
  bars.sort((left, right) => left.from - right.from || left.to - right.to);
  return { startMs, endMs, bars };
}

/** The last line that says something: the reason of a failure stands at the end of what a program said. */
export function lastLine(text: string): string {
  return (
    text
      .trimEnd()
      .split("\n")
      .findLast((line) => line.trim() !== "")
      ?.trim() ?? ""
  );
}
