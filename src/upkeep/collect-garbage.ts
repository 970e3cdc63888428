import { type Clock, isDigest } from "#base";
import type { MetadataStore } from "#metadata-store";
import { digestsIn, listNamedDigests } from "#metadata-store/upkeep";
import type { Blobs, LocalFiles } from "#storage";
import type { ArtifactFolder } from "#tracking";

/** A pipeline run may take so long from its first object to the version that names it. */
const LEAST_AGE_MS = 24 * 3600_000;

/** Recipes and records are smaller. */
const LARGEST_RECORD_BYTES = 4_000_000;

export interface Garbage {
  /** Objects that nothing names. */
  readonly objects: number;
  readonly bytes: number;
  /** What was begun and never finished: objects, files of tables, uploads. */
  readonly unfinished: number;
}

/**
 * Removes objects that nothing names and that were not written for a while, and what was never finished.
 *
 * Safe while everything runs: whoever stores an object again makes it young; what is taken away is set aside first,
 * where readers still find it, and goes for good only when nothing names it then. Killed anywhere, it loses nothing
 * that is named; the next one goes on.
 *
 * @param request.ageMs what is younger stays; at least a day
 */
export async function collectGarbage(
  parts: {
    readonly store: MetadataStore;
    readonly objects: Blobs;
    readonly tableFiles: LocalFiles;
    readonly artifacts: ArtifactFolder;
    readonly clock: Clock;
  },
  request: { readonly ageMs: number; readonly dryRun: boolean; readonly signal: AbortSignal },
): Promise<Garbage> {
  const { objects, tableFiles, artifacts } = parts;
  const { dryRun, signal } = request;
  const beforeMs = parts.clock.now() - Math.max(request.ageMs, LEAST_AGE_MS);
  // What an earlier one left, before it was killed.
  let named = await listNamed(parts, signal);
  if (!dryRun) await objects.settleAside((digest) => named.has(digest));
  const found = { objects: 0, bytes: 0 };
  for await (const { digest, sizeBytes, modifiedAtMs } of objects.listDated()) {
    signal.throwIfAborted();
    if (named.has(digest) || modifiedAtMs >= beforeMs) continue;
    const size = dryRun ? sizeBytes : await objects.setAside(digest, beforeMs);
    if (size === undefined) continue;
    found.objects++;
    found.bytes += size;
  }
  if (!dryRun && found.objects > 0) {
    // What was named meanwhile comes back.
    named = await listNamed(parts, signal);
    await objects.settleAside((digest) => named.has(digest));
  }
  let unfinished = 0;
  const places = new Map([...artifacts.allFiles, tableFiles].map((files) => [files.place, files]));
  for (const files of [objects, ...places.values()]) unfinished += await files.removeUnfinished(beforeMs, { dryRun });
  return { ...found, unfinished };
}

/** Digests that a row names, or an object that one names. */
async function listNamed(
  { store, objects }: { readonly store: MetadataStore; readonly objects: Blobs },
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  let fresh: string[] = [];
  await store.readLong(async (transaction) => {
    for await (const digests of listNamedDigests(transaction))
      for (const digest of digests)
        if (!named.has(digest)) {
          named.add(digest);
          fresh.push(digest);
        }
  });
  while (fresh.length > 0) {
    const next: string[] = [];
    for (const digest of fresh) {
      signal.throwIfAborted();
      for (const each of await digestsInObject(objects, digest))
        if (!named.has(each)) {
          named.add(each);
          next.push(each);
        }
    }
    fresh = next;
  }
  return named;
}

async function digestsInObject(objects: Blobs, digest: string): Promise<readonly string[]> {
  if (!isDigest(digest)) return [];
  const stat = await objects.stat(digest);
  if (stat === undefined || stat.sizeBytes > LARGEST_RECORD_BYTES) return [];
  // Of a damaged one nothing can be read.
  const text = (await objects.get(digest).catch(() => Buffer.alloc(0))).toString("latin1");
  return text.startsWith("{") ? digestsIn(text) : [];
}
