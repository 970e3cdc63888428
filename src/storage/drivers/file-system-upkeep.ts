import { link, mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Digest, messageOf } from "#base";
import type { Blobs } from "../blobs.ts";
import { storageFailed } from "../errors.ts";
import { systemCodeOf } from "../system-error.ts";

/** An object that is stored again is made young, unless it is younger than this: then it was not long ago. */
const YOUNG_MS = 3600_000;

/** Takes away objects that nobody names, and loses none that somebody stores. */
export interface FileSystemUpkeep extends Pick<Blobs, "listDated" | "setAside" | "settleAside" | "removeUnfinished"> {
  /** False when it was not set aside. */
  bringBack(digest: Digest): Promise<boolean>;
  /** Makes an object young; false when somebody took it away meanwhile. */
  refresh(path: string): Promise<boolean>;
}

export function createFileSystemUpkeep({
  root,
  pathOf,
}: {
  readonly root: string;
  readonly pathOf: (digest: Digest) => string;
}): FileSystemUpkeep {
  const incoming = join(root, "incoming");
  const aside = join(root, "aside");
  const asidePathOf = (digest: Digest): string => join(aside, digest.slice("sha256:".length));

  /** Brings back an object that was set aside; false when it was not. */
  async function bringBack(digest: Digest): Promise<boolean> {
    const path = pathOf(digest);
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await link(asidePathOf(digest), path);
    } catch (error) {
      if (systemCodeOf(error) !== "EEXIST") {
        if (isMissing(error)) return false;
        throw toStorageError(error, "write", path);
      }
    }
    await rm(asidePathOf(digest), { force: true });
    return true;
  }

  async function refresh(path: string): Promise<boolean> {
    try {
      const now = new Date();
      if ((await stat(path)).mtimeMs < now.getTime() - YOUNG_MS) await utimes(path, now, now);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw toStorageError(error, "write", path);
    }
  }

  return {
    bringBack,
    refresh,
    async *listDated() {
      for (const folder of await namesIn(join(root, "sha256")))
        for (const name of await namesIn(join(root, "sha256", folder))) {
          const facts = await stat(join(root, "sha256", folder, name)).catch(() => undefined);
          const digest: Digest = `sha256:${folder}${name}`;
          if (facts !== undefined) yield { digest, sizeBytes: facts.size, modifiedAtMs: facts.mtimeMs };
        }
    },
    async setAside(digest, beforeMs) {
      const [path, target] = [pathOf(digest), asidePathOf(digest)];
      try {
        if ((await stat(path)).mtimeMs >= beforeMs) return undefined;
        await mkdir(aside, { recursive: true, mode: 0o700 });
        await rename(path, target);
        // Whoever stored it again made it young before it was moved, or finds it gone and writes it.
        const { mtimeMs, size } = await stat(target);
        if (mtimeMs < beforeMs) return size;
        await bringBack(digest);
        return undefined;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw toStorageError(error, "move", path);
      }
    },
    async settleAside(isNamed) {
      let gone = 0;
      for (const name of await namesIn(aside)) {
        const digest: Digest = `sha256:${name}`;
        if (isNamed(digest)) await bringBack(digest);
        else {
          await rm(join(aside, name), { force: true });
          gone++;
        }
      }
      return gone;
    },
    async removeUnfinished(beforeMs, { dryRun = false } = {}) {
      let count = 0;
      for (const name of await namesIn(incoming)) {
        const path = join(incoming, name);
        const facts = await stat(path).catch(() => undefined);
        if (facts === undefined || facts.mtimeMs >= beforeMs) continue;
        count++;
        if (!dryRun) await rm(path, { force: true });
      }
      return count;
    },
  };
}

/** Names in a folder in order; none when it is not there. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw toStorageError(error, "list", folder);
  }
}

export function isMissing(error: unknown): boolean {
  return systemCodeOf(error) === "ENOENT";
}

export function toStorageError(error: unknown, operation: string, path: string): unknown {
  return systemCodeOf(error).startsWith("E")
    ? storageFailed({ operation, path, reason: messageOf(error) }, error)
    : error;
}
