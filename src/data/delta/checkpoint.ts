import { randomUUID } from "node:crypto";
import { unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "#base";
import { INCOMING_FOLDER } from "#storage";
import type { Analytics } from "../analytics/analytics.ts";
import { quotePath, quoteText } from "../analytics/sql-text.ts";
import { tableCorrupt } from "../errors.ts";
import type { Action } from "./actions.ts";
import type { TableSnapshot } from "./snapshot.ts";
import type { Table } from "./table.ts";

/** Fewest commits between two checkpoints; they are at multiples of it. */
export const CHECKPOINT_INTERVAL = 10;
/**
 * So many actions of a snapshot are worth one commit more to wait: otherwise checkpoints, each of which tells of
 * everything, would grow with the log's square.
 */
const ACTIONS_PER_COMMIT = 4;
const MOST_COMMITS = 200;

const TOMBSTONE_RETENTION_MS = 7 * 86_400_000;
const TEXT_MAP = "MAP(VARCHAR, VARCHAR)";
const DELETION_VECTOR =
  'STRUCT("storageType" VARCHAR, "pathOrInlineDv" VARCHAR, "offset" INTEGER, "sizeInBytes" INTEGER, "cardinality" BIGINT)';
/** Every optional column is present, because readers have failed on missing ones. */
const COLUMNS: Readonly<Record<string, string>> = {
  txn: "STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)",
  add: `STRUCT(path VARCHAR, partitionValues ${TEXT_MAP}, size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR, tags ${TEXT_MAP}, deletionVector ${DELETION_VECTOR}, baseRowId BIGINT, defaultRowCommitVersion BIGINT, clusteringProvider VARCHAR)`,
  remove: `STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, partitionValues ${TEXT_MAP}, size BIGINT, deletionVector ${DELETION_VECTOR}, baseRowId BIGINT, defaultRowCommitVersion BIGINT)`,
  metaData: `STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, options ${TEXT_MAP}), schemaString VARCHAR, partitionColumns VARCHAR[], createdTime BIGINT, configuration ${TEXT_MAP})`,
  protocol:
    "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])",
};

function checkpointPath({ path }: Table, version: number): string {
  return `${path}/_delta_log/${String(version).padStart(20, "0")}.checkpoint.parquet`;
}

/** Actions of a classic checkpoint. @throws DATA_TABLE_CORRUPT */
export async function readCheckpoint(analytics: Analytics, table: Table, version: number): Promise<Action[]> {
  const connection = await analytics.connect();
  try {
    const path = checkpointPath(table, version);
    // A table that was made again under its name has checkpoints of the same name.
    await table.files.fetch([{ path, sizeBytes: (await table.files.stat(path))?.sizeBytes }]);
    const source = `read_parquet(${quotePath(join(table.files.folder, path))}, hive_partitioning = false)`;
    const present = new Set((await connection.describe(`select * from ${source}`)).map(({ name }) => name));
    const wanted = Object.keys(COLUMNS).filter((name) => present.has(name));
    const rows = await connection.rows(
      `select ${wanted.map((name) => `to_json("${name}")::VARCHAR as "${name}"`).join(", ")} from ${source}`,
    );
    return rows.map(
      (row) =>
        Object.fromEntries(
          wanted.flatMap((name) => (typeof row[name] === "string" ? [[name, dropNulls(JSON.parse(row[name]))]] : [])),
        ) as Action,
    );
  } catch (error) {
    throw tableCorrupt(
      { table: table.place, reason: `checkpoint ${version} cannot be read (${messageOf(error)})` },
      error,
    );
  } finally {
    connection.close();
  }
}

function dropNulls(action: unknown): object {
  return Object.fromEntries(Object.entries(action as object).filter(([, value]) => value !== null));
}

/** Whether enough happened since the checkpoint before. */
export function isCheckpointDue(snapshot: TableSnapshot, previous: number | undefined): boolean {
  const worth = Math.min(MOST_COMMITS, (snapshot.files.size + snapshot.tombstones.size) / ACTIONS_PER_COMMIT);
  return snapshot.version - (previous ?? 0) >= Math.max(CHECKPOINT_INTERVAL, worth);
}

/** Writes the classic (V1) checkpoint of a snapshot and the hint that points at it. The log entry must exist. */
export async function writeCheckpoint(analytics: Analytics, snapshot: TableSnapshot, nowMs: number): Promise<void> {
  const { table, version } = snapshot;
  const actions = checkpointActions(snapshot, nowMs);
  const scratch = `${INCOMING_FOLDER}/${randomUUID()}.parquet`;
  const temporary = join(table.files.folder, scratch);
  const lines = `${temporary}.ndjson`;
  const connection = await analytics.connect();
  try {
    await table.files.prepare(INCOMING_FOLDER);
    await writeFile(lines, actions.map((action) => JSON.stringify(action)).join("\n"), { mode: 0o600 });
    const columns = Object.entries(COLUMNS).map(([name, type]) => `${quoteText(name)}: ${quoteText(type)}`);
    await connection.run(
      `copy (select * from read_json(${quotePath(lines)}, format = 'newline_delimited', maximum_object_size = 268435456, columns = {${columns.join(", ")}})) to ${quoteText(temporary)} (format parquet)`,
    );
    const { sizeBytes } = await table.files.publish(checkpointPath(table, version), { from: scratch });
    await table.files.put(
      `${table.path}/_delta_log/_last_checkpoint`,
      JSON.stringify({ version, size: actions.length, sizeInBytes: sizeBytes, numOfAddFiles: snapshot.files.size }),
    );
  } finally {
    connection.close();
    await unlink(lines).catch(() => {});
    await unlink(temporary).catch(() => {});
  }
}

function checkpointActions(snapshot: TableSnapshot, nowMs: number): Action[] {
  const unexpired = [...snapshot.tombstones.values()].filter(
    (remove) => (remove.deletionTimestamp ?? 0) > nowMs - TOMBSTONE_RETENTION_MS,
  );
  return [
    { protocol: snapshot.protocol },
    { metaData: snapshot.metadata },
    ...[...snapshot.transactions.values()].map((txn) => ({ txn })),
    ...[...snapshot.files.values()].map((add) => ({ add: { ...add, dataChange: false } })),
    ...unexpired.map((remove) => ({ remove: { ...remove, dataChange: false } })),
  ];
}
