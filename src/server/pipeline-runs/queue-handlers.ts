import type { Pool, QueuedWork, WaitReason, WorkHolder } from "#api";
import type { Platform } from "#app";
import { explainWaits, type Holder, listPools, listQueue, type PoolState, type StepRun } from "#metadata-store/engine";
import type { ReadTransaction } from "#metadata-store";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { matrixText } from "./matrix-text.ts";

const SHOWN = 200;

/** What waits for its turn, and the pools that it waits for. */
export function createQueueHandlers({ store, project }: Platform): Pick<ApiHandlers, "listPools" | "listQueue"> {
  return {
    listPools: async () => {
      const pools = await store.read((transaction) => listPools(transaction, project));
      return { pools: pools.map(toPool) };
    },
    listQueue: async () => {
      const { runs, runCount, stepRuns, stepRunCount } = await store.read((transaction) =>
        listQueue(transaction, { project, limit: SHOWN }),
      );
      return {
        runs: runs.map(({ run, waitsFor }): QueuedWork => ({
          pipelineRunId: run.id,
          pipeline: run.pipeline,
          partition: run.partition,
          priority: run.priority,
          queuedAtMs: run.createdAtMs,
          waitsFor: toWaitReason(waitsFor),
        })),
        runCount,
        stepRuns: stepRuns.map(({ stepRun, waitsFor }): QueuedWork => ({
          pipelineRunId: stepRun.pipelineRunId,
          pipeline: stepRun.pipeline,
          stepRunId: stepRun.id,
          step: stepRun.step,
          matrix: matrixText(stepRun.matrix),
          priority: stepRun.priority,
          queuedAtMs: stepRun.queuedAtMs ?? 0,
          waitsFor: toWaitReason(waitsFor),
        })),
        stepRunCount,
      };
    },
  };
}

/** Why those of them that are queued have not begun, by id. */
export async function readWaits(
  transaction: ReadTransaction,
  stepRuns: readonly StepRun[],
): Promise<ReadonlyMap<string, WaitReason>> {
  const reasons = await explainWaits(transaction, stepRuns);
  return new Map([...reasons].map(([id, reason]) => [id, toWaitReason(reason)]));
}

function toPool({ name, description, slots, used, waiting, holders }: PoolState): Pool {
  return { name, description, slots, used, waiting, holders: holders.map(toHolder) };
}

function toWaitReason({
  holders,
  ...reason
}: Awaited<ReturnType<typeof listQueue>>["runs"][number]["waitsFor"]): WaitReason {
  return { ...reason, holders: holders.map(toHolder) };
}

function toHolder(holder: Holder & { readonly sinceMs?: number }): WorkHolder {
  const { pipelineRunId, pipeline, stepRunId, step, matrix, slots, sinceMs } = holder;
  return { pipelineRunId, pipeline, stepRunId, step, matrix: storedMatrixText(matrix), slots, sinceMs };
}

function storedMatrixText(matrix: string | undefined): string | undefined {
  return matrix === undefined ? undefined : matrixText(JSON.parse(matrix));
}
