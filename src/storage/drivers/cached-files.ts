import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { chmod, mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createDigester, type Digest, messageOf } from "#base";
import { fileDamaged, storageFailed } from "../errors.ts";
import { digestOfFile } from "../file-digest.ts";
import { fileSegments, folderSegments } from "../file-path.ts";
import { systemCodeOf } from "../system-error.ts";
import type { Files, LocalFiles, WantedFile } from "../files.ts";

/** Files that are fetched at the same time. */
const FETCHED_TOGETHER = 8;
const PIECE_BYTES = 1024 * 1024;

/**
 * Files of another storage with a folder of this machine before it, for programs that open files by path.
 *
 * A file that is fetched is checked, appears whole, and stays until the cache is trimmed; one that a program wrote to
 * the folder is in the storage once it was published. Files that are replaced (`put` twice) must not be fetched.
 *
 * @param options.folder absolute; made when needed
 */
export function createCachedFiles({ files, folder }: { readonly files: Files; readonly folder: string }): LocalFiles {
  const fetching = new Map<string, Promise<void>>();

  async function isHere(target: string, { sizeBytes, digest }: WantedFile): Promise<boolean> {
    const facts = await stat(target).catch(() => undefined);
    if (facts?.isFile() !== true || (sizeBytes !== undefined && facts.size !== sizeBytes)) return false;
    return digest === undefined || (await digestOfFile(target)) === digest;
  }

  async function fetchOne(wanted: WantedFile): Promise<void> {
    const target = join(folder, ...fileSegments(wanted.path));
    if (await isHere(target, wanted)) return;
    const opened = await files.open(wanted.path);
    const temporary = join(folder, ".incoming", randomUUID());
    const digester = createDigester();
    let sizeBytes = 0;
    try {
      await mkdir(dirname(temporary), { recursive: true, mode: 0o700 });
      await pipeline(
        opened.read(),
        async function* (pieces: AsyncIterable<Buffer>) {
          for await (const piece of pieces) {
            digester.update(piece);
            sizeBytes += piece.byteLength;
            yield piece;
          }
        },
        createWriteStream(temporary, { mode: 0o600, flags: "wx" }),
      );
      assertWhole(wanted, { sizeBytes, digest: digester.digest(), place: files.place });
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      await rename(temporary, target);
    } catch (error) {
      throw diskError(error, target);
    } finally {
      await rm(temporary, { force: true });
      await opened.close();
    }
  }

  function fetchOnce(wanted: WantedFile): Promise<void> {
    const running = fetching.get(wanted.path) ?? fetchOne(wanted).finally(() => fetching.delete(wanted.path));
    fetching.set(wanted.path, running);
    return running;
  }

  return {
    ...files,
    folder,
    async fetch(wanted) {
      const waiting = [...wanted];
      const lane = async (): Promise<void> => {
        for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await fetchOnce(next);
      };
      await Promise.all(Array.from({ length: Math.min(FETCHED_TOGETHER, waiting.length) }, lane));
    },
    async prepare(path) {
      await mkdir(join(folder, ...folderSegments(path)), { recursive: true, mode: 0o700 });
    },
    async publish(path, { from = path } = {}) {
      const target = join(folder, ...fileSegments(path));
      const written = join(folder, ...fileSegments(from));
      const digester = createDigester();
      let sizeBytes = 0;
      const pieces = async function* (): AsyncGenerator<Buffer> {
        for await (const piece of createReadStream(written, { highWaterMark: PIECE_BYTES }) as AsyncIterable<Buffer>) {
          digester.update(piece);
          sizeBytes += piece.byteLength;
          yield piece;
        }
      };
      try {
        await chmod(written, 0o600);
        await files.put(path, pieces());
        if (target !== written) {
          await mkdir(dirname(target), { recursive: true, mode: 0o700 });
          await rename(written, target);
        }
        return { digest: digester.digest(), sizeBytes };
      } catch (error) {
        throw diskError(error, target);
      }
    },
    async remove(path) {
      await files.remove(path);
      await rm(join(folder, ...fileSegments(path)), { recursive: true, force: true });
    },
  };
}

function assertWhole(
  wanted: WantedFile,
  found: { readonly sizeBytes: number; readonly digest: Digest; readonly place: string },
): void {
  const { path } = wanted;
  if (wanted.sizeBytes !== undefined && wanted.sizeBytes !== found.sizeBytes) {
    const problem = `it has ${found.sizeBytes} bytes, ${wanted.sizeBytes} were recorded`;
    throw fileDamaged({ path, place: found.place, problem });
  }
  if (wanted.digest !== undefined && wanted.digest !== found.digest) {
    const problem = `it has digest ${found.digest}, ${wanted.digest} was recorded`;
    throw fileDamaged({ path, place: found.place, problem });
  }
}

function diskError(error: unknown, path: string): unknown {
  return ["ENOSPC", "EACCES", "EDQUOT", "EROFS"].includes(systemCodeOf(error))
    ? storageFailed({ operation: "write", path, reason: messageOf(error) }, error)
    : error;
}
