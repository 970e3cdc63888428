import { type Digest, isEsteiraError } from "#base";
import type { Blobs } from "../blobs.ts";
import type { Files } from "../files.ts";

/** Who stored it again without a trace has named it within a day. */
const ASIDE_MS = 24 * 3600_000;

/** Blobs of another storage that were set aside: copied to `aside/…`, as nothing can be renamed there. */
export interface RemoteAside extends Pick<Blobs, "setAside" | "settleAside"> {
  /** False when it was not set aside. */
  bringBack(digest: Digest): Promise<boolean>;
}

/** @param cache what is before the storage */
export function createRemoteAside({ files, cache }: { readonly files: Files; readonly cache: Blobs }): RemoteAside {
  async function move(from: string, to: string): Promise<number | undefined> {
    try {
      const opened = await files.open(from);
      try {
        await files.put(to, opened.read());
      } finally {
        await opened.close();
      }
      await files.remove(from);
      return opened.sizeBytes;
    } catch (error) {
      // Nothing is there, or somebody else moved it first: perhaps while it was read.
      if (isEsteiraError(error, "STORAGE_FILE_MISSING")) return undefined;
      throw error;
    }
  }

  const bringBack = async (digest: Digest): Promise<boolean> =>
    (await move(asidePath(digest), blobPath(digest))) !== undefined;

  return {
    bringBack,
    async setAside(digest, beforeMs) {
      const path = blobPath(digest);
      for await (const file of files.list(path.slice(0, path.lastIndexOf("/"))))
        if (file.path === path && file.modifiedAtMs < beforeMs) return move(path, asidePath(digest));
      return undefined;
    },
    async settleAside(isNamed) {
      let gone = 0;
      for await (const { path, modifiedAtMs } of files.list("aside")) {
        const digest: Digest = `sha256:${path.slice("aside/".length)}`;
        if (isNamed(digest)) await bringBack(digest);
        else if (modifiedAtMs < Date.now() - ASIDE_MS) {
          await files.remove(path);
          await cache.delete(digest);
          gone++;
        }
      }
      return gone;
    },
  };
}

export function blobPath(digest: Digest): string {
  const hex = digest.slice("sha256:".length);
  return `sha256/${hex.slice(0, 2)}/${hex.slice(2)}`;
}

function asidePath(digest: Digest): string {
  return `aside/${digest.slice("sha256:".length)}`;
}
