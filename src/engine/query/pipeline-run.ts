import type { MetadataStore } from "#metadata-store";
import {
  type Attempt,
  countStepRuns,
  explainWaits,
  findPipelineRun,
  findStepRun,
  getPipelineDefinition,
  listAllStepRuns,
  listAttempts,
  listPipelineRuns as listRuns,
  listPipelines as listRegistered,
  listRunSteps,
  listSchedules,
  listStepAssets,
  type PipelineRun,
  type PipelineRunStatus,
  type PipelineSummary,
  type StepRun,
  type StepRunStatus,
  type WaitReason,
} from "#metadata-store/engine";
import { type PipelineDefinition, nextTicks, pipelineUnknown } from "#pipeline";
import { runUnknown } from "../errors.ts";

/** A pipeline run with its graph. */
export interface PipelineRunDetail {
  readonly run: PipelineRun;
  readonly counts: Readonly<Partial<Record<StepRunStatus, number>>>;
  /** Nodes with what depends on them, in the order of the graph. */
  readonly steps: readonly {
    readonly step: string;
    readonly kind: string;
    readonly dependents: readonly string[];
    readonly outcome: string | undefined;
    readonly reason: string | undefined;
  }[];
  /** In the order of the graph. */
  readonly stepRuns: readonly StepRun[];
}

/** A step run with its attempts and versions. */
export interface StepRunDetail {
  readonly stepRun: StepRun;
  readonly attempts: readonly Attempt[];
  readonly inputs: Awaited<ReturnType<typeof listStepAssets>>["inputs"];
  readonly outputs: Awaited<ReturnType<typeof listStepAssets>>["outputs"];
  /** Why a queued step run has not begun. */
  readonly waitsFor: WaitReason | undefined;
}

/** Pipeline runs, newest first; `before` is the id of the last one of the page before. At most 1,000, default 50. */
export async function listPipelineRuns(
  store: MetadataStore,
  query: {
    readonly project: string;
    readonly pipeline?: string | undefined;
    readonly status?: PipelineRunStatus | undefined;
    readonly before?: string | undefined;
    readonly limit?: number | undefined;
  },
): Promise<readonly PipelineRun[]> {
  return store.read((transaction) => listRuns(transaction, query));
}

/** One pipeline run with its step runs. @throws PIPELINE_RUN_UNKNOWN */
export async function getPipelineRun(store: MetadataStore, id: string): Promise<PipelineRunDetail> {
  return store.read(async (transaction) => {
    const run = await findPipelineRun(transaction, id);
    if (run === undefined) throw runUnknown({ id });
    return {
      run,
      counts: await countStepRuns(transaction, id),
      steps: await listRunSteps(transaction, id),
      stepRuns: await listAllStepRuns(transaction, id),
    };
  });
}

/** One step run with its attempts, what it read and what it made. @throws PIPELINE_RUN_UNKNOWN */
export async function getStepRun(store: MetadataStore, id: string): Promise<StepRunDetail> {
  return store.read(async (transaction) => {
    const stepRun = await findStepRun(transaction, id);
    if (stepRun === undefined) throw runUnknown({ id });
    return {
      stepRun,
      attempts: await listAttempts(transaction, id),
      ...(await listStepAssets(transaction, id)),
      waitsFor: (await explainWaits(transaction, [stepRun])).get(id),
    };
  });
}

/** Registered pipelines by name, each with its newest run and next scheduled times (epoch milliseconds). */
export async function listPipelines(
  store: MetadataStore,
  query: {
    readonly project: string;
    readonly after?: string | undefined;
    readonly limit?: number | undefined;
    readonly nowMs: number;
  },
): Promise<readonly (PipelineSummary & { readonly nextTimesMs: readonly number[] })[]> {
  return store.read(async (transaction) => {
    const pipelines = await listRegistered(transaction, query);
    const schedules = await listSchedules(transaction, { project: query.project, limit: 1000 });
    return pipelines.map((pipeline) => ({
      ...pipeline,
      nextTimesMs: nextTimesOf(
        schedules.filter((schedule) => schedule.pipeline === pipeline.name),
        query.nowMs,
        1,
      ),
    }));
  });
}

/** A registered pipeline: its definition as the next run will use it, its runs and its next times. */
export interface PipelineDetail {
  readonly digest: string;
  readonly definition: PipelineDefinition;
  readonly nextTimesMs: readonly number[];
  readonly lastRun: PipelineRun | undefined;
}

/** @throws PIPELINE_UNKNOWN */
export async function getPipeline(
  store: MetadataStore,
  query: { readonly project: string; readonly pipeline: string; readonly nowMs: number; readonly times?: number },
): Promise<PipelineDetail> {
  return store.read(async (transaction) => {
    const stored = await getPipelineDefinition(transaction, query);
    if (stored === undefined) {
      const known = await listRegistered(transaction, { project: query.project });
      throw pipelineUnknown({ pipeline: query.pipeline, pipelines: known.map((pipeline) => pipeline.name) });
    }
    const [lastRun] = await listRuns(transaction, { project: query.project, pipeline: query.pipeline, limit: 1 });
    const schedules = await listSchedules(transaction, { project: query.project, pipeline: query.pipeline });
    return {
      digest: stored.digest,
      definition: JSON.parse(stored.content) as PipelineDefinition,
      nextTimesMs: nextTimesOf(schedules, query.nowMs, query.times ?? 5),
      lastRun,
    };
  });
}

function nextTimesOf(
  schedules: readonly { readonly cron: string; readonly timezone: string }[],
  nowMs: number,
  count: number,
): readonly number[] {
  return schedules
    .flatMap((schedule) => nextTicks(schedule, nowMs, count))
    .sort((left, right) => left - right)
    .slice(0, count);
}
