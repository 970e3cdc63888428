import { sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { LogChunk } from "./log-chunk.ts";

/** A part of the log of one attempt in storage: chunks without a gap, in one frame of a blob. */
export interface LogSegment {
  readonly stepRunId: string;
  readonly attemptNumber: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Bytes of the frame within its blob; logs of several step runs may share one. */
  readonly startByte: number;
  readonly sizeBytes: number;
  /** Code points of each stream. */
  readonly stdoutCharacters: number;
  readonly stderrCharacters: number;
}

/** A segment and where it is. */
export type StoredLogSegment = Pick<
  LogSegment,
  "stepRunId" | "attemptNumber" | "firstSequence" | "lastSequence" | "startByte" | "sizeBytes"
> & { readonly digest: string };

/** The next part of a log: a chunk that is still in the database, or a segment. */
export type LogPart = LogChunk | StoredLogSegment;

export interface LogPlace {
  readonly attemptNumber: number;
  readonly sequence: number;
}

const SEGMENTS_PER_INSERT = 500;
/** Bits of a digest that make the number of its blob: whole numbers of a double. */
const HEX_OF_ID = 13;

/** Names a blob with its segments. Again is harmless. */
export async function putLogSegments(
  transaction: WriteTransaction,
  facts: {
    readonly blob: { readonly digest: string; readonly sizeBytes: number };
    readonly segments: readonly LogSegment[];
  },
): Promise<void> {
  const { blob, segments } = facts;
  const id = Number.parseInt(blob.digest.slice("sha256:".length, "sha256:".length + HEX_OF_ID), 16);
  await transaction
    .insertInto("log_blob")
    .values({ id, digest: blob.digest, size_bytes: blob.sizeBytes })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const known = await transaction.selectFrom("log_blob").select("digest").where("id", "=", id).executeTakeFirst();
  if (known?.digest !== blob.digest) throw new Error(`two blobs of logs have the number ${id}`);
  for (let start = 0; start < segments.length; start += SEGMENTS_PER_INSERT)
    await transaction
      .insertInto("log_segment")
      .values(
        segments.slice(start, start + SEGMENTS_PER_INSERT).map((segment) => ({
          step_run_id: segment.stepRunId,
          attempt_number: segment.attemptNumber,
          first_sequence: segment.firstSequence,
          last_sequence: segment.lastSequence,
          blob_id: id,
          start_byte: segment.startByte,
          size_bytes: segment.sizeBytes,
          stdout_characters: segment.stdoutCharacters,
          stderr_characters: segment.stderrCharacters,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  const { held } = await transaction
    .selectFrom("log_segment")
    .select((select) => select.fn.countAll<number | string>().as("held"))
    .where("blob_id", "=", id)
    .executeTakeFirstOrThrow();
  // Written twice is harmless; something else at the same place is not taken for it.
  if (Number(held) !== segments.length) throw new Error(`a segment of blob ${blob.digest} stands in another's place`);
}

/** Chunks of one attempt between two places, both included. */
export interface LogRange {
  readonly stepRunId: string;
  readonly attemptNumber: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** Removes chunks of a range; @returns how many there were */
export async function deleteLogChunks(transaction: WriteTransaction, range: LogRange): Promise<number> {
  const { numDeletedRows } = await transaction
    .deleteFrom("log_chunk")
    .where("step_run_id", "=", range.stepRunId)
    .where("attempt_number", "=", range.attemptNumber)
    .where("sequence", ">=", range.firstSequence)
    .where("sequence", "<=", range.lastSequence)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/** Removes all chunks of step runs; @returns how many there were */
export async function deleteLogChunksOf(transaction: WriteTransaction, stepRunIds: readonly string[]): Promise<number> {
  const { numDeletedRows } = await transaction
    .deleteFrom("log_chunk")
    .where("step_run_id", "in", stepRunIds)
    .executeTakeFirstOrThrow();
  return Number(numDeletedRows);
}

/**
 * Parts of a step run's log in order, from the one that holds what follows a place. One statement: what is sealed
 * meanwhile is seen as chunks or as a segment, never as neither.
 */
export async function listLogParts(
  transaction: ReadTransaction,
  query: { readonly stepRunId: string; readonly after?: LogPlace | undefined; readonly limit: number },
): Promise<readonly LogPart[]> {
  const { stepRunId, limit } = query;
  const after = query.after ?? { attemptNumber: -1, sequence: -1 };
  const isAfter = (attempt: string, sequence: string) =>
    sql`(${sql.ref(attempt)}, ${sql.ref(sequence)}) > (${after.attemptNumber}, ${after.sequence})`;
  const { rows } = await sql<{
    attempt: number;
    first: number;
    last: number;
    stream: "stdout" | "stderr" | null;
    text: string | null;
    at_ms: number | null;
    digest: string | null;
    start_byte: number | null;
    size_bytes: number | null;
  }>`
    select c.attempt_number as attempt, c.sequence as first, c.sequence as last, c.stream as stream, c.text as text,
      c.at_ms as at_ms, null as digest, null as start_byte, null as size_bytes
    from (
      select * from log_chunk where step_run_id = ${stepRunId} and ${isAfter("attempt_number", "sequence")}
      order by attempt_number, sequence limit ${limit}
    ) c
    union all
    select g.attempt_number, g.first_sequence, g.last_sequence, null, null, null, b.digest, g.start_byte, g.size_bytes
    from (
      select * from log_segment where step_run_id = ${stepRunId} and ${isAfter("attempt_number", "last_sequence")}
      order by attempt_number, first_sequence limit ${limit}
    ) g join log_blob b on b.id = g.blob_id
    order by 1, 2 limit ${limit}`.execute(transaction);
  return rows.map((row): LogPart => {
    const place = { stepRunId, attemptNumber: Number(row.attempt) };
    return row.stream !== null
      ? { ...place, sequence: Number(row.first), stream: row.stream, text: row.text ?? "", atMs: Number(row.at_ms) }
      : {
          ...place,
          firstSequence: Number(row.first),
          lastSequence: Number(row.last),
          digest: row.digest ?? "",
          startByte: Number(row.start_byte),
          sizeBytes: Number(row.size_bytes),
        };
  });
}

/** What is kept of the log of one attempt: characters (code points) of each stream, and the next place. */
export async function measureLog(
  transaction: ReadTransaction,
  of: { readonly stepRunId: string; readonly attemptNumber: number },
): Promise<{ readonly next: number; readonly stdout: number; readonly stderr: number }> {
  const { rows } = await sql<{ last: number | null; stdout: number | null; stderr: number | null }>`
    select max(last) as last, sum(stdout) as stdout, sum(stderr) as stderr from (
      select sequence as last, case stream when 'stdout' then length(text) else 0 end as stdout,
        case stream when 'stderr' then length(text) else 0 end as stderr
      from log_chunk where step_run_id = ${of.stepRunId} and attempt_number = ${of.attemptNumber}
      union all
      select last_sequence, stdout_characters, stderr_characters
      from log_segment where step_run_id = ${of.stepRunId} and attempt_number = ${of.attemptNumber}
    ) parts`.execute(transaction);
  const [row] = rows;
  return { next: Number(row?.last ?? -1) + 1, stdout: Number(row?.stdout ?? 0), stderr: Number(row?.stderr ?? 0) };
}

/** The log of one attempt, as far as the database holds it. */
export interface LooseLog {
  readonly stepRunId: string;
  readonly attemptNumber: number;
  readonly chunks: number;
  readonly sizeBytes: number;
}

/** Logs of step runs that have ended and whose chunks are still in the database, by step run and attempt. */
export async function listLooseLogs(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly after: { readonly stepRunId: string; readonly attemptNumber: number };
    readonly limit: number;
  },
): Promise<readonly LooseLog[]> {
  const { rows } = await sql<{ id: string; attempt: number; chunks: number; size: number }>`
    select c.step_run_id as id, c.attempt_number as attempt, count(*) as chunks, sum(octet_length(c.text)) as size
    from log_chunk c join step_run s on s.id = c.step_run_id
    where s.project = ${query.project} and s.status in ('succeeded', 'failed', 'cancelled')
      and (c.step_run_id, c.attempt_number) > (${query.after.stepRunId}, ${query.after.attemptNumber})
    group by c.step_run_id, c.attempt_number order by 1, 2 limit ${query.limit}`.execute(transaction);
  return rows.map((row) => ({
    stepRunId: row.id,
    attemptNumber: Number(row.attempt),
    chunks: Number(row.chunks),
    sizeBytes: Number(row.size),
  }));
}

/** How much of all logs the database holds. */
export async function measureLooseLogs(
  transaction: ReadTransaction,
): Promise<{ readonly chunks: number; readonly sizeBytes: number }> {
  const { rows } = await sql<{ chunks: number; size: number | null }>`
    select count(*) as chunks, sum(octet_length(text)) as size from log_chunk`.execute(transaction);
  return { chunks: Number(rows[0]?.chunks ?? 0), sizeBytes: Number(rows[0]?.size ?? 0) };
}

/** Numbers and sizes of the chunks of one attempt that the database holds, in order. */
export async function listLogChunkSizes(
  transaction: ReadTransaction,
  of: { readonly stepRunId: string; readonly attemptNumber: number; readonly limit: number },
): Promise<readonly { readonly sequence: number; readonly sizeBytes: number }[]> {
  const { rows } = await sql<{ sequence: number; size: number }>`
    select sequence, octet_length(text) as size from log_chunk
    where step_run_id = ${of.stepRunId} and attempt_number = ${of.attemptNumber}
    order by sequence limit ${of.limit}`.execute(transaction);
  return rows.map((row) => ({ sequence: Number(row.sequence), sizeBytes: Number(row.size) }));
}
