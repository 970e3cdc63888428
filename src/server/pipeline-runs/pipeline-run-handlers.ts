import type { LogChunk, PipelineRunDetail } from "#api";
import type { Platform } from "#app";
import { findStepRun } from "#metadata-store";
import { followLog, getPipelineRun, listPipelineRuns, type LogPiece, readLog } from "#pipeline";
import type { ApiHandlers, StreamedEvent } from "../api/mount-api.ts";
import { toPage } from "../api/paging.ts";
import { resourceMissing } from "../errors.ts";
import { toEdges, toRunSummary, toStepRun } from "./pipeline-run-view.ts";

type PipelineRunHandlers = Pick<ApiHandlers, "listPipelineRuns" | "getPipelineRun" | "cancelPipelineRun" | "resumePipelineRun" | "getStepRunLog" | "streamStepRunLog">;

/** Pipeline runs, their steps and logs. */
export function createPipelineRunHandlers(platform: Platform): PipelineRunHandlers {
  const { store, project, engine } = platform;

  async function assertOwn(stepRunId: string): Promise<void> {
    const stepRun = await store.read((transaction) => findStepRun(transaction, stepRunId));
    if (stepRun?.project !== project) throw resourceMissing({ kind: "step run", key: stepRunId });
  }

  return {
    listPipelineRuns: async ({ query }) => {
      const found = await listPipelineRuns(store, { project, pipeline: query.pipeline, status: query.status, before: query.after, limit: query.limit + 1 });
      const shown = await store.read((transaction) => Promise.all(found.map((run) => toRunSummary(transaction, run))));
      return toPage(shown, { limit: query.limit, cursor: ({ id }) => id, show: (run) => run });
    },
    getPipelineRun: async ({ params }) => {
      const { run, steps, stepRuns } = await getPipelineRun(store, params.id);
      if (run.project !== project) throw resourceMissing({ kind: "pipeline run", key: params.id });
      return store.read(async (transaction) => ({
        ...(await toRunSummary(transaction, run)),
        params: run.params,
        stepRuns: await Promise.all(stepRuns.map((stepRun) => toStepRun(transaction, stepRun))),
        edges: toEdges(steps),
        error: run.error?.message === undefined ? undefined : { code: run.error.code ?? "PIPELINE_STEP_FAILED", message: run.error.message, hint: run.error.hint },
      })) satisfies Promise<PipelineRunDetail>;
    },
    cancelPipelineRun: async ({ params, identity }) => {
      await engine.cancel(params.id, identity.name);
      return { id: params.id };
    },
    resumePipelineRun: async ({ params, identity }) => {
      await engine.resume(params.id, { actor: identity.name });
      return { id: params.id };
    },
    getStepRunLog: async ({ params, query }) => {
      await assertOwn(params.id);
      const page = await readLog(store, { stepRunId: params.id, after: query.after, limit: query.limit });
      return { items: page.pieces.map(toChunk), lastSequence: page.cursor, more: page.more, complete: page.ended };
    },
    async *streamStepRunLog({ params, query, lastEventId, signal }) {
      await assertOwn(params.id);
      for await (const piece of followLog(store, { stepRunId: params.id, after: lastEventId ?? query.after, signal })) {
        yield { sequence: piece.cursor, data: toChunk(piece) } satisfies StreamedEvent<LogChunk>;
      }
    },
  };
}

function toChunk(piece: LogPiece): LogChunk {
  return { sequence: piece.cursor, attempt: piece.attempt, atMs: piece.atMs, stream: piece.stream, text: piece.text };
}
