import {
  findStepRun,
  listLogParts,
  type LogChunk,
  type LogPart,
  type LogPlace,
  type StepRunStatus,
} from "#metadata-store/engine";
import { runUnknown } from "../errors.ts";
import { readSegment } from "../log-frames.ts";
import type { LogStorage } from "../seal-log.ts";

/** A piece of a step's log. `cursor` grows through all attempts of the step run: give the last one to read on. */
export interface LogPiece {
  readonly cursor: number;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
  readonly atMs: number;
}

export interface LogPage {
  readonly pieces: readonly LogPiece[];
  /** Where to read on. */
  readonly cursor: number;
  /** There is more behind `cursor` now. A page says nothing of it by its length: it ends by number or by size. */
  readonly more: boolean;
  /** Nothing will follow: the step run has ended and this page holds its last piece. */
  readonly ended: boolean;
  readonly status: StepRunStatus;
}

const CHUNKS_PER_ATTEMPT = 1_000_000_000;
const LARGEST_PAGE = 5000;
/** Characters after which a page ends, and parts that are read from the store at once. */
const LARGEST_TEXT = 4 * 2 ** 20;
const PARTS_PER_READ = 100;
const ENDED: readonly StepRunStatus[] = ["succeeded", "failed", "skipped", "cancelled"];

/**
 * Reads a step's log from any place, while it runs and afterwards: what is sealed from storage, the end from the
 * database. What lies before the place is not read, but for the beginning of its frame.
 *
 * @param query.after cursor of the last piece that is known; 0 or nothing for the beginning
 * @throws PIPELINE_RUN_UNKNOWN, PIPELINE_LOG_MALFORMED, STORAGE_OBJECT_MISSING, STORAGE_OBJECT_DAMAGED
 */
export async function readLog(
  storage: LogStorage,
  query: { readonly stepRunId: string; readonly after?: number; readonly limit?: number },
): Promise<LogPage> {
  const limit = Math.min(query.limit ?? 200, LARGEST_PAGE);
  const after = query.after ?? 0;
  // The status is read first: whatever it says, the pieces that belong to it are there.
  const stepRun = await storage.store.read((transaction) => findStepRun(transaction, query.stepRunId));
  if (stepRun === undefined) throw runUnknown({ id: query.stepRunId });
  const { pieces, more } = await readPieces(storage, { stepRunId: query.stepRunId, after, limit });
  return {
    pieces,
    cursor: pieces.at(-1)?.cursor ?? after,
    more,
    ended: !more && ENDED.includes(stepRun.status),
    status: stepRun.status,
  };
}

async function readPieces(
  storage: LogStorage,
  query: { readonly stepRunId: string; readonly after: number; readonly limit: number },
): Promise<{ readonly pieces: readonly LogPiece[]; readonly more: boolean }> {
  const pieces: LogPiece[] = [];
  let after = query.after;
  let size = 0;
  for (let more = true; more;) {
    const wanted = Math.min(query.limit - pieces.length, PARTS_PER_READ);
    const parts = await storage.store.read((transaction) =>
      listLogParts(transaction, { stepRunId: query.stepRunId, after: placeOf(after), limit: wanted + 1 }),
    );
    more = parts.length > wanted;
    for (const part of parts.slice(0, wanted))
      for (const { attemptNumber, sequence, stream, text, atMs } of await chunksOf(storage, part)) {
        const cursor = attemptNumber * CHUNKS_PER_ATTEMPT + sequence + 1;
        // Two engines that took each other for gone may have kept it twice.
        if (cursor <= after) continue;
        if (pieces.length >= query.limit || size >= LARGEST_TEXT) return { pieces, more: true };
        after = cursor;
        size += text.length;
        pieces.push({ cursor, attempt: attemptNumber, stream, text, atMs });
      }
    if (pieces.length >= query.limit || size >= LARGEST_TEXT) return { pieces, more };
  }
  return { pieces, more: false };
}

function placeOf(cursor: number): LogPlace | undefined {
  if (cursor === 0) return undefined;
  return { attemptNumber: Math.floor(cursor / CHUNKS_PER_ATTEMPT), sequence: (cursor % CHUNKS_PER_ATTEMPT) - 1 };
}

async function chunksOf({ objects }: LogStorage, part: LogPart): Promise<readonly LogChunk[]> {
  return "digest" in part ? readSegment(objects, part) : [part];
}

/** Yields the pieces of a step's log as they come, and ends with the step run or with `signal`. */
export async function* followLog(
  storage: LogStorage,
  query: { readonly stepRunId: string; readonly after?: number; readonly signal?: AbortSignal },
): AsyncGenerator<LogPiece> {
  let wake: (() => void) | undefined;
  let dirty = true;
  const onChange = (): void => {
    dirty = true;
    wake?.();
  };
  const unsubscribe = storage.store.onChange(onChange);
  query.signal?.addEventListener("abort", onChange);
  try {
    for (let after = query.after ?? 0; query.signal?.aborted !== true;) {
      dirty = false;
      const page = await readLog(storage, { stepRunId: query.stepRunId, after, limit: LARGEST_PAGE });
      yield* page.pieces;
      after = page.cursor;
      if (page.ended) return;
      if (!dirty && !page.more) await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    unsubscribe();
    query.signal?.removeEventListener("abort", onChange);
  }
}
