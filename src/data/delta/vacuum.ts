import { readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Analytics } from "../analytics/analytics.ts";
import { compactedVersion } from "./compaction.ts";
import { absolutePath, readSnapshot, type TableSnapshot } from "./snapshot.ts";

const DEFAULT_RETENTION_MS = 7 * 86_400_000;

/** File systems stamp files some milliseconds late or early, and other machines' clocks differ. */
const CLOCK_TOLERANCE_MS = 60_000;

interface DataFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly writtenAtMs: number;
}

export interface VacuumResult {
  /** Names of the files removed, or that would be. */
  readonly removed: readonly string[];
  readonly sizeBytes: number;
}

/**
 * Removes data files that no kept version refers to and that are older than the retention: a writer's files look like
 * orphans until it commits. Versions in `pinned()` are kept with the latest one; it is asked again before anything is
 * removed.
 *
 * @param vacuum.pinned Delta versions that something still refers to
 * @param vacuum.writingSinceMs when the oldest write that is still at work began: its files stay, however short the
 *   retention
 * @param vacuum.retentionMs default one week
 */
export async function vacuumTable(vacuum: {
  readonly analytics: Analytics;
  readonly table: string;
  readonly pinned: () => Promise<readonly number[]>;
  readonly writingSinceMs: () => Promise<number | undefined>;
  readonly nowMs: number;
  readonly retentionMs?: number;
  readonly dryRun?: boolean;
}): Promise<VacuumResult> {
  const { table, nowMs } = vacuum;
  const old = await filesOlderThan(table, nowMs - (vacuum.retentionMs ?? DEFAULT_RETENTION_MS));
  // Asked after the folder was read: a write that ended meanwhile is in the log, one that begins now has no file in the
  // list.
  const writingSinceMs = (await vacuum.writingSinceMs()) ?? Infinity;
  await referencedFiles(vacuum);
  // Pins that came while the folder was read count too.
  const kept = await referencedFiles(vacuum);
  const removed = old.filter(
    ({ path, writtenAtMs }) => !kept.has(path) && writtenAtMs < writingSinceMs - CLOCK_TOLERANCE_MS,
  );
  if (vacuum.dryRun !== true) for (const { path } of removed) await unlink(path);
  return {
    removed: removed.map(({ path }) => path.slice(table.length + 1)),
    sizeBytes: removed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  };
}

async function referencedFiles({
  analytics,
  table,
  pinned,
}: Parameters<typeof vacuumTable>[0]): Promise<ReadonlySet<string>> {
  const files = new Set<string>();
  const latest = await readSnapshot(analytics, table);
  const versions = new Set([latest.version]);
  // A version is also read from the files of the compaction behind it.
  for (const version of await pinned()) versions.add(version).add(await compactedVersion(table, version));
  let base: TableSnapshot | undefined;
  for (const version of [...versions].sort((left, right) => left - right)) {
    base = await readSnapshot(analytics, table, { version, base });
    for (const file of base.files.values()) files.add(absolutePath(table, file.path));
  }
  return files;
}

async function filesOlderThan(table: string, beforeMs: number): Promise<DataFile[]> {
  const entries = await readdir(table, { recursive: true, withFileTypes: true });
  const found: DataFile[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const isHidden = path
      .slice(table.length + 1)
      .split("/")
      .some((part) => /^[_.]/.test(part));
    if (!entry.isFile() || isHidden) continue;
    const facts = await stat(path);
    if (facts.mtimeMs < beforeMs) found.push({ path, sizeBytes: facts.size, writtenAtMs: facts.mtimeMs });
  }
  return found;
}
