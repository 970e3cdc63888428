import type { MetadataStore, WriteTransaction } from "#metadata-store";
import {
  deleteLogChunks,
  deleteLogChunksOf,
  listLogChunks,
  listLogChunkSizes,
  listLooseLogs,
  type LogChunk,
  type LogSegment,
  type LooseLog,
  measureLooseLogs,
  putLogSegments,
} from "#metadata-store/engine";
import type { Blobs } from "#storage";
import { packLogs } from "./log-frames.ts";

/** What a blob of logs holds at most, before it is compressed. */
const BLOB_SIZE = 4 * 2 ** 20;
/** What a chunk weighs in the database beside its text, with its place in the index. */
const CHUNK_WEIGHT = 100;
const CHUNKS_AT_ONCE = 50_000;
const LOGS_AT_ONCE = 1000;
/** Loose logs that weigh less stay where they are. */
export const WORTH_SEALING: number = 4 * 2 ** 20;

/** Where logs are: what is new in the database, what is sealed in storage. */
export interface LogStorage {
  readonly store: MetadataStore;
  readonly objects: Blobs;
}

/** What a log weighs in the database. */
export function weightOf(log: { readonly chunks: number; readonly sizeBytes: number }): number {
  return log.sizeBytes + log.chunks * CHUNK_WEIGHT;
}

/** Another one was at the same log, and was faster. */
class SealedElsewhere extends Error {}

/** Chunks that are in storage, and that nothing names yet. */
export interface StoredChunks {
  readonly blob: { readonly digest: string; readonly sizeBytes: number };
  readonly segments: readonly LogSegment[];
}

/** Writes chunks to storage. Whoever dies before they are named leaves garbage, and nothing else. */
export async function storeChunks({ objects }: LogStorage, chunks: readonly LogChunk[]): Promise<StoredChunks> {
  const { bytes, segments } = await packLogs(chunks);
  return { blob: await objects.put(bytes), segments };
}

/** Names chunks in storage that the database never held. */
export async function nameChunks({ store }: LogStorage, stored: StoredChunks): Promise<void> {
  await store.write((transaction) => putLogSegments(transaction, stored));
}

/**
 * Moves chunks to storage: they are named there in the transaction in which `remove` takes them from the database.
 *
 * @param remove returns how many chunks went; when that is not all of them, nothing of it is kept
 * @returns false when another one was faster
 */
async function sealChunks(
  storage: LogStorage,
  chunks: readonly LogChunk[],
  remove: (transaction: WriteTransaction) => Promise<number>,
): Promise<boolean> {
  if (chunks.length === 0) return true;
  const stored = await storeChunks(storage, chunks);
  try {
    await storage.store.write(async (transaction) => {
      if ((await remove(transaction)) !== chunks.length) throw new SealedElsewhere();
      await putLogSegments(transaction, stored);
    });
    return true;
  } catch (error) {
    if (error instanceof SealedElsewhere) return false;
    throw error;
  }
}

/** Moves what the database holds of the log of one attempt to storage. */
export async function sealLog(
  storage: LogStorage,
  of: { readonly stepRunId: string; readonly attemptNumber: number },
): Promise<void> {
  for (;;) {
    const sizes = await storage.store.read((transaction) =>
      listLogChunkSizes(transaction, { ...of, limit: CHUNKS_AT_ONCE }),
    );
    const [first] = sizes;
    if (first === undefined) return;
    let count = 0;
    for (let size = 0; count < sizes.length && size < BLOB_SIZE; count++) size += sizes[count]?.sizeBytes ?? 0;
    const lastSequence = sizes[count - 1]?.sequence ?? first.sequence;
    const range = { attemptNumber: of.attemptNumber, firstSequence: first.sequence, lastSequence };
    const chunks = await storage.store.read((transaction) =>
      listLogChunks(transaction, { stepRunIds: [of.stepRunId], range }),
    );
    const isSealed = await sealChunks(storage, chunks, (transaction) =>
      deleteLogChunks(transaction, { stepRunId: of.stepRunId, ...range }),
    );
    if (!isSealed || count === sizes.length) return;
  }
}

/** Moves logs of step runs that have ended from the database to storage, many small ones together. */
export async function sealLooseLogs(storage: LogStorage, project: string): Promise<void> {
  let after = { stepRunId: "", attemptNumber: 0 };
  let together: LooseLog[] = [];
  let size = 0;
  const seal = async (): Promise<void> => {
    const stepRunIds = [...new Set(together.map(({ stepRunId }) => stepRunId))];
    together = [];
    size = 0;
    if (stepRunIds.length === 0) return;
    const chunks = await storage.store.readLong((transaction) => listLogChunks(transaction, { stepRunIds }));
    await sealChunks(storage, chunks, (transaction) => deleteLogChunksOf(transaction, stepRunIds));
  };
  for (;;) {
    const place = after;
    const page = await storage.store.readLong((transaction) =>
      listLooseLogs(transaction, { project, after: place, limit: LOGS_AT_ONCE }),
    );
    for (const log of page) {
      if (weightOf(log) >= BLOB_SIZE) {
        await sealLog(storage, log);
        continue;
      }
      together.push(log);
      size += weightOf(log);
      if (size >= BLOB_SIZE || together.length >= LOGS_AT_ONCE) await seal();
    }
    const last = page.at(-1);
    if (last === undefined) break;
    after = last;
  }
  await seal();
}

/** Does so when there is enough of it. */
export async function sealLooseLogsIfMany(storage: LogStorage, project: string): Promise<void> {
  const loose = await storage.store.readLong((transaction) => measureLooseLogs(transaction));
  if (weightOf(loose) >= WORTH_SEALING) await sealLooseLogs(storage, project);
}
