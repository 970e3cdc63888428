import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

/** What was read or written within a day may be in use: by a query, a step or a model, of this process or another. */
const IN_USE_MS = 24 * 3600 * 1000;

/**
 * Takes files out of a local cache of stored bytes, those first that were not used for longest, until it is within its
 * limit. What was used within a day stays, so that the cache may be larger than its limit for as long.
 *
 * Time of use is what the file system says, to a day. @returns what is left, and what went, in bytes
 */
export async function trimCache(
  folder: string,
  { limitBytes, nowMs }: { readonly limitBytes: number; readonly nowMs: number },
): Promise<{ readonly keptBytes: number; readonly removedBytes: number }> {
  const found: { readonly path: string; readonly sizeBytes: number; readonly usedAtMs: number }[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined)
      found.push({ path, sizeBytes: facts.size, usedAtMs: Math.max(facts.atimeMs, facts.mtimeMs, facts.ctimeMs) });
  }
  found.sort((left, right) => left.usedAtMs - right.usedAtMs);
  let keptBytes = found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let removedBytes = 0;
  for (const { path, sizeBytes, usedAtMs } of found) {
    if (keptBytes <= limitBytes || usedAtMs > nowMs - IN_USE_MS) break;
    await rm(path, { force: true });
    keptBytes -= sizeBytes;
    removedBytes += sizeBytes;
  }
  return { keptBytes, removedBytes };
}
