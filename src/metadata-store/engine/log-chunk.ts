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

/** Chunks of a step run in order, after the given place. */
export async function listLogChunks(
  transaction: ReadTransaction,
  query: {
    readonly stepRunId: string;
    readonly after?: { readonly attemptNumber: number; readonly sequence: number } | undefined;
    readonly limit: number;
  },
): Promise<readonly LogChunk[]> {
  const { after } = query;
  let select = transaction.selectFrom("log_chunk").selectAll().where("step_run_id", "=", query.stepRunId);
  if (after !== undefined) {
    select = select.where((is) =>
      is.or([
        is("attempt_number", ">", after.attemptNumber),
        is.and([is("attempt_number", "=", after.attemptNumber), is("sequence", ">", after.sequence)]),
      ]),
    );
  }
  const rows = await select.orderBy("attempt_number").orderBy("sequence").limit(query.limit).execute();
  return rows.map((row) => ({
    stepRunId: row.step_run_id,
    attemptNumber: row.attempt_number,
    sequence: row.sequence,
    stream: row.stream,
    text: row.text,
    atMs: row.at_ms,
  }));
}

/** What is kept of the log of one attempt: characters (code points) of each stream, and the next place. */
export async function measureLog(
  transaction: ReadTransaction,
  of: { readonly stepRunId: string; readonly attemptNumber: number },
): Promise<{ readonly next: number; readonly stdout: number; readonly stderr: number }> {
  const rows = await transaction
    .selectFrom("log_chunk")
    .select((select) => [
      "stream",
      select.fn.max<number>("sequence").as("last"),
      select.fn.sum<number | string>(select.fn<number>("length", ["text"])).as("characters"),
    ])
    .where("step_run_id", "=", of.stepRunId)
    .where("attempt_number", "=", of.attemptNumber)
    .groupBy("stream")
    .execute();
  const charactersOf = (stream: string): number => Number(rows.find((row) => row.stream === stream)?.characters ?? 0);
  return {
    next: Math.max(-1, ...rows.map(({ last }) => Number(last))) + 1,
    stdout: charactersOf("stdout"),
    stderr: charactersOf("stderr"),
  };
}
