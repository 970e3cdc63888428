import type { Load, PipelineDetail, PipelineEdge, PipelineStep, PipelineSummary, Trigger } from "#api";
import type { Platform } from "#app";
import type { ReadTransaction } from "#metadata-store";
import { getPipelineDefinition, listLatestStepRuns, listPauses } from "#metadata-store/engine";
import { findAbandonedRuns, getPipeline, listPipelineRuns, listPipelines, readTestHistory } from "#engine";
import { describeSensor, nextTicks, type PipelineDefinition } from "#pipeline";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { toPage } from "../api/paging.ts";
import { projectNotOpen } from "../errors.ts";
import { toPause } from "./schedule-handlers.ts";
import { matrixText } from "../pipeline-runs/matrix-text.ts";
import { toRunSummaries } from "../pipeline-runs/pipeline-run-view.ts";

const RECENT_RUNS = 20;
const MOST_TESTS = 500;
const NEXT_TIMES = 5;

/** Pipelines with their graphs and triggers. */
export function createPipelineHandlers(
  platform: Platform,
): Pick<ApiHandlers, "listPipelines" | "getPipeline" | "getTestHistory" | "createPipelineRun"> {
  const { store, project, clock, engine } = platform;
  return {
    listPipelines: async ({ query }) => {
      const found = await listPipelines(store, {
        project,
        after: query.after,
        limit: query.limit + 1,
        nowMs: clock.now(),
      });
      const shown = await Promise.all(
        found.map(async ({ name }) => {
          const stored = await store.read((transaction) =>
            getPipelineDefinition(transaction, { project, pipeline: name }),
          );
          return summarize(platform, JSON.parse(stored?.content ?? "{}") as PipelineDefinition);
        }),
      );
      return toPage(shown, { limit: query.limit, cursor: ({ name }) => name, show: (pipeline) => pipeline });
    },
    getPipeline: async ({ params }) => {
      const { definition } = await getPipeline(store, {
        project,
        pipeline: params.name,
        nowMs: clock.now(),
        times: NEXT_TIMES,
      });
      const own = new Set(definition.steps.flatMap((step) => [step.name, ...step.makes.map(({ asset }) => asset)]));
      return {
        ...(await summarize(platform, definition)),
        steps: await store.read((transaction) => toSteps(transaction, project, definition)),
        edges: toEdges(definition),
        externalAssets: definition.steps.flatMap((step) =>
          step.inputs
            .filter(({ asset }) => !own.has(asset))
            .map(({ asset }) => ({ asset, readBy: step.name, pipeline: platform.producerOf(asset)?.pipeline })),
        ),
        ...(definition.partitions === undefined ? {} : { hasPartitions: true }),
        params: Object.entries(definition.params).map(([name, param]) => ({ name, default: param.default })),
      } satisfies PipelineDetail;
    },
    getTestHistory: async ({ params, query }) => {
      await getPipeline(store, { project, pipeline: params.name, nowMs: clock.now() });
      const { runs, tests, looked } = await readTestHistory(store, {
        project,
        pipeline: params.name,
        runs: query.runs,
      });
      return {
        pipeline: params.name,
        looked,
        runs: runs.map((run) => ({ ...run, matrix: matrixText(run.matrix) })),
        tests: tests.slice(0, MOST_TESTS),
        testCount: tests.length,
      };
    },
    createPipelineRun: async ({ params, body, identity }) => {
      if (!platform.isProject) throw projectNotOpen({ what: "Running a pipeline" });
      await platform.registerProject(identity.name);
      const { params: given, from, only, partition, priority } = body;
      return {
        id: await engine.submit({
          pipeline: params.name,
          actor: identity.name,
          ...(given === undefined ? {} : { params: given }),
          ...(from === undefined ? {} : { from }),
          ...(only === undefined ? {} : { only }),
          ...(partition === undefined ? {} : { partition }),
          ...(priority === undefined ? {} : { priority }),
        }),
      };
    },
  };
}

async function summarize(
  { store, project, clock }: Platform,
  definition: PipelineDefinition,
): Promise<PipelineSummary> {
  const recent = await listPipelineRuns(store, { project, pipeline: definition.name, limit: RECENT_RUNS });
  const triggers = toTriggers(definition, clock.now());
  const paused = (await store.read((transaction) => listPauses(transaction, project))).get(definition.name);
  const nextTimes = triggers.flatMap(({ nextAtMs }) => nextAtMs ?? []);
  const summaries = await store.read((transaction) => toRunSummaries(transaction, recent));
  return {
    name: definition.name,
    description: definition.description,
    file: definition.file,
    loads: [...new Set(definition.steps.map(({ load }) => load))] satisfies Load[],
    stepCount: definition.steps.length,
    triggers,
    nextAtMs: nextTimes.length === 0 || paused !== undefined ? undefined : Math.min(...nextTimes),
    paused: toPause(paused),
    lastRun: summaries[0],
    recentRuns: summaries.toReversed().map((run) => ({
      id: run.id,
      status: run.status,
      startedAtMs: run.startedAtMs,
      durationMs:
        run.startedAtMs === undefined || run.endedAtMs === undefined ? undefined : run.endedAtMs - run.startedAtMs,
      isAbandoned: run.isAbandoned,
    })),
  };
}

function toTriggers({ on }: PipelineDefinition, nowMs: number): readonly Trigger[] {
  return [
    ...on.schedules.map((schedule) => ({
      on: "schedule" as const,
      cron: schedule.cron,
      timezone: schedule.timezone,
      nextAtMs: nextTicks(schedule, nowMs, NEXT_TIMES),
    })),
    ...(on.sensors ?? []).map((sensor) => ({ on: "sensor" as const, subject: describeSensor(sensor) })),
    ...(["data", "alert", "push", "webhook"] as const).flatMap((kind) =>
      on[kind].map((subject) => ({ on: kind, subject })),
    ),
    ...(on.pullRequest?.branches ?? []).map((subject) => ({ on: "pull_request" as const, subject })),
  ];
}

async function toSteps(
  transaction: ReadTransaction,
  project: string,
  { name, steps }: PipelineDefinition,
): Promise<readonly PipelineStep[]> {
  const latest = await listLatestStepRuns(transaction, {
    project,
    pipeline: name,
    steps: steps.map((step) => step.name),
  });
  const working = new Set(
    [...latest.values()].flatMap(({ status, pipelineRunId }) => (status === "running" ? [pipelineRunId] : [])),
  );
  const abandoned = await findAbandonedRuns(
    transaction,
    [...working].map((id) => ({ id, project, status: "running" })),
  );
  return steps.map((step) => {
    const last = latest.get(step.name);
    return {
      name: step.name,
      kind: step.kind,
      load: step.load,
      description: step.description,
      makes: step.makes,
      reads: step.inputs.map(({ asset }) => asset),
      hasMatrix: step.matrix !== undefined,
      when: step.when,
      isFinal: step.finally,
      from: step.from,
      lastStatus: last?.status,
      lastCached: last?.cached,
      isAbandoned: last?.status === "running" && abandoned.has(last.pipelineRunId) ? true : undefined,
      lastStepRunId: last?.id,
      lastAtMs: last?.finishedAtMs ?? last?.startedAtMs,
    };
  });
}

/** Edges with the asset that flows along them, when one does. */
function toEdges({ steps }: PipelineDefinition): readonly PipelineEdge[] {
  const makes = new Map(steps.map((step) => [step.name, new Set(step.makes.map(({ asset }) => asset))]));
  return steps.flatMap((step) =>
    step.needs.map((needed) => ({
      from: needed,
      to: step.name,
      asset: step.inputs.find(({ asset }) => makes.get(needed)?.has(asset) === true)?.asset,
    })),
  );
}
