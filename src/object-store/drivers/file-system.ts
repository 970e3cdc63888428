import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { access, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createDigester, type Digest, digestOf, messageOf } from "#base";
import { digestMismatch, objectMissing, storageFailed } from "../errors.ts";
import type { ObjectStat, ObjectStore } from "../object-store.ts";

/**
 * Objects as files: `<root>/sha256/ab/cdef…`, written to `<root>/incoming/`, synced, then renamed.
 *
 * @param root absolute folder; made on first write
 */
export function createFileSystemObjectStore(root: string): ObjectStore {
  const incoming = join(root, "incoming");
  const pathOf = (digest: Digest): string => {
    const hex = digest.slice("sha256:".length);
    return join(root, "sha256", hex.slice(0, 2), hex.slice(2));
  };

  async function receive(content: AsyncIterable<Uint8Array>, expected?: Digest): Promise<ObjectStat> {
    const temporary = join(incoming, randomUUID());
    const digester = createDigester();
    let sizeBytes = 0;
    try {
      await mkdir(incoming, { recursive: true, mode: 0o700 });
      await pipeline(
        content,
        async function* (pieces) {
          for await (const piece of pieces) {
            digester.update(piece);
            sizeBytes += piece.byteLength;
            yield piece;
          }
        },
        createWriteStream(temporary, { flush: true, mode: 0o600 }),
      );
      const digest = digester.digest();
      if (expected !== undefined && digest !== expected) throw digestMismatch({ expected, found: digest });
      await publish(temporary, pathOf(digest));
      return { digest, sizeBytes };
    } catch (error) {
      await rm(temporary, { force: true });
      throw toStorageError(error, "write", temporary);
    }
  }

  async function existing(digest: Digest): Promise<string> {
    const path = pathOf(digest);
    try {
      await access(path);
      return path;
    } catch (error) {
      throw isMissing(error) ? objectMissing({ digest }) : toStorageError(error, "read", path);
    }
  }

  async function statObject(digest: Digest): Promise<ObjectStat | undefined> {
    try {
      const { size } = await stat(pathOf(digest));
      return { digest, sizeBytes: size };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw toStorageError(error, "read", pathOf(digest));
    }
  }

  return {
    async put(content) {
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      const digest = digestOf(bytes);
      return (await statObject(digest)) ?? receive(single(bytes), digest);
    },
    putStream: receive,
    putFile: (path) => receive(createReadStream(path)),
    get: async (digest) => readFile(await existing(digest)),
    open: async (digest, range): Promise<Readable> => createReadStream(await existing(digest), range),
    stat: statObject,
    localPath: existing,
    delete: (digest) => rm(pathOf(digest), { force: true }),
  };
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function publish(temporary: string, path: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await rename(temporary, path);
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}

function toStorageError(error: unknown, operation: string, path: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === "string" && code.startsWith("E") ? storageFailed({ operation, path, reason: messageOf(error) }, error) : error;
}
