import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createDigester, type Digest } from "#base";

/** Copies at once: most files are small, and their time is the disk's. */
const COPIES_AT_ONCE = 8;

/** A time is set through a double of seconds. */
const CLOCK_STEP_MS = 0.01;

/** How far a copy is. */
export interface BackupProgress {
  readonly files: number;
  readonly of: number;
  readonly bytes: number;
}

/** Code and path of a failure of the file system. */
export function failureOf(error: unknown): { readonly code?: string | undefined; readonly path?: string | undefined } {
  return error instanceof Error ? (error as NodeJS.ErrnoException) : {};
}

/** A file as it was copied. */
export interface Copied {
  readonly size: number;
  readonly digest: Digest;
}

/**
 * Copies a file, for its owner alone, through a temporary name; durable when it resolves. The copy has the time of the
 * file.
 */
export async function copyFile(from: string, to: string, signal: AbortSignal): Promise<Copied> {
  const digester = createDigester();
  let size = 0;
  const temporary = `${to}.part`;
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  const { atimeMs, mtimeMs } = await stat(from);
  try {
    await pipeline(
      createReadStream(from),
      async function* (pieces: AsyncIterable<Uint8Array>) {
        for await (const piece of pieces) {
          digester.update(piece);
          size += piece.byteLength;
          yield piece;
        }
      },
      createWriteStream(temporary, { flush: true, mode: 0o600 }),
      { signal },
    );
    await utimes(temporary, atimeMs / 1000, mtimeMs / 1000);
    await rename(temporary, to);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return { size, digest: digester.digest() };
}

/** Works through `items`, several at once; the first failure ends it. */
export async function forEachAtOnce<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  work: (item: Item) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = toAsync(items);
  let hasFailed = false;
  await Promise.all(
    Array.from({ length: COPIES_AT_ONCE }, async () => {
      for (;;) {
        signal.throwIfAborted();
        const { done, value } = await iterator.next();
        if (done === true || hasFailed) return;
        try {
          await work(value);
        } catch (error) {
          hasFailed = true;
          throw error;
        }
      }
    }),
  );
}

async function* toAsync<Item>(items: Iterable<Item> | AsyncIterable<Item>): AsyncGenerator<Item, undefined> {
  yield* items;
  return undefined;
}

/** True when a copy of the file stands at `to` already: same size and time, and bytes do not change under a name. */
export async function isCopied(from: string, to: string): Promise<boolean> {
  const [source, copy] = await Promise.all([stat(from), stat(to).catch(() => undefined)]);
  return copy?.size === source.size && Math.abs(copy.mtimeMs - source.mtimeMs) < CLOCK_STEP_MS;
}

/** Names in a folder; none when there is no such folder. @throws what `taken` makes when it is no folder */
export async function namesIn(folder: string, taken: () => Error): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = failureOf(error);
    if (code === "ENOENT") return [];
    throw code === "ENOTDIR" ? taken() : error;
  }
}
