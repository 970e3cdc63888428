import { isEsteiraError } from "#base";
import type { ReadTransaction, WriteTransaction } from "#metadata-store";
import {
  appendBackfillEvent,
  type Backfill,
  type BackfillPartitionStatus,
  countBackfillPartitions,
  findBackfill,
  listBackfillPartitions,
  listRunsOfBackfill,
  lockBackfill,
  moveBackfillPartitions,
  type PipelineRunStatus,
  setBackfillPartition,
  setBackfillStatus,
} from "#metadata-store/engine";
import { enqueuePipeline } from "./trigger.ts";
import type { EngineParts } from "./engine-parts.ts";

/** What a run that has ended means for its partition. One that is interrupted goes on. */
const ENDS: Readonly<Partial<Record<PipelineRunStatus, BackfillPartitionStatus>>> = {
  succeeded: "succeeded",
  failed: "failed",
  cancelled: "cancelled",
};

/**
 * Brings a backfill up to date with its runs, and begins as many more as it may have at once. Any number of engines may
 * call it at any time, and one that was killed half-way has done nothing: all of it is one transaction.
 */
export async function advanceBackfill(parts: Pick<EngineParts, "store" | "clock" | "log">, id: string): Promise<void> {
  if (!(await parts.store.read((transaction) => hasWork(transaction, id)))) return;
  await parts.store.write(async (transaction) => {
    const backfill = await lockBackfill(transaction, id);
    if (backfill === undefined) return;
    const atMs = parts.clock.now();
    for (const { position, status } of await listRunsOfBackfill(transaction, id)) {
      const end = ENDS[status];
      if (end !== undefined) await setBackfillPartition(transaction, { backfillId: id, position, status: end });
    }
    if (backfill.status !== "running") return;
    const counts = (await countBackfillPartitions(transaction, [id])).get(id);
    if (backfill.failFast && (counts?.failed ?? 0) > 0)
      await moveBackfillPartitions(transaction, { backfillId: id, from: ["pending"], to: "cancelled" });
    else
      await beginNext(transaction, backfill, {
        count: backfill.maxParallel - (counts?.running ?? 0),
        atMs,
        log: parts.log,
      });
    await endWhenDone(transaction, backfill, atMs);
  });
}

/** A cheap question before a write: each write wakes everybody who waits for changes. */
async function hasWork(transaction: ReadTransaction, id: string): Promise<boolean> {
  const backfill = await findBackfill(transaction, id);
  if (backfill === undefined) return false;
  const runs = await listRunsOfBackfill(transaction, id);
  if (runs.some(({ status }) => ENDS[status] !== undefined)) return true;
  if (backfill.status !== "running") return false;
  const counts = (await countBackfillPartitions(transaction, [id])).get(id);
  const { pending = 0, failed = 0 } = counts ?? {};
  if (pending === 0) return runs.length === 0;
  return (backfill.failFast && failed > 0) || runs.length < backfill.maxParallel;
}

async function beginNext(
  transaction: WriteTransaction,
  backfill: Backfill,
  { count, atMs, log }: { readonly count: number; readonly atMs: number; readonly log: EngineParts["log"] },
): Promise<void> {
  if (count <= 0) return;
  const next = await listBackfillPartitions(transaction, { backfillId: backfill.id, status: "pending", limit: count });
  for (const { position, partition } of next) {
    const pipelineRunId = await enqueue(transaction, backfill, { partition, atMs, log });
    await setBackfillPartition(transaction, {
      backfillId: backfill.id,
      position,
      ...(pipelineRunId === undefined ? { status: "failed" } : { status: "running", pipelineRunId }),
    });
  }
}

/** Undefined when the pipeline is no longer such that the partition could be run. */
async function enqueue(
  transaction: WriteTransaction,
  { id, project, pipeline, params, actor }: Backfill,
  { partition, atMs, log }: { readonly partition: string; readonly atMs: number; readonly log: EngineParts["log"] },
): Promise<string | undefined> {
  try {
    return await enqueuePipeline(transaction, pipeline, {
      project,
      params,
      partition,
      trigger: { kind: "backfill", subject: id },
      actor,
      atMs,
    });
  } catch (error) {
    // A database that failed says nothing about the partition.
    if (!isEsteiraError(error) || !error.code.startsWith("PIPELINE_")) throw error;
    log.warn("a partition of a backfill cannot be run", { backfill: id, pipeline, partition, error: error.message });
    return undefined;
  }
}

async function endWhenDone(transaction: WriteTransaction, backfill: Backfill, atMs: number): Promise<void> {
  const { id } = backfill;
  const counts = (await countBackfillPartitions(transaction, [id])).get(id);
  if (counts === undefined || counts.pending + counts.running > 0) return;
  const status = counts.failed + counts.cancelled > 0 ? "failed" : "succeeded";
  await setBackfillStatus(transaction, { id, status, finishedAtMs: atMs });
  await appendBackfillEvent(transaction, backfill, { what: status, actor: "engine", atMs });
}
