import type { Json } from "#base";
import type { ExpressionScope } from "../expression.ts";
import type { JobPlan, JobResult } from "../job-plan.ts";
import { hashFiles } from "./hash-files.ts";
import type { Output } from "./output.ts";
import type { RunningStep } from "./step-process.ts";

export type Status = "success" | "failure" | "cancelled";
type Outcome = JobResult["steps"][number]["outcome"];

/** What a step says of itself to those behind it. */
export interface StepRecord {
  readonly outputs: Readonly<Record<string, string>>;
  readonly outcome: Outcome;
  readonly conclusion: Outcome;
}

/** One list of steps that see each other: those of the job, or those of a composite action. */
export interface Frame {
  readonly steps: Record<string, StepRecord>;
  status: Status;
  /** Of a composite action. */
  readonly inputs?: Readonly<Record<string, Json>>;
  readonly actionPath?: string;
  readonly depth: number;
}

/** What a step left to be done at the end of the job. */
export interface Post {
  readonly name: string;
  readonly condition: string;
  readonly frame: Frame;
  run(): Promise<void>;
}

/** The job, while it runs. */
export interface JobState {
  readonly plan: JobPlan;
  readonly output: Output;
  /** Of the job and what steps added for those behind them. */
  readonly env: Record<string, string>;
  /** What a process has before anything is declared: PATH, HOME, … */
  readonly base: Readonly<Record<string, string>>;
  readonly path: string[];
  readonly secrets: Readonly<Record<string, string>>;
  readonly github: Record<string, Json>;
  readonly services: Record<string, Json>;
  readonly posts: Post[];
  readonly artifacts: { name: string; files: number }[];
  readonly caches: { key: string; version: string }[];
  readonly annotations: JobResult["annotations"];
  summary: string;
  coverage: number | undefined;
  /** Ends processes: aborts when the job is cancelled or out of time; what cleans up then has one of its own. */
  signal: AbortSignal;
  /** Aborts when the job is cancelled or out of time, and stays so. */
  readonly cancelled: AbortSignal;
  /** In the environment of every process of the job, so that none is left behind. */
  readonly trackingId: string;
  counter: number;
  /** Composite actions run steps of their own. */
  readonly runStep: (running: RunningStep) => Promise<unknown>;
}

const RUNNER_ARCHITECTURES: Readonly<Record<string, string>> = { x64: "X64", arm64: "ARM64", arm: "ARM", ia32: "X86" };

export function runnerContext({ plan }: JobState): Readonly<Record<string, Json>> {
  return {
    os: "Linux",
    arch: RUNNER_ARCHITECTURES[process.arch] ?? process.arch,
    name: "esteira",
    environment: "self-hosted",
    temp: plan.folders.temporary,
    tool_cache: plan.folders.tools,
    workspace: plan.folders.workspace,
    debug: "",
  };
}

/** What the expressions of a step see. */
export function scopeOf(job: JobState, frame: Frame, env: Readonly<Record<string, string>> = {}): ExpressionScope {
  const { contexts } = job.plan;
  const isCancelled = (): boolean => job.cancelled.aborted;
  return {
    contexts: {
      ...contexts,
      github: { ...job.github, ...(frame.actionPath === undefined ? {} : { action_path: frame.actionPath }) },
      env: { ...job.env, ...env },
      secrets: frame.depth > 0 ? {} : job.secrets,
      job: { status: isCancelled() ? "cancelled" : frame.status, services: job.services, container: {} },
      runner: runnerContext(job),
      steps: Object.fromEntries(
        Object.entries(frame.steps).map(([id, { outputs, outcome, conclusion }]) => [
          id,
          { outputs, outcome, conclusion },
        ]),
      ),
      inputs: frame.inputs ?? contexts.inputs,
    },
    functions: {
      success: () => !isCancelled() && frame.status === "success",
      failure: () => !isCancelled() && frame.status === "failure",
      cancelled: isCancelled,
      always: () => true,
      hashFiles: (...patterns) => hashFiles(job.plan.folders.workspace, patterns.map(String)),
    },
  };
}
