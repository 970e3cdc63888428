import { type Digest, digestOf } from "#base";
import type { Analytics, Column } from "../analytics/analytics.ts";
import { tableCorrupt, tableMissing, tableUnsupported, versionMissing } from "../errors.ts";
import type { Action, AddFile, Protocol, RemoveFile, TableMetadata, Transaction } from "./actions.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { listLog, type LogListing, readLogEntry } from "./log-entry.ts";
import { type DeltaField, parseSchemaString } from "./schema.ts";
import { decodePath, type Table } from "./table.ts";

/** So many log entries are read sooner than a checkpoint. */
const NEAR_COMMITS = 20;
const READABLE_FEATURES = new Set(["timestampNtz"]);
const WRITABLE_FEATURES = new Set(["appendOnly", "invariants"]);
const FORBIDDEN_FIELD_METADATA = ["delta.invariants", "delta.generationExpression", "delta.identity."];

/** A table at one version, by replay of its log. */
export interface TableSnapshot {
  readonly table: Table;
  readonly version: number;
  readonly protocol: Protocol;
  readonly metadata: TableMetadata;
  readonly columns: readonly (Column & { readonly field: DeltaField })[];
  /** Live files by decoded path, in order of arrival. */
  readonly files: ReadonlyMap<string, AddFile>;
  readonly tombstones: ReadonlyMap<string, RemoveFile>;
  readonly transactions: ReadonlyMap<string, Transaction>;
  /** Digest of the log entry of this version; undefined when only a checkpoint tells of it. */
  readonly logDigest: Digest | undefined;
}

interface State {
  protocol: Protocol | undefined;
  metadata: TableMetadata | undefined;
  files: Map<string, AddFile>;
  tombstones: Map<string, RemoveFile>;
  transactions: Map<string, Transaction>;
}

/**
 * Replays a table's log up to `version` (default: the latest), from the newest checkpoint or from `base`.
 *
 * @throws DATA_TABLE_MISSING, DATA_VERSION_MISSING, DATA_TABLE_CORRUPT, DATA_TABLE_UNSUPPORTED
 */
export async function readSnapshot(
  analytics: Analytics,
  table: Table,
  options: { readonly version?: number; readonly base?: TableSnapshot | undefined } = {},
): Promise<TableSnapshot> {
  const { listing, latest } = await listTable(table);
  const version = options.version ?? latest;
  if (version > latest) throw versionMissing({ table: table.place, version, latest });
  const base = options.base !== undefined && options.base.version <= version ? options.base : undefined;
  if (base?.version === version) return base;
  const { state, from } = await startState({
    analytics,
    table,
    version,
    base,
    checkpoints: listing.checkpoints,
    firstEntry: listing.entries[0],
  });
  for (let number = from; number <= version; number++) {
    const entry = await readLogEntry(table, number);
    if (entry !== undefined) applyActions(state, entry.actions);
    else if ((listing.entries[0] ?? 0) > number) throw versionMissing({ table: table.place, version, latest });
    else throw tableCorrupt({ table: table.place, reason: `log entry ${number} is missing between others` });
  }
  return finish(table, version, state, await digestOfEntry(table, version));
}

async function listTable(table: Table): Promise<{ listing: LogListing; latest: number }> {
  const listing = await listLog(table);
  const latest = Math.max(listing.entries.at(-1) ?? -1, listing.checkpoints.at(-1) ?? -1);
  if (latest < 0) throw tableMissing({ table: table.place });
  return { listing, latest };
}

async function digestOfEntry(table: Table, version: number): Promise<Digest | undefined> {
  const entry = await readLogEntry(table, version);
  return entry === undefined ? undefined : digestOf(entry.text);
}

async function startState(start: {
  readonly analytics: Analytics;
  readonly table: Table;
  readonly version: number;
  readonly base: TableSnapshot | undefined;
  readonly checkpoints: readonly number[];
  readonly firstEntry: number | undefined;
}): Promise<{ state: State; from: number }> {
  const { base, version } = start;
  const checkpoint = start.checkpoints.findLast((number) => number <= version && number > (base?.version ?? -1));
  const isNear =
    base !== undefined && version - base.version <= NEAR_COMMITS && (start.firstEntry ?? 0) <= base.version + 1;
  if (checkpoint !== undefined && !isNear) {
    const state = emptyState();
    applyActions(state, await readCheckpoint(start.analytics, start.table, checkpoint));
    return { state, from: checkpoint + 1 };
  }
  if (base === undefined) return { state: emptyState(), from: 0 };
  const state = {
    protocol: base.protocol,
    metadata: base.metadata,
    files: new Map(base.files),
    tombstones: new Map(base.tombstones),
    transactions: new Map(base.transactions),
  };
  return { state, from: base.version + 1 };
}

function emptyState(): State {
  return { protocol: undefined, metadata: undefined, files: new Map(), tombstones: new Map(), transactions: new Map() };
}

function applyActions(state: State, actions: readonly Action[]): void {
  // Within one version the order of actions has no meaning, except that a path may be removed and added again.
  for (const { remove } of actions) {
    if (remove === undefined || remove === null) continue;
    const key = decodePath(remove.path);
    state.files.delete(key);
    state.tombstones.set(key, remove);
  }
  for (const { add, protocol, metaData, txn } of actions) {
    if (add !== undefined && add !== null) {
      const key = decodePath(add.path);
      state.files.delete(key);
      state.files.set(key, add);
      state.tombstones.delete(key);
    }
    if (protocol !== undefined && protocol !== null) state.protocol = protocol;
    if (metaData !== undefined && metaData !== null) state.metadata = metaData;
    if (txn !== undefined && txn !== null) state.transactions.set(txn.appId, txn);
  }
}

function finish(table: Table, version: number, state: State, logDigest: Digest | undefined): TableSnapshot {
  const { protocol, metadata } = state;
  if (protocol === undefined)
    throw tableCorrupt({ table: table.place, reason: `version ${version} has no protocol action` });
  if (metadata === undefined)
    throw tableCorrupt({ table: table.place, reason: `version ${version} has no metaData action` });
  assertReadable(table, protocol, metadata);
  for (const file of state.files.values()) {
    if (file.deletionVector !== undefined && file.deletionVector !== null)
      throw tableUnsupported({ table: table.place, feature: "deletion vectors", access: "read" });
  }
  return {
    table,
    version,
    protocol,
    metadata,
    columns: parseSchemaString(metadata.schemaString, table.place),
    files: state.files,
    tombstones: state.tombstones,
    transactions: state.transactions,
    logDigest,
  };
}

/** @throws DATA_TABLE_UNSUPPORTED naming the feature */
function assertReadable(table: Table, protocol: Protocol, metadata: TableMetadata): void {
  const refuse = (feature: string): never => {
    throw tableUnsupported({ table: table.place, feature, access: "read" });
  };
  const mapping = metadata.configuration["delta.columnMapping.mode"];
  if (mapping !== undefined && mapping !== "none") refuse("column mapping");
  if (protocol.minReaderVersion <= 2) return;
  if (protocol.minReaderVersion > 3) refuse(`reader version ${protocol.minReaderVersion}`);
  const unknown = (protocol.readerFeatures ?? []).find((feature) => !READABLE_FEATURES.has(feature));
  if (unknown !== undefined) refuse(`the feature "${unknown}"`);
}

/** @throws DATA_TABLE_UNSUPPORTED naming the feature */
export function assertWritable(snapshot: TableSnapshot): void {
  const refuse = (feature: string): never => {
    throw tableUnsupported({ table: snapshot.table.place, feature, access: "write" });
  };
  const { protocol } = snapshot;
  if (protocol.minWriterVersion === 7) {
    const unknown = (protocol.writerFeatures ?? []).find((feature) => !WRITABLE_FEATURES.has(feature));
    if (unknown !== undefined) refuse(`the feature "${unknown}"`);
  } else if (protocol.minWriterVersion > 2) {
    refuse(`writer version ${protocol.minWriterVersion}`);
  }
  for (const { name, field } of snapshot.columns) {
    const key = Object.keys(field.metadata).find((candidate) =>
      FORBIDDEN_FIELD_METADATA.some((prefix) => candidate.startsWith(prefix)),
    );
    if (key !== undefined) refuse(`${key} on column "${name}"`);
  }
  if (snapshot.metadata.partitionColumns.length > 0) refuse("partition columns");
}
