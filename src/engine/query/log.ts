import type { MetadataStore, ReadTransaction } from "#metadata-store";
import { findStepRun, listLogChunks, type StepRunStatus } from "#metadata-store/engine";
import { runUnknown } from "../errors.ts";

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
/** Characters after which a page ends, and pieces that are read from the store at once. */
const LARGEST_TEXT = 4 * 2 ** 20;
const PIECES_PER_READ = 100;
const ENDED: readonly StepRunStatus[] = ["succeeded", "failed", "skipped", "cancelled"];

/**
 * Reads a step's log from any place, while it runs and afterwards.
 *
 * @param query.after cursor of the last piece that is known; 0 or nothing for the beginning
 * @throws PIPELINE_RUN_UNKNOWN
 */
export async function readLog(
  store: MetadataStore,
  query: { readonly stepRunId: string; readonly after?: number; readonly limit?: number },
): Promise<LogPage> {
  const limit = Math.min(query.limit ?? 200, LARGEST_PAGE);
  const after = query.after ?? 0;
  return store.read(async (transaction) => {
    // The status is read first: whatever it says, the pieces that belong to it are there.
    const stepRun = await findStepRun(transaction, query.stepRunId);
    if (stepRun === undefined) throw runUnknown({ id: query.stepRunId });
    const { pieces, more } = await readPieces(transaction, { stepRunId: query.stepRunId, after, limit });
    return {
      pieces,
      cursor: pieces.at(-1)?.cursor ?? after,
      more,
      ended: !more && ENDED.includes(stepRun.status),
      status: stepRun.status,
    };
  });
}

async function readPieces(
  transaction: ReadTransaction,
  query: { readonly stepRunId: string; readonly after: number; readonly limit: number },
): Promise<{ readonly pieces: readonly LogPiece[]; readonly more: boolean }> {
  const pieces: LogPiece[] = [];
  let after = query.after;
  let more = true;
  for (let size = 0; more && pieces.length < query.limit && size < LARGEST_TEXT;) {
    const wanted = Math.min(query.limit - pieces.length, PIECES_PER_READ);
    const place =
      after === 0
        ? undefined
        : { attemptNumber: Math.floor(after / CHUNKS_PER_ATTEMPT), sequence: (after % CHUNKS_PER_ATTEMPT) - 1 };
    const chunks = await listLogChunks(transaction, { stepRunId: query.stepRunId, after: place, limit: wanted + 1 });
    more = chunks.length > wanted;
    for (const { attemptNumber, sequence, stream, text, atMs } of chunks.slice(0, wanted)) {
      after = attemptNumber * CHUNKS_PER_ATTEMPT + sequence + 1;
      size += text.length;
      pieces.push({ cursor: after, attempt: attemptNumber, stream, text, atMs });
    }
  }
  return { pieces, more };
}

/** Yields the pieces of a step's log as they come, and ends with the step run or with `signal`. */
export async function* followLog(
  store: MetadataStore,
  query: { readonly stepRunId: string; readonly after?: number; readonly signal?: AbortSignal },
): AsyncGenerator<LogPiece> {
  let wake: (() => void) | undefined;
  let dirty = true;
  const onChange = (): void => {
    dirty = true;
    wake?.();
  };
  const unsubscribe = store.onChange(onChange);
  query.signal?.addEventListener("abort", onChange);
  try {
    for (let after = query.after ?? 0; query.signal?.aborted !== true;) {
      dirty = false;
      const page = await readLog(store, { stepRunId: query.stepRunId, after, limit: LARGEST_PAGE });
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
