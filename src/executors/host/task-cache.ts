import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import type { Digest } from "#base";
import { type Blobs, createFileSystemBlobs } from "#storage";

/** Objects of one machine's tasks, by digest: fetched once, checked when they come and when they are used. */
export class TaskCache {
  readonly #blobs: Blobs;
  readonly #limitBytes: number;
  readonly #fetching = new Map<Digest, Promise<string>>();
  /** How many tasks use an object: it stays. */
  readonly #used = new Map<Digest, number>();
  /** When it was used last, by a clock that only grows. */
  readonly #seen = new Map<Digest, number>();

  constructor({ folder, limitBytes }: { readonly folder: string; readonly limitBytes: number }) {
    this.#blobs = createFileSystemBlobs(join(folder, "blobs"));
    this.#limitBytes = limitBytes;
  }

  /** Path of an object, fetched when it is not there, or not whole. It stays until `release`. */
  async hold(digest: Digest, fetch: () => Promise<Readable>): Promise<string> {
    this.#used.set(digest, (this.#used.get(digest) ?? 0) + 1);
    this.#seen.set(digest, performance.now());
    const running =
      this.#fetching.get(digest) ?? this.#path(digest, fetch).finally(() => this.#fetching.delete(digest));
    this.#fetching.set(digest, running);
    return running;
  }

  release(digest: Digest): void {
    const count = (this.#used.get(digest) ?? 1) - 1;
    if (count > 0) this.#used.set(digest, count);
    else this.#used.delete(digest);
  }

  /** Takes away what was not used for longest, until the cache is within its limit; what is in use stays. */
  async trim(): Promise<void> {
    const found: { readonly path: string; readonly sizeBytes: number; readonly seen: number }[] = [];
    let sizeBytes = 0;
    for await (const { digest, path } of this.#blobs.list()) {
      const facts = await stat(path).catch(() => undefined);
      if (facts === undefined) continue;
      sizeBytes += facts.size;
      // What an earlier worker left comes first, by its age.
      if (!this.#used.has(digest))
        found.push({ path, sizeBytes: facts.size, seen: this.#seen.get(digest) ?? facts.mtimeMs - Date.now() });
    }
    found.sort((left, right) => left.seen - right.seen);
    for (const each of found) {
      if (sizeBytes <= this.#limitBytes) return;
      await rm(each.path, { force: true });
      sizeBytes -= each.sizeBytes;
    }
  }

  async #path(digest: Digest, fetch: () => Promise<Readable>): Promise<string> {
    if ((await this.#blobs.stat(digest)) !== undefined) {
      const known = await this.#blobs.localPath(digest).catch(() => undefined);
      if (known !== undefined) return known;
    }
    await this.#blobs.putStream(await fetch(), digest);
    return this.#blobs.localPath(digest);
  }
}
