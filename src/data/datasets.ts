import { isEsteiraError } from "#base";
import { type AssetVersion, listAssetVersions } from "#metadata-store";
import { endDatasetWrite, listOpenDatasetWrites } from "#metadata-store/data";
import type { Analytics, AnalyticsConnection } from "./analytics/analytics.ts";
import { quoteName } from "./analytics/sql-text.ts";
import type { DatasetContent, Datasets, DatasetSnapshot, QueryResult, RowOrder } from "./dataset.ts";
import { compactDataset } from "./compact-dataset.ts";
import { compactedVersion } from "./delta/compaction.ts";
import { filesOf, relationOf } from "./delta/relation.ts";
import type { TableSnapshot } from "./delta/snapshot.ts";
import {
  asSubquery,
  countRows,
  createPublicViews,
  createSnapshotCache,
  type DatasetsDependencies,
  openTables,
} from "./dataset-tables.ts";
import { tableNameOf, writeDataset } from "./dataset-write.ts";
import { fetchFiles, tableAt } from "./delta/table.ts";
import { vacuumTable } from "./delta/vacuum.ts";
import { columnUnknown, queryFailed, tableCorrupt, versionExpired, writeLost } from "./errors.ts";
import { explainSqlError } from "./transform/sql-text-analysis.ts";

const VERSION_PAGE = 1_000;
const LARGEST_QUERY = 100_000;
const LARGEST_PREVIEW = 1_000;

export function createDatasets(dependencies: DatasetsDependencies): Datasets {
  const { analytics, files } = dependencies;
  const snapshots = createSnapshotCache(analytics);

  async function find(version: AssetVersion): Promise<TableSnapshot> {
    const content = version.content as DatasetContent;
    const table = tableAt(files, content.table);
    const snapshot = await snapshots.get(table, await compactedVersion(table, content.deltaVersion));
    if (snapshot.metadata.id !== content.tableId)
      throw tableCorrupt({
        table: table.place,
        reason: `another table (${snapshot.metadata.id}) stands where ${content.tableId} was`,
      });
    return snapshot;
  }

  /** Its files can be read. */
  async function open(version: AssetVersion): Promise<TableSnapshot> {
    const { asset, version: number, expiredAtMs } = version;
    if (expiredAtMs !== undefined) throw versionExpired({ dataset: asset, version: number, atMs: expiredAtMs });
    const snapshot = await find(version);
    await fetchFiles(snapshot.table, snapshot.files.values());
    return snapshot;
  }

  async function sandbox({
    tables,
    folders = [],
    memoryBytes,
  }: Parameters<Datasets["sandbox"]>[0]): Promise<AnalyticsConnection> {
    const opened = await openTables(tables, open);
    return analytics.sandbox({ files: [...opened.values()].flatMap(filesOf), folders, memoryBytes }, (prepared) =>
      createPublicViews(prepared, opened),
    );
  }

  return {
    location: async (version) => {
      const { table, version: deltaVersion } = await find(version);
      return { path: table.place, deltaVersion };
    },
    snapshot: async (version) => toDatasetSnapshot(analytics, await open(version)),
    relation: async (version) => relationOf(await open(version)),
    write: (write) => writeDataset({ ...dependencies, snapshots, openVersion: open }, write),
    async settle(transaction, write) {
      if (!(await endDatasetWrite(transaction, { ...write, state: "settled" })))
        throw writeLost({ asset: write.asset, operation: write.operationId });
    },
    async query({ sql, tables, limit = LARGEST_PREVIEW, memoryBytes, signal }) {
      const connection = await sandbox({ tables, memoryBytes });
      const stopWatching = connection.interruptOn(signal);
      try {
        return await limited(connection, asSubquery(sql), Math.min(limit, LARGEST_QUERY));
      } catch (error) {
        throw placeInQuery(error, sql);
      } finally {
        stopWatching();
        connection.close();
      }
    },
    sandbox,
    compact: (of) => compactDataset({ ...dependencies, snapshots, openVersion: open }, of),
    vacuum: ({ project, asset, ...options }) =>
      vacuumTable({
        ...options,
        analytics,
        table: tableAt(files, tableNameOf({ project, asset })),
        nowMs: dependencies.clock.now(),
        pinned: () => pinnedVersions(dependencies, project, asset),
        writingSinceMs: () => oldestWriteMs(dependencies, project, asset),
      }),
    async preview(version, { limit = 100, offset = 0, sort } = {}) {
      const snapshot = await open(version);
      const order = sort === undefined ? undefined : orderOf(snapshot, version.asset, sort);
      const connection = await analytics.connect();
      try {
        return await limited(connection, relationOf(snapshot), Math.min(limit, LARGEST_PREVIEW), { offset, order });
      } finally {
        connection.close();
      }
    },
  };
}

/** The other columns settle ties: pages of the same order neither repeat nor skip rows. */
function orderOf({ columns }: TableSnapshot, dataset: string, { column, isDescending }: RowOrder): string {
  const names = columns.map(({ name }) => name);
  if (!names.includes(column)) throw columnUnknown({ dataset, column, columns: names });
  return [
    `${quoteName(column)} ${isDescending ? "DESC" : "ASC"} NULLS LAST`,
    ...names.filter((name) => name !== column).map(quoteName),
  ].join(", ");
}

/** Every recorded version that has not expired is pinned: models, releases and reports refer to them. */
async function pinnedVersions(
  { store }: DatasetsDependencies,
  project: string,
  asset: string,
): Promise<readonly number[]> {
  const pinned: number[] = [];
  for (let before: number | undefined; ;) {
    const page = await store.read((transaction) =>
      listAssetVersions(transaction, {
        project,
        asset,
        limit: VERSION_PAGE,
        ...(before === undefined ? {} : { before }),
      }),
    );
    for (const { content, expiredAtMs } of page)
      if (expiredAtMs === undefined) pinned.push((content as DatasetContent).deltaVersion);
    before = page.at(-1)?.version;
    if (page.length < VERSION_PAGE) return pinned;
  }
}

/** A writer that lost its claim takes nothing more: what it left may go. */
async function oldestWriteMs(
  { store, clock }: DatasetsDependencies,
  project: string,
  asset: string,
): Promise<number | undefined> {
  const open = await store.read((transaction) => listOpenDatasetWrites(transaction, { project, asset }));
  return open.find(({ expiresAtMs }) => expiresAtMs > clock.now())?.begunAtMs;
}

async function toDatasetSnapshot(analytics: Analytics, snapshot: TableSnapshot): Promise<DatasetSnapshot> {
  return {
    path: snapshot.table.folder,
    files: filesOf(snapshot),
    deltaVersion: snapshot.version,
    columns: snapshot.columns.map(({ name, type }) => ({ name, type })),
    rowCount: await countRows(analytics, snapshot),
  };
}

async function limited(
  connection: AnalyticsConnection,
  source: string,
  limit: number,
  { offset = 0, order }: { readonly offset?: number; readonly order?: string | undefined } = {},
): Promise<QueryResult> {
  const select = `select * from ${source}${order === undefined ? "" : ` order by ${order}`} limit ${limit + 1} offset ${offset}`;
  const columns = await connection.describe(select);
  const rows = await connection.rows(select);
  return { columns, rows: rows.slice(0, limit), truncated: rows.length > limit };
}

/** The user wrote one SELECT and knows nothing of the query around it. */
function placeInQuery(error: unknown, sql: string): unknown {
  if (!isEsteiraError(error, "DATA_QUERY_FAILED")) return error;
  const { line, column, message } = explainSqlError(String(error.context["reason"]), 1);
  return queryFailed({ reason: `line ${line}, column ${column}: ${message}`, sql }, error);
}
