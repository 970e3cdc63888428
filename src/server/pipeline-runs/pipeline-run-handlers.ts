import type { LogChunk, Page, PipelineRunDetail, StepCounts, StepRun } from "#api";
import type { Platform } from "#app";
import { appendEvent, type ReadTransaction } from "#metadata-store";
import {
  findPipelineRun,
  findStepRun,
  listRunSteps,
  listStepRuns,
  type PipelineRun,
  sumOutputs,
} from "#metadata-store/engine";
import { followLog, listPipelineRuns, type LogPiece, readLog } from "#engine";
import type { ApiHandlers, StreamedEvent } from "../api/api-mounts.ts";
import { parseCursor, toPage, ULID } from "../api/paging.ts";
import { resourceMissing } from "../errors.ts";
import { toEdges, toRunSummaries, toRunSummary, toStepRuns } from "./pipeline-run-view.ts";

const STEP_RUNS_SHOWN = 1000;

type PipelineRunHandlers = Pick<
  ApiHandlers,
  | "listPipelineRuns"
  | "getPipelineRun"
  | "listStepRuns"
  | "cancelPipelineRun"
  | "resumePipelineRun"
  | "acknowledgePipelineRun"
  | "getStepRunLog"
  | "streamStepRunLog"
>;

/** Pipeline runs, their steps and logs. */
export function createPipelineRunHandlers(platform: Platform): PipelineRunHandlers {
  const { store, project, engine, clock } = platform;

  async function assertOwn(stepRunId: string): Promise<void> {
    const stepRun = await store.read((transaction) => findStepRun(transaction, stepRunId));
    if (stepRun?.project !== project) throw resourceMissing({ kind: "step run", key: stepRunId });
  }

  async function ownRun(transaction: ReadTransaction, id: string): Promise<PipelineRun> {
    const run = await findPipelineRun(transaction, id);
    if (run?.project !== project) throw resourceMissing({ kind: "pipeline run", key: id });
    return run;
  }

  return {
    listPipelineRuns: async ({ query }) => {
      const found = await listPipelineRuns(store, {
        project,
        pipeline: query.pipeline,
        status: query.status,
        before: parseCursor(query.after, ULID)?.[0],
        limit: query.limit + 1,
      });
      const shown = await store.read((transaction) => toRunSummaries(transaction, found));
      return toPage(shown, { limit: query.limit, cursor: ({ id }) => id, show: (run) => run });
    },
    getPipelineRun: async ({ params }) => {
      return store.read(async (transaction) => {
        const run = await ownRun(transaction, params.id);
        const first = await pageOfStepRuns(transaction, { pipelineRunId: run.id, limit: STEP_RUNS_SHOWN });
        const made = await sumOutputs(transaction, run.id);
        const summary = await toRunSummary(transaction, run);
        return {
          ...summary,
          params: run.params,
          stepRuns: first.items,
          stepRunCount: totalOf(summary.steps),
          nextStepRuns: first.next,
          versionsMade: made.versions,
          rowsMade: made.rows,
          edges: toEdges(await listRunSteps(transaction, run.id)),
          error:
            run.error?.message === undefined
              ? undefined
              : { code: run.error.code ?? "PIPELINE_STEP_FAILED", message: run.error.message, hint: run.error.hint },
        } satisfies PipelineRunDetail;
      });
    },
    listStepRuns: ({ params, query }) =>
      store.read(async (transaction) => {
        const { id } = await ownRun(transaction, params.id);
        if (query.stepRun === undefined) return pageOfStepRuns(transaction, { ...query, pipelineRunId: id });
        const stepRun = await findStepRun(transaction, query.stepRun);
        return { items: stepRun?.pipelineRunId === id ? await toStepRuns(transaction, [stepRun]) : [] };
      }),
    cancelPipelineRun: async ({ params, identity }) => {
      await engine.cancel(params.id, identity.name);
      return { id: params.id };
    },
    acknowledgePipelineRun: async ({ params, identity }) => {
      await store.write(async (transaction) => {
        const run = await findPipelineRun(transaction, params.id);
        if (run?.project !== project) throw resourceMissing({ kind: "pipeline run", key: params.id });
        await appendEvent(transaction, {
          atMs: clock.now(),
          project,
          type: "pipeline_run.acknowledged",
          subjectKind: "pipeline_run",
          subject: run.id,
          actor: identity.name,
        });
      });
      return { id: params.id };
    },
    resumePipelineRun: async ({ params, body, identity }) => {
      await engine.resume(params.id, { actor: identity.name, steps: body.steps, stepRuns: body.stepRuns });
      return { id: params.id };
    },
    getStepRunLog: async ({ params, query }) => {
      await assertOwn(params.id);
      const page = await readLog(platform, { stepRunId: params.id, after: query.after, limit: query.limit });
      return { items: page.pieces.map(toChunk), lastSequence: page.cursor, more: page.more, complete: page.ended };
    },
    async *streamStepRunLog({ params, query, lastEventId, signal }) {
      await assertOwn(params.id);
      for await (const piece of followLog(platform, {
        stepRunId: params.id,
        after: lastEventId ?? query.after,
        signal,
      })) {
        yield { sequence: piece.cursor, data: toChunk(piece) } satisfies StreamedEvent<LogChunk>;
      }
    },
  };
}

/** The cursor is the place in the graph: position and matrix index. */
async function pageOfStepRuns(
  transaction: ReadTransaction,
  query: {
    readonly pipelineRunId: string;
    readonly after?: string | undefined;
    readonly limit: number;
    readonly status?: StepRun["status"] | undefined;
    readonly step?: string | undefined;
  },
): Promise<Page<StepRun>> {
  const [position, matrixIndex] = query.after?.split(".").map(Number) ?? [];
  const after = position === undefined || matrixIndex === undefined ? undefined : { position, matrixIndex };
  const found = await listStepRuns(transaction, { ...query, after, limit: query.limit + 1 });
  const { items, next } = toPage(found, {
    limit: query.limit,
    cursor: (stepRun) => `${stepRun.position}.${stepRun.matrixIndex}`,
    show: (stepRun) => stepRun,
  });
  return { items: await toStepRuns(transaction, items), next };
}

function totalOf(counts: StepCounts): number {
  return Object.entries(counts).reduce((sum, [state, count]) => (state === "cached" ? sum : sum + (count ?? 0)), 0);
}

function toChunk(piece: LogPiece): LogChunk {
  return { sequence: piece.cursor, attempt: piece.attempt, atMs: piece.atMs, stream: piece.stream, text: piece.text };
}
