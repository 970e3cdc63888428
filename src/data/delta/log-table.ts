import { randomUUID } from "node:crypto";
import { type Clock, isEsteiraError } from "#base";
import type { LocalFiles } from "#storage";
import type { Analytics, AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { createSnapshotCache } from "../dataset-tables.ts";
import type { AddFile } from "./actions.ts";
import { commitChange } from "./commit.ts";
import { type FileForm, writeDataFile } from "./data-file.ts";
import { readLogEntry } from "./log-entry.ts";
import { filesRelation, holdsColumns, plainRelation } from "./relation.ts";
import { toSchemaString } from "./schema.ts";
import type { TableSnapshot } from "./snapshot.ts";
import { absolutePath, discardFiles, fetchFiles, type Table, tableAt } from "./table.ts";
import { type VacuumResult, vacuumTable } from "./vacuum.ts";

/** A data file of a log, with what its table says of it. */
export interface LogFile {
  /** As the table names it. */
  readonly path: string;
  readonly rows: number;
  readonly sizeBytes: number;
  /** Least and largest values by column; a column that has none is not there. */
  readonly least: Readonly<Record<string, unknown>>;
  readonly largest: Readonly<Record<string, unknown>>;
}

/** A log at one version. */
export interface LogVersion {
  readonly version: number;
  readonly files: readonly LogFile[];
  /** What each writer counted last, by its name. */
  readonly counts: ReadonlyMap<string, number>;
}

/** A change of a log: files that come and files that go, in one version. */
export interface LogChange {
  /** Undefined: the table is made. */
  readonly base: LogVersion | undefined;
  /** SELECTs over `connection`, each with the columns of the table in their order; one file each. */
  readonly selects: readonly string[];
  readonly connection: AnalyticsConnection;
  readonly removes: readonly LogFile[];
  /** The same rows in other files: readers need not look. */
  readonly isRearranged?: boolean;
  /** Nobody else may have counted on since `base`. */
  readonly count?: { readonly writer: string; readonly number: number } | undefined;
}

/**
 * Delta tables that grow at one end and whose files are read by their bounds: a row is written once, and goes with its
 * file.
 */
export interface LogTables {
  /** @returns undefined when there is no table; `version` default: the latest. @throws DATA_VERSION_MISSING */
  open(folder: string, version?: number): Promise<LogVersion | undefined>;
  /**
   * @returns the new version
   * @throws DATA_WRITE_CONFLICT when somebody changed what the change builds on; DATA_STORAGE_FAILED
   */
  commit(folder: string, change: LogChange): Promise<number>;
  /** Files that a version brought with new rows. */
  addedBy(folder: string, version: number): Promise<readonly LogFile[]>;
  /** Rows of some files as SQL, `(SELECT …)`, readable on this machine when this resolves. */
  relation(folder: string, files: readonly LogFile[]): Promise<string>;
  /** Removes files that neither the latest version nor one of `pinned` names. */
  vacuum(
    folder: string,
    request: { readonly pinned: readonly number[]; readonly retentionMs: number; readonly dryRun: boolean },
  ): Promise<VacuumResult>;
}

/** Where each file goes back to, for a change that removes it. */
const actions = new WeakMap<LogFile, AddFile>();

/** Makes the door to logs of one shape. */
export function createLogTables(of: {
  readonly analytics: Analytics;
  readonly files: LocalFiles;
  readonly clock: Clock;
  readonly columns: readonly Column[];
  readonly form: FileForm;
}): LogTables {
  const { analytics, files, clock, columns, form } = of;
  const snapshots = createSnapshotCache(analytics);
  const versions = new WeakMap<TableSnapshot, LogVersion>();

  async function snapshotOf(table: Table, version?: number): Promise<TableSnapshot | undefined> {
    try {
      return await snapshots.get(table, version);
    } catch (error) {
      if (isEsteiraError(error, "DATA_TABLE_MISSING")) return undefined;
      throw error;
    }
  }

  async function write(table: Table, change: LogChange, atMs: number): Promise<AddFile[]> {
    const adds: AddFile[] = [];
    try {
      for (const select of change.selects) {
        const written = await writeDataFile(change.connection, table, { select, columns, form }, atMs);
        if (written !== undefined) adds.push(written.add);
      }
      return adds;
    } catch (error) {
      await discardFiles(table, adds);
      throw error;
    }
  }

  return {
    async open(folder, version) {
      const snapshot = await snapshotOf(tableAt(files, folder), version);
      if (snapshot === undefined) return undefined;
      const known = versions.get(snapshot);
      if (known !== undefined) return known;
      const opened = {
        version: snapshot.version,
        files: [...snapshot.files.values()].map(toLogFile),
        counts: new Map([...snapshot.transactions].map(([writer, { version: number }]) => [writer, number])),
      };
      versions.set(snapshot, opened);
      return opened;
    },

    async commit(folder, change) {
      const table = tableAt(files, folder);
      const atMs = clock.now();
      const base = change.base === undefined ? undefined : await snapshotOf(table, change.base.version);
      const adds = await write(table, change, atMs);
      const { count } = change;
      try {
        const { version } = await commitChange({
          analytics,
          table,
          base,
          change: {
            operation: change.isRearranged === true ? "OPTIMIZE" : "WRITE",
            mode: "Append",
            txnId: randomUUID(),
            transaction: count === undefined ? undefined : { appId: count.writer, version: count.number },
            adds,
            removes: change.removes.map(actionOf),
            reads: change.removes.length === 0 ? "nothing" : new Set(change.removes.map(({ path }) => path)),
            ...(base === undefined ? newTable(folder, columns, atMs) : widenedTable(base, columns)),
          },
          atMs,
        });
        return version;
      } catch (error) {
        // A write that failed may have happened: only what another writer forestalled is known to be named nowhere.
        if (isEsteiraError(error, "DATA_WRITE_CONFLICT")) await discardFiles(table, adds);
        throw error;
      }
    },

    async addedBy(folder, version) {
      const entry = await readLogEntry(tableAt(files, folder), version);
      return (entry?.actions ?? []).flatMap(({ add }) =>
        add === undefined || add === null || !add.dataChange ? [] : [toLogFile(add)],
      );
    },

    async relation(folder, wanted) {
      const table = tableAt(files, folder);
      const adds = wanted.map(actionOf);
      await fetchFiles(table, adds);
      const paths = adds.map(({ path }) => absolutePath(table, path));
      return adds.length > 0 && adds.every((add) => holdsColumns(add, columns))
        ? plainRelation(paths, columns)
        : filesRelation(paths, columns);
    },

    vacuum: (folder, { pinned, retentionMs, dryRun }) =>
      vacuumTable({
        analytics,
        table: tableAt(files, folder),
        pinned: async () => pinned,
        writingSinceMs: async () => undefined,
        nowMs: clock.now(),
        retentionMs,
        dryRun,
      }),
  };
}

function newTable(folder: string, columns: readonly Column[], atMs: number) {
  return {
    protocol: { minReaderVersion: 1, minWriterVersion: 2 },
    metadata: {
      id: randomUUID(),
      name: folder,
      format: { provider: "parquet", options: {} },
      schemaString: toSchemaString(columns),
      partitionColumns: [],
      configuration: {},
      createdTime: atMs,
    },
  };
}

/** A log that a program wrote which knew fewer columns gets the others. */
function widenedTable(
  base: TableSnapshot,
  columns: readonly Column[],
): { readonly metadata?: TableSnapshot["metadata"] } {
  const known = new Set(base.columns.map(({ name }) => name));
  if (columns.every(({ name }) => known.has(name))) return {};
  return { metadata: { ...base.metadata, schemaString: toSchemaString(columns) } };
}

function toLogFile(add: AddFile): LogFile {
  const { numRecords, minValues, maxValues } = fieldsOf(JSON.parse(add.stats ?? "{}"));
  const file: LogFile = {
    path: add.path,
    rows: typeof numRecords === "number" ? numRecords : 0,
    sizeBytes: add.size,
    least: fieldsOf(minValues),
    largest: fieldsOf(maxValues),
  };
  actions.set(file, add);
  return file;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function actionOf(file: LogFile): AddFile {
  const add = actions.get(file);
  if (add === undefined) throw new Error(`${file.path} is no file of an opened log`);
  return add;
}
