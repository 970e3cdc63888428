import { randomUUID } from "node:crypto";
import { access } from "node:fs/promises";
import { isEsteiraError } from "#base";
import { type AssetVersion, listAssetVersions, type MetadataStore } from "#metadata-store";
import { commitDatasetWrite, type DatasetWriteRecord, endDatasetWrite, getDatasetWrite } from "#metadata-store/data";
import { type MadeVersion, previewSuffix } from "#pipeline";
import type { AnalyticsConnection } from "./analytics/analytics.ts";
import { claimDataset, claimExpiry } from "./claim.ts";
import { compactWhenDue } from "./compact-files.ts";
import type { DatasetContent, DatasetWrite } from "./dataset.ts";
import {
  type DatasetState,
  differenceOf,
  digestOfState,
  type NextState,
  nextState,
  type Superseding,
} from "./dataset-state.ts";
import {
  asSubquery,
  countRows,
  createViews,
  type DatasetsDependencies,
  openTables,
  type SnapshotCache,
} from "./dataset-tables.ts";
import type { Action, AddFile, TableMetadata } from "./delta/actions.ts";
import { type Committed, commitChange, findCommit, type TableChange } from "./delta/commit.ts";
import { isCompaction } from "./delta/compaction.ts";
import { toStoredSelect } from "./delta/data-file.ts";
import { readLogEntry } from "./delta/log-entry.ts";
import { filesOf, filesRelation } from "./delta/relation.ts";
import { assertStorable, toSchemaString } from "./delta/schema.ts";
import { assertWritable, readSnapshot, type TableSnapshot } from "./delta/snapshot.ts";
import { absolutePath, decodePath, discardFiles, fetchFiles, type Table, tableAt } from "./delta/table.ts";
import { rowsLost, tableCorrupt, tableForeign } from "./errors.ts";
import { continueProfile } from "./profile/continued-profile.ts";
import { computeProfile } from "./profile/profile.ts";
import { isHistory, isReplacing } from "./write-disposition.ts";
import { recoverRowSources } from "./recover-row-sources.ts";
import { type RowSources, rowSourcesOf, sourceKey, sumOf, unknownSources, withRowSources } from "./row-sources.ts";

const LARGEST_RETRY = 15;
/** Other tools must not clean away what versions refer to. */
const TABLE_PROPERTIES = {
  "delta.enableExpiredLogCleanup": "false",
  "delta.logRetentionDuration": "interval 3650 days",
  "delta.deletedFileRetentionDuration": "interval 3650 days",
};

export interface WriteDependencies extends DatasetsDependencies {
  readonly snapshots: SnapshotCache;
  readonly openVersion: (version: AssetVersion) => Promise<TableSnapshot>;
}

/** One write, as {@link Datasets.write} says: intent, files, log entry, result; a repeat finds its own commit. */
export async function writeDataset(dependencies: WriteDependencies, write: DatasetWrite): Promise<MadeVersion> {
  const { store, clock, files } = dependencies;
  const tableName = tableNameOf(write);
  const table = tableAt(files, tableName);
  const known = await store.read((transaction) => getDatasetWrite(transaction, write));
  if (known?.made !== undefined && known.state !== "dropped") return known.made as MadeVersion;
  const own = known?.state === "begun" ? await findCommit(table, write.operationId, known.readVersion) : undefined;
  if (own !== undefined) return recordCommit(dependencies, write, { table, committed: own });

  let base: TableSnapshot | undefined;
  const { ghosts, stopRenewing } = await claimDataset(store, clock, { ...write, tableName }, async () => {
    base = await latestSnapshot(dependencies, table);
    if (base !== undefined) assertOwner(table, base, write);
    return base?.version ?? -1;
  });
  const connection = write.connection ?? (await openSandbox(dependencies, write, table));
  const stopWatching = connection.interruptOn(write.signal);
  try {
    // Rows that must be taken back, or that go anyway, are not written again.
    if (base !== undefined && ghosts.length === 0 && !isReplacing(write.disposition))
      await compactWhenDue(dependencies, base, write.operationId);
    const { committed, content } = await commitWithRetry(dependencies, { write, table, connection, ghosts });
    return await recordCommit(
      dependencies,
      { ...write, content: { ...write.content, ...content } },
      { table, committed, ghosts },
    );
  } catch (error) {
    await giveUp(dependencies, write, table, base?.version ?? -1);
    throw error;
  } finally {
    stopWatching();
    stopRenewing();
    if (write.connection === undefined) connection.close();
  }
}

/**
 * Nothing of a failed write is in the log: others need not wait for it. Where that cannot be told, the claim runs out
 * by itself.
 */
async function giveUp(
  { store }: WriteDependencies,
  write: DatasetWrite,
  table: Table,
  readVersion: number,
): Promise<void> {
  try {
    if ((await findCommit(table, write.operationId, readVersion)) !== undefined) return;
    await store.write((transaction) => endDatasetWrite(transaction, { ...write, state: "dropped" }));
  } catch {
    // The error that ended the write is the one to report.
  }
}

/** File names hold what names may: everything else is percent-encoded. */
export function tableNameOf({ project, asset }: { readonly project: string; readonly asset: string }): string {
  const name = encodeURIComponent(asset).replaceAll(/^[._]/g, (first) => `%${first.charCodeAt(0).toString(16)}`);
  // A preview's rows are no others' rows.
  return `${name.replaceAll("~", "%7e")}${previewSuffix(project)}`;
}

async function latestSnapshot(dependencies: WriteDependencies, table: Table): Promise<TableSnapshot | undefined> {
  try {
    return await dependencies.snapshots.get(table);
  } catch (error) {
    if (isEsteiraError(error, "DATA_TABLE_MISSING")) return undefined;
    throw error;
  }
}

function assertOwner(table: Table, base: TableSnapshot, write: DatasetWrite): void {
  assertWritable(base);
  const owner = base.metadata.name;
  if (typeof owner === "string" && owner !== ownerName(write))
    throw tableForeign({ table: table.place, project: write.project, owner });
}

function ownerName(write: DatasetWrite): string {
  return `${write.project}.${write.asset}`;
}

async function openSandbox(
  dependencies: WriteDependencies,
  write: DatasetWrite,
  table: Table,
): Promise<AnalyticsConnection> {
  const tables = await openTables(write.tables ?? new Map(), dependencies.openVersion);
  return dependencies.analytics.sandbox(
    { files: [...tables.values()].flatMap(filesOf), folders: [table.folder, ...(write.folders ?? [])] },
    (connection) => createViews(connection, tables),
  );
}

interface Attempt {
  readonly write: DatasetWrite;
  readonly table: Table;
  readonly connection: AnalyticsConnection;
  readonly ghosts: readonly DatasetWriteRecord[];
}

async function commitWithRetry(dependencies: WriteDependencies, attempt: Attempt): Promise<CommittedContent> {
  for (let number = 1; ; number++) {
    try {
      return await commitOnce(dependencies, attempt);
    } catch (error) {
      if (!isEsteiraError(error, "DATA_WRITE_CONFLICT") || number === LARGEST_RETRY) throw error;
    }
  }
}

/** A commit, and what {@link DatasetWrite.beforeCommit} added to the version's content. */
interface CommittedContent {
  readonly committed: Committed;
  readonly content: DatasetWrite["content"];
}

async function commitOnce(
  dependencies: WriteDependencies,
  { write, table, connection, ghosts }: Attempt,
): Promise<CommittedContent> {
  const atMs = dependencies.clock.now();
  const base = await latestSnapshot(dependencies, table);
  const before = base === undefined ? NOTHING : await withoutGhosts(dependencies, base, ghosts);
  const unsigned =
    write.state === undefined
      ? await writtenState(dependencies, { write, table, connection, before, atMs })
      : await givenState(dependencies, write.state, before);
  try {
    if (write.expectedRows !== undefined && unsigned.rowCount !== write.expectedRows) {
      throw rowsLost({ dataset: write.asset, read: write.expectedRows, published: unsigned.rowCount, quarantined: 0 });
    }
    if (write.beforeCommit !== undefined) await fetchFiles(table, unsigned.files);
    const content = await askBeforeCommit(write, { table, connection, unsigned });
    const next = noteSources(unsigned, write, content);
    if (
      base !== undefined &&
      ghosts.length === 0 &&
      isDropped(base) === (write.state === "dropped") &&
      (await digestOfState(table, next)) === (await digestOfState(table, stateOf(base)))
    ) {
      await discardFiles(table, next.written);
      return { committed: { version: base.version, logDigest: base.logDigest ?? "sha256:" }, content };
    }
    const change = toChange(write, base, next, { schemaString: toSchemaString(next.columns), atMs });
    const rebase =
      write.disposition === "replace"
        ? {
            rebase: (latest: TableSnapshot) =>
              toChange(write, latest, next, { schemaString: toSchemaString(next.columns), atMs }),
          }
        : {};
    const committed = await commitChange({ analytics: dependencies.analytics, table, base, change, atMs, ...rebase });
    return { committed, content };
  } catch (error) {
    await discardFiles(table, unsigned.written);
    throw error;
  }
}

/** What the writer says of the rows that are written and not yet visible. */
async function askBeforeCommit(
  write: DatasetWrite,
  {
    table,
    connection,
    unsigned,
  }: { readonly table: Table; readonly connection: AnalyticsConnection; readonly unsigned: NextState },
): Promise<DatasetWrite["content"]> {
  const { merged, columns, written, kept } = unsigned;
  const relationOf = (files: readonly AddFile[]): string =>
    filesRelation(
      files.map((file) => absolutePath(table, file.path)),
      columns,
    );
  const all = relationOf(unsigned.files);
  const standsApart = write.disposition === "append" && kept.length === 0 && write.slices === undefined;
  const said = await write.beforeCommit?.({
    rowCount: unsigned.rowCount,
    superseded: unsigned.superseded,
    outside: unsigned.outside ?? 0,
    merged,
    relation: isHistory(write.disposition) ? `(select * from ${all} where is_current)` : all,
    added: standsApart ? relationOf(written) : all,
    connection,
  });
  return merged === undefined ? said : { ...said, merged };
}

const NOTHING: DatasetState & { readonly dropped: boolean } = { columns: [], files: [], dropped: false };

interface Writing {
  readonly write: DatasetWrite;
  readonly table: Table;
  readonly connection: AnalyticsConnection;
  readonly before: DatasetState & { readonly dropped: boolean };
  readonly atMs: number;
}

async function writtenState(
  dependencies: WriteDependencies,
  { write, table, connection, before, atMs }: Writing,
): Promise<NextState> {
  const stored =
    write.columns === undefined
      ? await toStoredSelect(
          connection,
          write.connection === undefined ? `select * from ${asSubquery(write.select)}` : write.select,
        )
      : { select: write.select, columns: write.columns };
  assertStorable(stored.columns);
  const select = write.check === undefined ? stored.select : await write.check.split(connection, stored);
  const start = before.dropped ? NOTHING : before;
  const supersedes = await supersedingOf(dependencies, write, table, start);
  return nextState(start, {
    connection,
    table,
    asset: write.asset,
    disposition: write.disposition,
    columns: stored.columns,
    select,
    atMs,
    supersedes,
    slices: write.slices,
    whole: write.whole,
    gone: write.gone,
    log: write.note,
  });
}

/** @throws DATA_TABLE_CORRUPT when a file of the version is gone */
async function givenState(
  dependencies: WriteDependencies,
  state: NonNullable<DatasetWrite["state"]>,
  before: DatasetState,
): Promise<NextState> {
  const unwritten = { rowCount: 0, written: [], kept: [], superseded: 0 };
  if (state === "dropped") return { columns: before.columns, files: [], ...unwritten };
  const snapshot = await dependencies.openVersion(state);
  for (const path of filesOf(snapshot)) {
    await access(path).catch((error: unknown) => {
      throw tableCorrupt({ table: snapshot.table.place, reason: `${path} of version ${state.version} is gone` }, error);
    });
  }
  return { ...stateOf(snapshot), ...unwritten };
}

/** Property of a table: what is made under its name starts anew. */
const DROPPED = "esteira.dropped";

function isDropped({ metadata }: Pick<TableSnapshot, "metadata">): boolean {
  return metadata.configuration[DROPPED] === "true";
}

/**
 * Where the rows of superseded sources are: what the files say of themselves, and for older files what is recorded of
 * their versions.
 */
async function supersedingOf(
  dependencies: WriteDependencies,
  write: DatasetWrite,
  table: Table,
  before: DatasetState,
): Promise<Superseding | undefined> {
  if (write.supersedes === undefined || write.supersedes.length === 0) return undefined;
  const isOlder = before.files.some((file) => rowSourcesOf(file) === undefined);
  const recovered = isOlder
    ? await recoverRowSources(dependencies.store, { project: write.project, asset: write.asset, table })
    : new Map<string, RowSources>();
  return {
    sources: write.supersedes.map(({ digest, path, rows }) => ({ key: sourceKey(digest), path, rows })),
    sourcesOf: (file) => rowSourcesOf(file) ?? recovered.get(file.path),
  };
}

function noteSources(next: NextState, write: DatasetWrite, content: DatasetWrite["content"]): NextState {
  const columns = next.columns.map((column) => {
    const original = column.original ?? write.originals?.get(column.name);
    const format = column.format ?? write.formats?.get(column.name);
    return {
      ...column,
      ...(original === undefined ? {} : { original }),
      ...(format === undefined ? {} : { format }),
    };
  });
  const [written] = next.written;
  if (written === undefined) return { ...next, columns };
  const stayed = next.rowCount - (next.overtaken ?? 0);
  const captured = content?.captured ?? write.content?.captured;
  const fresh =
    captured?.map(({ digest, rows }) => [sourceKey(digest), rows] as const) ??
    (write.source === undefined ? unknownSources(stayed) : [[sourceKey(write.source), stayed] as const]);
  const noted = withRowSources(written, [...next.kept, ...(sumOf(fresh) === stayed ? fresh : unknownSources(stayed))]);
  return { ...next, columns, files: next.files.map((file) => (file === written ? noted : file)), written: [noted] };
}

function stateOf(snapshot: TableSnapshot): DatasetState {
  return {
    columns: snapshot.columns.map(({ name, type, original, format }) => ({
      name,
      type,
      ...(original === undefined ? {} : { original }),
      ...(format === undefined ? {} : { format }),
    })),
    files: [...snapshot.files.values()],
  };
}

/**
 * The state without what writers left that were never recorded: that of the version recorded last, and every later
 * entry of the log that is not one of theirs. An entry that took back another ghost is skipped as a whole, and what it
 * took back with it.
 */
async function withoutGhosts(
  dependencies: WriteDependencies,
  base: TableSnapshot,
  ghosts: readonly DatasetWriteRecord[],
): Promise<DatasetState & { readonly dropped: boolean }> {
  const [ghost] = ghosts;
  if (ghost === undefined) return { ...stateOf(base), dropped: isDropped(base) };
  const { analytics, store, log } = dependencies;
  const unrecorded = new Set(ghosts.map(({ operationId }) => operationId));
  const isGhost = async (operationId: string | undefined) =>
    operationId !== undefined &&
    (unrecorded.has(operationId) || (await isDroppedWrite(store, { ...ghost, operationId })));
  const from = await recordedVersion(store, ghost);
  let last = from < 0 ? undefined : await readSnapshot(analytics, base.table, { version: from });
  const files = new Map(last?.files);
  for (let version = from + 1; version <= base.version; version++) {
    const { actions } = await logEntryOf(base.table, version);
    const operationId = operationOf(actions);
    if (await isGhost(operationId)) {
      log.warn("took back a write that was never recorded", {
        asset: ghost.asset,
        operation: operationId,
        deltaVersion: version,
      });
      continue;
    }
    if (compactsOthers(actions, files)) continue;
    applyActions(files, actions);
    if (last === undefined || actions.some(({ metaData }) => metaData !== undefined))
      last = await readSnapshot(analytics, base.table, { version });
  }
  return {
    columns: last === undefined ? [] : stateOf(last).columns,
    files: [...files.values()],
    dropped: last !== undefined && isDropped(last),
  };
}

/** The version of the table that the newest recorded version of the dataset is; -1 when none is recorded. */
async function recordedVersion(store: MetadataStore, { project, asset }: DatasetWriteRecord): Promise<number> {
  const [recorded] = await store.read((transaction) => listAssetVersions(transaction, { project, asset, limit: 1 }));
  return (recorded?.content as DatasetContent | undefined)?.deltaVersion ?? -1;
}

async function logEntryOf(table: Table, version: number): Promise<{ readonly actions: readonly Action[] }> {
  const entry = await readLogEntry(table, version);
  if (entry === undefined) throw tableCorrupt({ table: table.place, reason: `log entry ${version} is missing` });
  return entry;
}

function operationOf(actions: readonly Action[]): string | undefined {
  return actions.find(({ commitInfo }) => commitInfo !== undefined)?.commitInfo?.txnId;
}

async function isDroppedWrite(
  store: MetadataStore,
  key: { readonly project: string; readonly asset: string; readonly operationId: string },
): Promise<boolean> {
  return (await store.read((transaction) => getDatasetWrite(transaction, key)))?.state === "dropped";
}

/** A compaction that wrote rows of a ghost among others goes with them; the files it read are still there. */
function compactsOthers(actions: readonly Action[], files: ReadonlyMap<string, AddFile>): boolean {
  return (
    isCompaction(actions) && actions.some(({ remove }) => remove !== undefined && !files.has(decodePath(remove.path)))
  );
}

function applyActions(files: Map<string, AddFile>, actions: readonly Action[]): void {
  for (const { remove } of actions) if (remove !== undefined) files.delete(decodePath(remove.path));
  for (const { add } of actions) if (add !== undefined) files.set(decodePath(add.path), add);
}

function toChange(
  write: DatasetWrite,
  base: TableSnapshot | undefined,
  next: NextState,
  { schemaString, atMs }: { readonly schemaString: string; readonly atMs: number },
): TableChange {
  const { adds, removes } = base === undefined ? { adds: next.files, removes: [] } : differenceOf(base, next);
  const metadata = nextMetadata(write, base, schemaString, atMs);
  return {
    operation: (typeof write.disposition === "object" || isSliced(write)) && base !== undefined ? "MERGE" : "WRITE",
    mode: base === undefined ? "ErrorIfExists" : write.disposition === "replace" ? "Overwrite" : "Append",
    txnId: write.operationId,
    userMetadata: write.provenance === undefined ? undefined : JSON.stringify(write.provenance),
    adds,
    removes,
    metadata,
    protocol: base === undefined ? { minReaderVersion: 1, minWriterVersion: 2 } : undefined,
    reads:
      write.disposition === "append" && !isSliced(write)
        ? removes.length === 0
          ? "nothing"
          : new Set(removes.map((file) => file.path))
        : "everything",
  };
}

/** Slices of what is there go and come: what others change meanwhile may be of them. */
function isSliced(write: DatasetWrite): boolean {
  return write.slices !== undefined && write.disposition !== "replace";
}

function nextMetadata(
  write: DatasetWrite,
  base: TableSnapshot | undefined,
  schemaString: string,
  atMs: number,
): TableMetadata | undefined {
  if (base !== undefined) {
    const isSame = base.metadata.schemaString === schemaString || sameColumns(base, schemaString);
    if (isSame && isDropped(base) === (write.state === "dropped")) return undefined;
    const { [DROPPED]: _, ...configuration } = base.metadata.configuration;
    return {
      ...base.metadata,
      schemaString,
      configuration: write.state === "dropped" ? { ...configuration, [DROPPED]: "true" } : configuration,
    };
  }
  return {
    id: randomUUID(),
    name: ownerName(write),
    format: { provider: "parquet", options: {} },
    schemaString,
    partitionColumns: [],
    configuration: TABLE_PROPERTIES,
    createdTime: atMs,
  };
}

/** Another writer's schema text may say the same in other words. */
function sameColumns(base: TableSnapshot, schemaString: string): boolean {
  return toSchemaString(base.columns) === schemaString;
}

/** The commit as a version, noted in the intent, so that a repeat answers the same. */
async function recordCommit(
  dependencies: WriteDependencies,
  write: DatasetWrite,
  {
    table,
    committed,
    ghosts = [],
  }: { readonly table: Table; readonly committed: Committed; readonly ghosts?: readonly DatasetWriteRecord[] },
): Promise<MadeVersion> {
  const { store, clock } = dependencies;
  const snapshot = await dependencies.snapshots.get(table, committed.version);
  const made = await toMadeVersion(dependencies, write, snapshot, committed);
  await store.write(async (transaction) => {
    for (const ghost of ghosts) await endDatasetWrite(transaction, { ...ghost, state: "dropped" });
    await commitDatasetWrite(transaction, {
      ...write,
      deltaVersion: committed.version,
      digest: made.digest,
      made,
      expiresAtMs: claimExpiry(clock),
    });
  });
  return made;
}

async function toMadeVersion(
  dependencies: WriteDependencies,
  write: DatasetWrite,
  snapshot: TableSnapshot,
  committed: Committed,
): Promise<MadeVersion> {
  const { columns, files } = stateOf(snapshot);
  const rowCount = await countRows(dependencies.analytics, snapshot);
  const content: DatasetContent = {
    format: "delta/1",
    table: tableNameOf(write),
    deltaVersion: snapshot.version,
    tableId: snapshot.metadata.id,
    logDigest: committed.logDigest,
    columns,
    profile: await storeProfile(dependencies, write, snapshot, rowCount),
    ...write.content,
  };
  return {
    asset: write.asset,
    kind: write.kind ?? "data",
    digest: await digestOfState(snapshot.table, { columns, files }),
    rowCount,
    sizeBytes: files.reduce((sum, file) => sum + file.size, 0),
    content,
  };
}

async function storeProfile(
  { analytics, objects }: WriteDependencies,
  write: DatasetWrite,
  snapshot: TableSnapshot,
  rowCount: number,
): Promise<NonNullable<DatasetContent["profile"]>> {
  // What is appended once is likely to be appended to again; the rows of foreign partitions are in no order.
  const grows =
    write.disposition === "append" &&
    write.slices === undefined &&
    write.state === undefined &&
    snapshot.version > 0 &&
    snapshot.metadata.partitionColumns.length === 0;
  if (!grows) await fetchFiles(snapshot.table, snapshot.files.values());
  const profile = await (grows ? continueProfile : computeProfile)(analytics, snapshot, rowCount);
  return (await objects.put(JSON.stringify(profile))).digest;
}
