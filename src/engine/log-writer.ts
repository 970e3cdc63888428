import type { Clock } from "#base";
import { appendLogChunks, type LogChunk } from "#metadata-store/engine";
import { type LogStorage, nameChunks, sealLog, storeChunks, type StoredChunks } from "./seal-log.ts";

const FLUSH_AFTER_MS = 100;
const LARGEST_CHUNK = 64 * 1024;
const FLUSH_AT = 4 * 2 ** 20;
const HOLD_AT = 8 * 2 ** 20;
/** So much at once is sealed before the database has seen it. */
const SEALED_AT_ONCE = 2 ** 20;
/** When the database holds so much of a log, it is sealed. */
const SEAL_AT = 4 * 2 ** 20;

export interface LogWriterOptions {
  readonly storage: LogStorage;
  readonly clock: Clock;
  readonly stepRunId: string;
  readonly attemptNumber: number;
  /** Number of the first chunk; default 0. */
  readonly next?: number;
  /** What is written is passed over until `unmute`: it was written before. */
  readonly isMuted?: boolean;
  /** The first text that is lost; what is lost after it is not told again. */
  readonly onError: (error: unknown) => void;
  /** Storage takes nothing: what is written stays in the database. Told once. */
  readonly onUnsealed: (error: unknown) => void;
}

/**
 * The log of one attempt: text in, numbered chunks out, at most 100 ms later.
 *
 * What comes slowly goes to the database, where every process sees it at once, and from there to storage when it has
 * become much; what comes fast goes to storage alone. Whatever storage does not take stays in the database.
 *
 * States: idle → buffering (a timer runs) → writing → idle; closed by `rest`, whose chunks are committed with the
 * attempt's end.
 */
export class LogWriter {
  readonly #options: LogWriterOptions;
  #pieces: { stream: "stdout" | "stderr"; text: string }[] = [];
  #size = 0;
  #sequence: number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #unwritten = 0;
  #closed = false;
  #muted: boolean;
  /** Characters written so far, while somebody may ask for them. */
  #counts: { stdout: number; stderr: number } | undefined = { stdout: 0, stderr: 0 };
  #hasLost = false;
  #isUnsealed = false;
  #loose = 0;
  #looseChunks = 0;

  constructor(options: LogWriterOptions) {
    this.#options = options;
    this.#sequence = options.next ?? 0;
    this.#muted = options.isMuted ?? false;
  }

  /** From now on what is written counts. */
  unmute(): void {
    this.#muted = false;
  }

  /** Characters of each stream that were written until now; they are not counted any further. */
  measure(): { readonly stdout: number; readonly stderr: number } {
    const counts = this.#counts ?? { stdout: 0, stderr: 0 };
    this.#counts = undefined;
    return counts;
  }

  /** What the database holds of it, as far as this writer put it there. */
  get loose(): { readonly chunks: number; readonly sizeBytes: number } {
    return { chunks: this.#looseChunks, sizeBytes: this.#loose };
  }

  /** Takes text. Resolves at once, or, when far more came than could be written, once it was. */
  write(stream: "stdout" | "stderr", text: string): Promise<void> | void {
    if (text === "" || this.#closed || this.#muted) return;
    if (this.#counts !== undefined) this.#counts[stream] += countCharacters(text);
    const last = this.#pieces.at(-1);
    if (last?.stream === stream) last.text += text;
    else this.#pieces.push({ stream, text });
    this.#size += text.length;
    if (this.#size >= FLUSH_AT) void this.#flush();
    else this.#timer ??= setTimeout(() => void this.#flush(), FLUSH_AFTER_MS);
    if (this.#unwritten > HOLD_AT) return this.#writing;
  }

  /** Chunks that were not written yet; the caller commits them. Nothing is taken afterwards. */
  async rest(): Promise<readonly LogChunk[]> {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#size >= SEALED_AT_ONCE) void this.#flush();
    await this.#writing;
    const size = this.#size;
    const chunks = this.#take();
    this.#loose += size;
    this.#looseChunks += chunks.length;
    return chunks;
  }

  #flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const size = this.#size;
    const chunks = this.#take();
    if (chunks.length === 0) return this.#writing;
    this.#unwritten += size;
    // Packed while what came before is still being written.
    const stored = size < SEALED_AT_ONCE ? undefined : storeChunks(this.#options.storage, chunks);
    stored?.catch(() => undefined);
    this.#writing = this.#writing
      .then(() => this.#keep(chunks, size, stored))
      .catch((error: unknown) => {
        if (!this.#hasLost) this.#options.onError(error);
        this.#hasLost = true;
      })
      .finally(() => {
        this.#unwritten -= size;
      });
    return this.#writing;
  }

  async #keep(chunks: readonly LogChunk[], size: number, stored: Promise<StoredChunks> | undefined): Promise<void> {
    const { storage } = this.#options;
    if (stored !== undefined && (await this.#seal(async () => nameChunks(storage, await stored)))) return;
    await storage.store.write((transaction) => appendLogChunks(transaction, chunks));
    this.#loose += size;
    this.#looseChunks += chunks.length;
    if (this.#loose < SEAL_AT) return;
    await this.#seal(() => sealLog(storage, this.#options));
    // Where that failed, it is tried again when as much has come.
    this.#loose = 0;
    this.#looseChunks = 0;
  }

  async #seal(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      if (!this.#isUnsealed) this.#options.onUnsealed(error);
      this.#isUnsealed = true;
      return false;
    }
  }

  #take(): readonly LogChunk[] {
    const atMs = this.#options.clock.now();
    const chunks: LogChunk[] = [];
    for (const { stream, text } of this.#pieces) {
      for (const part of split(text)) {
        chunks.push({
          stepRunId: this.#options.stepRunId,
          attemptNumber: this.#options.attemptNumber,
          sequence: this.#sequence++,
          stream,
          text: part,
          atMs,
        });
      }
    }
    this.#pieces = [];
    this.#size = 0;
    return chunks;
  }
}

/** PostgreSQL stores no NUL character; it is shown as its picture. A pair of surrogates stays together. */
function split(text: string): readonly string[] {
  const clean = text.includes("\0") ? text.replaceAll("\0", "␀") : text;
  const parts: string[] = [];
  for (let start = 0; start < clean.length;) {
    let end = Math.min(start + LARGEST_CHUNK, clean.length);
    const last = clean.charCodeAt(end - 1);
    if (end < clean.length && last >= 0xd800 && last <= 0xdbff) end--;
    parts.push(clean.slice(start, end));
    start = end;
  }
  return parts;
}

/** Code points. */
function countCharacters(text: string): number {
  let count = text.length;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 0xd800 && code <= 0xdbff) count--;
  }
  return count;
}
