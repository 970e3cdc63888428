import type { ReadTransaction, WriteTransaction } from "../database.ts";

/** A piece of a step's log; `sequence` counts from 0 within one attempt. */
export interface LogChunk {
  readonly stepRunId: string;
  readonly attemptNumber: number;
  readonly sequence: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly atMs: number;
}

const CHUNKS_PER_INSERT = 500;

/** Keeps chunks; one that is already there stays as it is, so that sending twice is harmless. */
export async function appendLogChunks(transaction: WriteTransaction, chunks: readonly LogChunk[]): Promise<void> {
  for (let start = 0; start < chunks.length; start += CHUNKS_PER_INSERT) {
    await transaction
      .insertInto("log_chunk")
      .values(
        chunks.slice(start, start + CHUNKS_PER_INSERT).map((chunk) => ({
          step_run_id: chunk.stepRunId,
          attempt_number: chunk.attemptNumber,
          sequence: chunk.sequence,
          stream: chunk.stream,
          text: chunk.text,
          at_ms: chunk.atMs,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Chunks of step runs in order; with a range, of one attempt from its first to its last. */
export async function listLogChunks(
  transaction: ReadTransaction,
  query: {
    readonly stepRunIds: readonly string[];
    readonly range?: {
      readonly attemptNumber: number;
      readonly firstSequence: number;
      readonly lastSequence: number;
    };
  },
): Promise<readonly LogChunk[]> {
  const { range } = query;
  let select = transaction.selectFrom("log_chunk").selectAll().where("step_run_id", "in", query.stepRunIds);
  if (range !== undefined)
    select = select
      .where("attempt_number", "=", range.attemptNumber)
      .where("sequence", ">=", range.firstSequence)
      .where("sequence", "<=", range.lastSequence);
  const rows = await select.orderBy("step_run_id").orderBy("attempt_number").orderBy("sequence").execute();
  return rows.map((row) => ({
    stepRunId: row.step_run_id,
    attemptNumber: row.attempt_number,
    sequence: row.sequence,
    stream: row.stream,
    text: row.text,
    atMs: row.at_ms,
  }));
}
