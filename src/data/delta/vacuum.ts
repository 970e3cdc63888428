import type { ListedFile } from "#storage";
import type { Analytics } from "../analytics/analytics.ts";
import { compactedVersion } from "./compaction.ts";
import { readSnapshot, type TableSnapshot } from "./snapshot.ts";
import { storedPath, type Table } from "./table.ts";

const DEFAULT_RETENTION_MS = 7 * 86_400_000;

/** File systems stamp files some milliseconds late or early, and other machines' clocks differ. */
const CLOCK_TOLERANCE_MS = 60_000;

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
  readonly table: Table;
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
    ({ path, modifiedAtMs }) => !kept.has(path) && modifiedAtMs < writingSinceMs - CLOCK_TOLERANCE_MS,
  );
  if (vacuum.dryRun !== true) for (const { path } of removed) await table.files.remove(path);
  return {
    removed: removed.map(({ path }) => path.slice(table.path.length + 1)),
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
    for (const file of base.files.values()) files.add(storedPath(table, file.path) ?? "");
  }
  return files;
}

async function filesOlderThan({ files, path: folder }: Table, beforeMs: number): Promise<ListedFile[]> {
  const found: ListedFile[] = [];
  for await (const file of files.list(folder)) {
    const inside = file.path.slice(folder.length + 1).split("/");
    if (inside.some((part) => /^[_.]/.test(part))) continue;
    if (file.modifiedAtMs < beforeMs) found.push(file);
  }
  return found;
}
