import { randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createDigester, type Digest, digestOf, isEsteiraError } from "#base";
import { digestMismatch, objectDamaged, objectMissing } from "../errors.ts";
import { digestOfFile } from "../file-digest.ts";
import type { BlobStat, Blobs } from "../blobs.ts";
import { createFileSystemUpkeep, isMissing, namesIn, toStorageError } from "./file-system-upkeep.ts";

/**
 * Objects as files: `<root>/sha256/ab/cdef…`, written to `<root>/incoming/`, synced, then renamed.
 *
 * @param root absolute folder; made on first write
 */
export function createFileSystemBlobs(root: string): Blobs {
  const incoming = join(root, "incoming");
  const pathOf = (digest: Digest): string => {
    const hex = digest.slice("sha256:".length);
    return join(root, "sha256", hex.slice(0, 2), hex.slice(2));
  };
  const upkeep = createFileSystemUpkeep({ root, pathOf });

  async function receive(content: AsyncIterable<Uint8Array>, expected?: Digest): Promise<BlobStat> {
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

  async function digestOfStored(digest: Digest): Promise<Digest> {
    const path = pathOf(digest);
    try {
      return await digestOfFile(path);
    } catch (error) {
      if (isMissing(error) && (await upkeep.bringBack(digest))) return digestOfStored(digest);
      throw isMissing(error) ? objectMissing({ digest }) : toStorageError(error, "read", path);
    }
  }

  /** Path of an object whose bytes are what its name says: a disk, or a hand, may have changed them. */
  async function existing(digest: Digest): Promise<string> {
    const path = pathOf(digest);
    const found = await digestOfStored(digest);
    if (found !== digest) throw objectDamaged({ digest, found, path });
    return path;
  }

  /** An object that is whole; undefined when there is none, or a damaged one that is to be written again. */
  async function whole(digest: Digest): Promise<BlobStat | undefined> {
    const known = await statObject(digest);
    if (known === undefined) return undefined;
    return existing(digest).then(
      async (path) => ((await upkeep.refresh(path)) ? known : undefined),
      (error: unknown) =>
        isEsteiraError(error, objectMissing.code) || isEsteiraError(error, objectDamaged.code)
          ? undefined
          : Promise.reject(error as Error),
    );
  }

  async function statObject(digest: Digest): Promise<BlobStat | undefined> {
    try {
      const { size } = await stat(pathOf(digest));
      return { digest, sizeBytes: size };
    } catch (error) {
      if (isMissing(error)) return (await upkeep.bringBack(digest)) ? statObject(digest) : undefined;
      throw toStorageError(error, "read", pathOf(digest));
    }
  }

  return {
    async put(content) {
      const bytes = typeof content === "string" ? Buffer.from(content) : content;
      const digest = digestOf(bytes);
      return (await whole(digest)) ?? receive(single(bytes), digest);
    },
    putStream: receive,
    putFile: (path) => receive(createReadStream(path)),
    get: async (digest) => readFile(await existing(digest)),
    open: async (digest, range): Promise<Readable> => createReadStream(await existing(digest), range),
    stat: statObject,
    async *list() {
      const folders = await namesIn(join(root, "sha256"));
      for (const folder of folders)
        for (const name of await namesIn(join(root, "sha256", folder)))
          yield { digest: `sha256:${folder}${name}` as Digest, path: join(root, "sha256", folder, name) };
    },
    digestOfStored,
    localPath: existing,
    delete: (digest) => rm(pathOf(digest), { force: true }),
    listDated: upkeep.listDated,
    setAside: upkeep.setAside,
    settleAside: upkeep.settleAside,
    removeUnfinished: upkeep.removeUnfinished,
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
