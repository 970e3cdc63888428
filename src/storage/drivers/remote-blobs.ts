import { createReadStream } from "node:fs";
import { createDigester, type Digest, isEsteiraError } from "#base";
import type { Blobs, BlobStat } from "../blobs.ts";
import { objectDamaged, objectMissing } from "../errors.ts";
import type { Files, OpenFile } from "../files.ts";
import { createFileSystemBlobs } from "./file-system-blobs.ts";
import { blobPath, createRemoteAside } from "./remote-aside.ts";

/** Asking first whether it is there costs more than sending so little again. */
const SMALL_BYTES = 64 * 1024;

/**
 * Blobs as files of another storage, at `sha256/ab/cdef…`, with a folder of this machine before it.
 *
 * A blob is written to the folder, then to the storage, and is stored when it is there. It is read from the folder,
 * fetched first where needed, and checked against its digest whenever it enters: blobs never change, so that one in the
 * folder is as good as the storage's. What is taken from the folder is fetched again when it is asked for.
 *
 * @param options.cacheFolder absolute; made when needed
 */
export function createRemoteBlobs({
  files,
  cacheFolder,
}: {
  readonly files: Files;
  readonly cacheFolder: string;
}): Blobs {
  const cache = createFileSystemBlobs(cacheFolder);
  const aside = createRemoteAside({ files, cache });
  const damaged = new Set<Digest>();
  const fetching = new Map<Digest, Promise<void>>();

  async function statRemote(digest: Digest): Promise<BlobStat | undefined> {
    const found =
      (await files.stat(blobPath(digest))) ??
      ((await aside.bringBack(digest)) ? await files.stat(blobPath(digest)) : undefined);
    return found === undefined ? undefined : { digest, sizeBytes: found.sizeBytes };
  }

  /** What is stored already is not sent again, unless it is known to be something else than its name says. */
  async function upload({ digest, sizeBytes }: BlobStat): Promise<BlobStat> {
    const isKnown =
      sizeBytes > SMALL_BYTES && !damaged.has(digest) && (await statRemote(digest))?.sizeBytes === sizeBytes;
    if (isKnown) return { digest, sizeBytes };
    const content = sizeBytes > SMALL_BYTES ? createReadStream(await cache.localPath(digest)) : await cache.get(digest);
    await files.put(blobPath(digest), content);
    damaged.delete(digest);
    return { digest, sizeBytes };
  }

  async function openRemote(digest: Digest): Promise<OpenFile> {
    try {
      return await files.open(blobPath(digest));
    } catch (error) {
      if (!isEsteiraError(error, "STORAGE_FILE_MISSING")) throw error;
      if (await aside.bringBack(digest)) return files.open(blobPath(digest));
      throw objectMissing({ digest }, error);
    }
  }

  async function download(digest: Digest): Promise<void> {
    const path = blobPath(digest);
    const opened = await openRemote(digest);
    try {
      await cache.putStream(opened.read(), digest);
    } catch (error) {
      if (!isEsteiraError(error, "STORAGE_DIGEST_MISMATCH")) throw error;
      damaged.add(digest);
      const found = String(error.context["found"]);
      throw objectDamaged({ digest, found, path: `${files.place}/${path}` }, error);
    } finally {
      await opened.close();
    }
  }

  /** The blob is in the folder, whole. */
  async function fetched(digest: Digest): Promise<void> {
    try {
      await cache.localPath(digest);
      return;
    } catch (error) {
      const isOurs = ["STORAGE_OBJECT_MISSING", "STORAGE_OBJECT_DAMAGED"].some((code) => isEsteiraError(error, code));
      if (!isOurs) throw error;
    }
    const running = fetching.get(digest) ?? again(() => download(digest)).finally(() => fetching.delete(digest));
    fetching.set(digest, running);
    await running;
  }

  return {
    put: async (content) => upload(await cache.put(content)),
    putStream: async (content, expected) => upload(await cache.putStream(content, expected)),
    putFile: async (path) => upload(await cache.putFile(path)),
    async get(digest) {
      await fetched(digest);
      return cache.get(digest);
    },
    async open(digest, range) {
      await fetched(digest);
      return cache.open(digest, range);
    },
    stat: statRemote,
    async *list() {
      for await (const { path } of files.list("sha256")) {
        const digest: Digest = `sha256:${path.slice("sha256/".length).replace("/", "")}`;
        yield { digest, path: `${files.place}/${path}` };
      }
    },
    async *listDated() {
      for await (const { path, sizeBytes, modifiedAtMs } of files.list("sha256")) {
        const digest: Digest = `sha256:${path.slice("sha256/".length).replace("/", "")}`;
        yield { digest, sizeBytes, modifiedAtMs };
      }
    },
    async digestOfStored(digest) {
      const opened = await openRemote(digest);
      const digester = createDigester();
      try {
        for await (const piece of opened.read()) digester.update(piece);
        return digester.digest();
      } finally {
        await opened.close();
      }
    },
    async localPath(digest) {
      await fetched(digest);
      return cache.localPath(digest);
    },
    async delete(digest) {
      await files.remove(blobPath(digest));
      await cache.delete(digest);
    },
    setAside: aside.setAside,
    settleAside: aside.settleAside,
    removeUnfinished: (beforeMs, options) => files.removeUnfinished(beforeMs, options),
  };
}

/** What is set aside while it is read is brought back, and read once more. */
function again(read: () => Promise<void>): Promise<void> {
  return read().catch((error: unknown) => {
    if (!isEsteiraError(error, "STORAGE_FILE_MISSING")) throw error;
    return read();
  });
}
