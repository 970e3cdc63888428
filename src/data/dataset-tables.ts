import { type Clock, digestOf, type Log } from "#base";
import type { AssetVersion, MetadataStore } from "#metadata-store";
import type { Blobs, LocalFiles } from "#storage";
import type { Analytics, AnalyticsConnection } from "./analytics/analytics.ts";
import { quoteName } from "./analytics/sql-text.ts";
import { readLogEntry } from "./delta/log-entry.ts";
import { relationOf } from "./delta/relation.ts";
import { readSnapshot, type TableSnapshot } from "./delta/snapshot.ts";
import { fetchFiles, type Table } from "./delta/table.ts";
import { rowCountOf } from "./delta/statistics.ts";

const SNAPSHOTS_KEPT = 64;

export interface DatasetsDependencies {
  readonly store: MetadataStore;
  readonly objects: Blobs;
  /** Hold one Delta table per dataset, each in a folder. */
  readonly files: LocalFiles;
  readonly analytics: Analytics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Snapshots are immutable: kept by table and version, the latest also serves as the start of a newer one. */
export interface SnapshotCache {
  get(table: Table, version?: number): Promise<TableSnapshot>;
}

export function createSnapshotCache(analytics: Analytics): SnapshotCache {
  const kept = new Map<string, TableSnapshot>();
  return {
    async get(table, version) {
      const found = version === undefined ? undefined : kept.get(`${table.path}@${version}`);
      if (found !== undefined) return found;
      const base = [...kept.values()]
        .filter((snapshot) => snapshot.table.path === table.path && snapshot.version <= (version ?? Infinity))
        .sort((left, right) => right.version - left.version)[0];
      const snapshot = await readSnapshot(analytics, table, {
        ...(version === undefined ? {} : { version }),
        base: await stillThere(table, base),
      });
      kept.set(`${table.path}@${snapshot.version}`, snapshot);
      for (const key of kept.keys()) {
        if (kept.size <= SNAPSHOTS_KEPT) break;
        kept.delete(key);
      }
      return snapshot;
    },
  };
}

/**
 * A table that was removed and made again starts its log anew: what is remembered of the old one must not be built on.
 */
async function stillThere(table: Table, base: TableSnapshot | undefined): Promise<TableSnapshot | undefined> {
  if (base?.logDigest === undefined) return undefined;
  const entry = await readLogEntry(table, base.version);
  return entry !== undefined && digestOf(entry.text) === base.logDigest ? base : undefined;
}

/** Rows of a snapshot, from the log where it says so. */
export async function countRows(analytics: Analytics, snapshot: TableSnapshot): Promise<number> {
  let count = 0;
  for (const file of snapshot.files.values()) {
    const rows = rowCountOf(file.stats);
    if (rows === undefined) return countFiles(analytics, snapshot);
    count += rows;
  }
  return count;
}

async function countFiles(analytics: Analytics, snapshot: TableSnapshot): Promise<number> {
  await fetchFiles(snapshot.table, snapshot.files.values());
  const connection = await analytics.connect();
  try {
    const [row] = await connection.rows(`select count(*) as n from ${relationOf(snapshot)}`);
    return Number(row?.["n"]);
  } finally {
    connection.close();
  }
}

export async function openTables(
  tables: ReadonlyMap<string, AssetVersion>,
  open: (version: AssetVersion) => Promise<TableSnapshot>,
): Promise<Map<string, TableSnapshot>> {
  const opened = new Map<string, TableSnapshot>();
  for (const [name, version] of tables) opened.set(name, await open(version));
  return opened;
}

export async function createViews(
  connection: AnalyticsConnection,
  tables: ReadonlyMap<string, TableSnapshot>,
): Promise<void> {
  for (const [name, snapshot] of tables)
    await connection.run(`create temp view ${quoteName(name)} as select * from ${relationOf(snapshot)}`);
}

/** Of a connection that is not shared: names stand alone or after `public`, as PostgreSQL's clients write them. */
export async function createPublicViews(
  connection: AnalyticsConnection,
  tables: ReadonlyMap<string, TableSnapshot>,
): Promise<void> {
  await connection.run("create schema public; set search_path = 'public,main'");
  for (const [name, snapshot] of tables)
    await connection.run(`create view public.${quoteName(name)} as select * from ${relationOf(snapshot)}`);
}

/**
 * A user's SELECT as one parenthesised term: anything else is a syntax error there. The line break ends a trailing
 * comment.
 */
export function asSubquery(sql: string): string {
  return `(\n${sql.trimEnd().replace(/;\s*(?:--[^\n]*\s*)*$/, "")}\n)`;
}
