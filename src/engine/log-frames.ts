import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompress } from "node:zlib";
import { isDigest } from "#base";
import type { LogChunk, LogSegment, StoredLogSegment } from "#metadata-store/engine";
import type { Blobs } from "#storage";
import { logMalformed } from "./errors.ts";

const FORM = "log/1";
/** Characters of a frame, the least that is read of a log; a chunk more may be in it. */
const FRAME_SIZE = 512 * 1024;
/** What a frame may come to when it is opened: no more is written. */
const LARGEST_FRAME = 64 * 2 ** 20;
const STREAMS = ["stdout", "stderr"] as const;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Chunks of one attempt without a gap: pieces are stream, ms since the piece before (or 1970), bytes. */
interface FramedLog {
  readonly stepRun: string;
  readonly attempt: number;
  readonly first: number;
  readonly pieces: (readonly [stream: 0 | 1, sinceMs: number, sizeBytes: number])[];
}

/** What a blob of logs holds: its bytes, and where in it each segment is. */
export interface PackedLogs {
  readonly bytes: Buffer;
  readonly segments: readonly LogSegment[];
}

/**
 * Packs chunks into frames. A frame is a line of JSON that tells what follows, then the text as UTF-8, compressed
 * together; it holds logs of as many step runs as fit.
 *
 * @param chunks in the order of step run, attempt, sequence
 */
export async function packLogs(chunks: readonly LogChunk[]): Promise<PackedLogs> {
  const frames: Buffer[] = [];
  const segments: LogSegment[] = [];
  let startByte = 0;
  for (let start = 0; start < chunks.length;) {
    let end = start;
    for (let size = 0; end < chunks.length && size < FRAME_SIZE; end++) size += chunks[end]?.text.length ?? 0;
    const { frame, held } = await packFrame(chunks.slice(start, end));
    for (const each of held) segments.push({ ...each, startByte, sizeBytes: frame.length });
    frames.push(frame);
    startByte += frame.length;
    start = end;
  }
  return { bytes: Buffer.concat(frames), segments };
}

type Held = Omit<LogSegment, "startByte" | "sizeBytes">;

async function packFrame(
  chunks: readonly LogChunk[],
): Promise<{ readonly frame: Buffer; readonly held: readonly Held[] }> {
  const logs: FramedLog[] = [];
  const held: Held[] = [];
  const texts: Buffer[] = [];
  let before: LogChunk | undefined;
  for (const chunk of chunks) {
    const text = Buffer.from(chunk.text);
    texts.push(text);
    const characters = countCharacters(chunk.text, text.length);
    const [stdout, stderr] = chunk.stream === "stdout" ? [characters, 0] : [0, characters];
    const log = logs.at(-1);
    const last = held.at(-1);
    const isNext = before !== undefined && isFollowedBy(before, chunk);
    const sinceMs = chunk.atMs - (isNext ? (before?.atMs ?? 0) : 0);
    const piece = [chunk.stream === "stdout" ? 0 : 1, sinceMs, text.length] as const;
    before = chunk;
    if (isNext && log !== undefined && last !== undefined) {
      log.pieces.push(piece);
      held[held.length - 1] = {
        ...last,
        lastSequence: chunk.sequence,
        stdoutCharacters: last.stdoutCharacters + stdout,
        stderrCharacters: last.stderrCharacters + stderr,
      };
      continue;
    }
    const { stepRunId, attemptNumber, sequence } = chunk;
    logs.push({ stepRun: stepRunId, attempt: attemptNumber, first: sequence, pieces: [piece] });
    const place = { stepRunId, attemptNumber, firstSequence: sequence, lastSequence: sequence };
    held.push({ ...place, stdoutCharacters: stdout, stderrCharacters: stderr });
  }
  const head = Buffer.from(`${JSON.stringify({ form: FORM, logs })}\n`);
  const frame = await compress(Buffer.concat([head, ...texts]), {
    params: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_checksumFlag]: 1 },
  });
  return { frame, held };
}

function isFollowedBy(one: LogChunk, other: LogChunk): boolean {
  return (
    one.stepRunId === other.stepRunId &&
    one.attemptNumber === other.attemptNumber &&
    one.sequence + 1 === other.sequence
  );
}

/** Code points; a lone surrogate counts as one. */
function countCharacters(text: string, sizeBytes: number): number {
  if (sizeBytes === text.length) return sizeBytes;
  return text.length - (text.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

/** The chunks of a segment. @throws PIPELINE_LOG_MALFORMED, STORAGE_OBJECT_MISSING, STORAGE_OBJECT_DAMAGED */
export async function readSegment(objects: Blobs, segment: StoredLogSegment): Promise<readonly LogChunk[]> {
  const { digest, startByte, sizeBytes, stepRunId, attemptNumber } = segment;
  const malformed = (reason: string, cause?: unknown): Error => logMalformed({ digest, startByte, reason }, cause);
  if (!isDigest(digest)) throw malformed("its index names no digest");
  const packed = await buffer(await objects.open(digest, { start: startByte, end: startByte + sizeBytes - 1 }));
  const bytes = await decompress(packed, { maxOutputLength: LARGEST_FRAME }).catch((error: unknown) => {
    throw malformed("it cannot be unpacked", error);
  });
  const headEnd = bytes.indexOf(10);
  const head = parseHead(bytes.toString("utf8", 0, Math.max(headEnd, 0)));
  if (head === undefined) throw malformed(`its first line does not say ${FORM}`);
  let at = headEnd + 1;
  for (const log of head) {
    const size = log.pieces.reduce((sum, [, , piece]) => sum + piece, 0);
    if (log.stepRun === stepRunId && log.attempt === attemptNumber && log.first === segment.firstSequence)
      return toChunks(log, bytes.subarray(at, at + size));
    at += size;
  }
  throw malformed(`it holds nothing of step run ${stepRunId}, attempt ${attemptNumber}`);
}

function toChunks(log: FramedLog, bytes: Buffer): readonly LogChunk[] {
  let at = 0;
  let atMs = 0;
  return log.pieces.map(([stream, sinceMs, size], index) => {
    atMs += sinceMs;
    const text = bytes.toString("utf8", at, (at += size));
    const place = { stepRunId: log.stepRun, attemptNumber: log.attempt, sequence: log.first + index };
    return { ...place, stream: STREAMS[stream], text, atMs };
  });
}

/** Undefined: some other form. What was written is checked by its digest before it is handed out. */
function parseHead(text: string): readonly FramedLog[] | undefined {
  try {
    const head: { readonly form?: unknown; readonly logs?: readonly FramedLog[] } = JSON.parse(text);
    return head.form === FORM ? head.logs : undefined;
  } catch {
    return undefined;
  }
}
