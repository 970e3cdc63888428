import type { Digest, Json } from "#base";
import type { AssetVersion, WriteTransaction } from "#metadata-store";
import type { MadeVersion } from "#pipeline";
import type { AnalyticsConnection, Column } from "./analytics/analytics.ts";
import type { CompactedFiles } from "./compact-dataset.ts";
import type { Row } from "./analytics/rows.ts";
import type { OutlierBounds } from "./contract/outliers.ts";
import type { RowCheck } from "./contract/row-check.ts";
import type { IntervalUnit } from "./transform/intervals.ts";

/** How new rows meet the rows that are there. */
export type WriteDisposition = "append" | "replace" | MergeDisposition | HistoryDisposition;

interface KeyedDisposition {
  /** Column with the time of the change that a row tells. */
  readonly updated_at?: string | undefined;
  /** Of new rows with an equal key the last one stays; without it they are an error. */
  readonly duplicates?: "last" | undefined;
  /** SQL condition over a new row: it tells that the row with its key is deleted. */
  readonly delete_when?: string | undefined;
  /** The new rows are all that there are: what is not among them is deleted. */
  readonly delete?: "missing" | undefined;
  /** Nothing of what is there stays. Not declared: somebody asked for it. */
  readonly anew?: true | undefined;
}

/** Rows with an equal key are replaced, others are added. */
export interface MergeDisposition extends KeyedDisposition {
  readonly merge: readonly string[];
}

/** Each key has versions of its row, one behind the other in time (slowly changing dimension of type 2). */
export interface HistoryDisposition extends KeyedDisposition {
  readonly history: readonly string[];
  /** Columns whose change makes a further version; default all but the key and `updated_at`. */
  readonly check?: readonly string[] | undefined;
}

/** What a merge did, in keys. */
export interface MergedKeys {
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  /** New rows that changed nothing: older than what is there, or the same. */
  readonly unchanged: number;
}

/** What is known of new rows that are all that their source has. */
export interface WholeSource {
  /** SELECT of the keys of rows that were read and held back: they are not missing. Undefined where there are none. */
  readonly heldKeys?: string | undefined;
  /** Why it cannot be told what is missing: then nothing is deleted. */
  readonly unknown?: string | undefined;
  /** Without any row, everything is deleted. */
  readonly mayBeEmpty: boolean;
}

/** `AssetVersion.content` of kinds `data` and `features`. */
export interface DatasetContent {
  readonly format: "delta/1";
  /** Folder name below `datasets/`. */
  readonly table: string;
  readonly deltaVersion: number;
  readonly tableId: string;
  /** Digest of the log entry that made the version. */
  readonly logDigest: Digest;
  readonly columns: readonly Column[];
  /** Digest of the profile (`profile/2` JSON) in the object store. */
  readonly profile?: Digest;
  /** What the contract let pass and held back when this version was made. */
  readonly quarantine?: QuarantineSummary;
  /** Rules about the dataset, as they were when it was made. */
  readonly checks?: readonly CheckedRule[];
  /** What later versions are compared with, by measure and column. */
  readonly measured?: Readonly<Record<string, number>>;
  /** `COLUMN: TREATMENT` of the contract → values that it changed, of the rows that were read for this version. */
  readonly treated?: Readonly<Record<string, number>>;
  /** Column → beyond what a value of this version was an outlier. */
  readonly bounds?: Readonly<Record<string, OutlierBounds>>;
  /** Column → type that its maker gave it, where a Delta table has none like it. */
  readonly storedFrom?: Readonly<Record<string, string>>;
  /** Column lineage of the SQL that made it. */
  readonly lineage?: Json;
  /** The source files captured with this version. */
  readonly captured?: readonly { readonly path: string; readonly digest: Digest; readonly rows: number }[];
  /** Where the reading of its source ended: the next one goes on from there. */
  readonly cursor?: Json;
  /** Source files of which rows that were held back before came with this version. */
  readonly replayed?: readonly { readonly path: string; readonly digest: Digest; readonly rows: number }[];
  /** Rows of earlier contents of these files that went with this version. */
  readonly superseded?: {
    readonly files: readonly { readonly path: string; readonly digest: Digest }[];
    readonly rows: number;
  };
  /** The version whose content this one has again. */
  readonly restoredFrom?: number;
  /** It was dropped: nothing is in it. */
  readonly dropped?: boolean;
  /** What an incremental model filled of it, and by which SQL. */
  readonly incremental?: IncrementalLedger;
  /** What the merge that made it did. */
  readonly merged?: MergedKeys;
  /** How they were captured: unless it says `replace`, the files of earlier versions are still in this one. */
  readonly disposition?: WriteDisposition;
}

/** What a version of a dataset says of itself. */
export function contentOf({ content }: { readonly content: object }): DatasetContent {
  return content as DatasetContent;
}

/** A version that a step makes once more, as nothing changed. */
export function madeAgain({ asset, kind, digest, rowCount, sizeBytes, content }: AssetVersion): MadeVersion {
  return {
    asset,
    kind,
    digest,
    content,
    ...(rowCount === undefined ? {} : { rowCount }),
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
}

/** What an incremental model has done up to a version. */
export interface IncrementalLedger {
  /** Digest of what its SQL says: another one makes the dataset anew. */
  readonly sql: Digest;
  /** Merged by these columns. */
  readonly key?: readonly string[];
  /** Column by whose value rows belong to an interval, with the intervals that are filled: merged spans in UTC. */
  readonly time?: string;
  readonly interval?: IntervalUnit;
  readonly filled?: readonly (readonly [start: string, end: string])[];
  /** What it was made from: rows that came later are found by these. */
  readonly inputs?: Readonly<Record<string, { readonly version: number; readonly digest: Digest }>>;
}

/** A rule about a dataset, and what was found of it. */
export interface CheckedRule {
  readonly id: string;
  readonly expectation: string;
  readonly severity: "error" | "warning";
  readonly value: string;
  /** Undefined: it cannot be judged yet. */
  readonly holds?: boolean;
}

/** Always `read = published + quarantined + duplicates`. */
export interface QuarantineSummary {
  readonly read: number;
  readonly published: number;
  readonly quarantined: number;
  /** Left out, because the contract says that one row is to be kept of those that are the same. */
  readonly duplicates?: number;
  /** Rows per rule; a row that breaks two rules counts in both. */
  readonly rules: Readonly<Record<string, number>>;
}

/** A version's rows, ready to read. */
export interface DatasetSnapshot {
  /** Absolute folder of the Delta table. */
  readonly path: string;
  /** Absolute Parquet files that hold exactly the version's rows. */
  readonly files: readonly string[];
  readonly deltaVersion: number;
  readonly columns: readonly Column[];
  readonly rowCount: number;
}

/** Spans of a time column, in epoch milliseconds, their ends excluded; of one key, where one is said. */
export interface DatasetSlices {
  /** Undefined: they are told by the key alone, and there are no spans. */
  readonly column: string | undefined;
  /** First dates and those after the last, in the place of the spans where the column holds dates. */
  readonly dates?: readonly (readonly [from: string, to: string])[] | undefined;
  /** Only rows with this value, as text, are of the slices. */
  readonly key?: { readonly column: string; readonly value: string } | undefined;
  /** To be filled with the new rows. */
  readonly spans: readonly (readonly [start: number, end: number])[];
  /** To be emptied. */
  readonly emptied: readonly (readonly [start: number, end: number])[];
}

/** Keys whose rows are gone. */
export interface GoneKeys {
  /** SELECT of the key's columns. */
  readonly keys: string | undefined;
  /** Everything that is there is gone, but what comes. */
  readonly isAll: boolean;
}

export interface DatasetWrite {
  readonly project: string;
  readonly asset: string;
  readonly kind?: "data" | "features";
  /** Stable over retries (`<step run id>:<asset>`): a repeated write finds what the first one committed. */
  readonly operationId: string;
  /** Earlier operations on the same dataset whose versions will be recorded in the same transaction as this one's. */
  readonly follows?: readonly string[];
  readonly disposition: WriteDisposition;
  /**
   * One SELECT. It reads `tables` by name; with `connection`, whatever that connection sees. Not looked at with
   * `state`.
   */
  readonly select: string;
  /** Columns of `select` in stored types, where they are known: then the SELECT is not asked for them. */
  readonly columns?: readonly Column[] | undefined;
  /**
   * Instead of rows: the dataset gets the content of an earlier version again, or is emptied for good, so that what is
   * made under its name starts anew.
   */
  readonly state?: AssetVersion | "dropped" | undefined;
  readonly tables?: ReadonlyMap<string, AssetVersion>;
  /** A trusted connection on which `select` runs. Without it the SELECT runs in a sandbox that sees only `tables`. */
  readonly connection?: AnalyticsConnection;
  /** Goes into the log entry's `userMetadata`: pipeline run, step run, commit, input versions. */
  readonly provenance?: Readonly<Record<string, Json>>;
  /** Added to the version's content. Files in `captured` are noted as the sources of the new rows, in their order. */
  readonly content?: Partial<
    Pick<
      DatasetContent,
      | "quarantine"
      | "treated"
      | "bounds"
      | "checks"
      | "measured"
      | "lineage"
      | "storedFrom"
      | "captured"
      | "cursor"
      | "replayed"
      | "disposition"
      | "superseded"
      | "restoredFrom"
      | "dropped"
      | "incremental"
      | "merged"
    >
  >;
  /** Column → the name that its source has for it, where a dataset cannot have that one. */
  readonly originals?: ReadonlyMap<string, string> | undefined;
  /** Column → how the source writes its values, where that was guessed. */
  readonly formats?: ReadonlyMap<string, string> | undefined;
  /** Digest of the source file that all new rows come from, where `content.captured` does not say. */
  readonly source?: Digest | undefined;
  /** With `append`: source files whose rows go with this version, with the rows that each is known to have brought. */
  readonly supersedes?:
    | readonly { readonly digest: Digest; readonly path: string; readonly rows: number }[]
    | undefined;
  /** With `delete: missing`: what else is known of the source. */
  readonly whole?: WholeSource | undefined;
  /** With a key: rows that are gone, as SELECT of their keys, or all that are not among the new ones. */
  readonly gone?: GoneKeys | undefined;
  /** Told, for people, what a merge could not do. */
  readonly note?: ((text: string) => void) | undefined;
  /**
   * Rows of these spans of a time column go, and the new ones, which must be of them, come in their place. With
   * `replace` all others go too.
   */
  readonly slices?: DatasetSlices | undefined;
  /** Holds rows back before they are written. */
  readonly check?: Pick<RowCheck, "split"> | undefined;
  /** Folders that the SELECT's sandbox may write to, beside the table's. */
  readonly folders?: readonly string[] | undefined;
  /** Refuses to write when the rows do not number exactly this many. */
  readonly expectedRows?: number;
  /**
   * Called when the rows are written and not yet visible: `rowCount` new rows, `superseded` rows that go, `relation`
   * the whole dataset as it would be.
   * What it throws stops the write; what it returns is added to the version's content. Not called when an earlier
   * attempt committed.
   */
  readonly beforeCommit?: (next: {
    readonly rowCount: number;
    readonly superseded: number;
    /** New rows that were left out because they are of no slice. */
    readonly outside: number;
    readonly merged: MergedKeys | undefined;
    /** With a history: of what is current. */
    readonly relation: string;
    /** The new rows, where they stand apart from the others; else all. */
    readonly added: string;
    readonly connection: AnalyticsConnection;
  }) => Promise<DatasetWrite["content"]>;
  readonly signal?: AbortSignal;
}

/** Answer of an ad-hoc query. */
export interface QueryResult {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  /** True when there were more rows than the limit. */
  readonly truncated: boolean;
}

/** Versioned datasets in Delta tables. Safe to use from several processes on the same store. */
export interface Datasets {
  /** Where a version's table is kept; nothing is fetched. @throws as `snapshot` */
  location(version: AssetVersion): Promise<{ readonly path: string; readonly deltaVersion: number }>;
  /**
   * Where a version's rows are, on this machine. Cheap after the first call. @throws DATA_TABLE_MISSING,
   * DATA_VERSION_MISSING, DATA_TABLE_UNSUPPORTED
   */
  snapshot(version: AssetVersion): Promise<DatasetSnapshot>;
  /**
   * `(SELECT … FROM read_parquet([…]))`: SQL text for the FROM clause of a query on any connection of the same
   * analytics. Columns have the version's names and types.
   */
  relation(version: AssetVersion): Promise<string>;
  /**
   * Writes one version: Parquet files, then one log entry. Record the result with the step's outcome, and call
   * {@link Datasets.settle} in the same transaction; a write that is never recorded is taken back by the next one.
   * Idempotent by `operationId`.
   *
   * @throws DATA_QUERY_FAILED, DATA_SCHEMA_CONFLICT, DATA_MERGE_KEY_INVALID, DATA_COLUMN_UNSUPPORTED,
   *   DATA_WRITE_CONFLICT, DATA_DATASET_BUSY, DATA_STORAGE_FAILED
   */
  write(write: DatasetWrite): Promise<MadeVersion>;
  /** Marks a write as recorded. @throws DATA_WRITE_LOST when it was taken back meanwhile */
  settle(
    transaction: WriteTransaction,
    write: { readonly project: string; readonly asset: string; readonly operationId: string },
  ): Promise<void>;
  /**
   * Runs a user's SELECT over named versions, in a sandbox. `limit` default 1,000, at most 100,000. @throws
   * DATA_QUERY_FAILED, DATA_QUERY_CANCELLED
   */
  query(query: {
    readonly sql: string;
    readonly tables: ReadonlyMap<string, AssetVersion>;
    readonly limit?: number;
    readonly memoryBytes?: number | undefined;
    readonly signal?: AbortSignal;
  }): Promise<QueryResult>;
  /**
   * A connection for SQL that a user wrote, on which the named versions are views of the schema `public`. Nothing else
   * can be read; whoever opened it closes it. @throws as `snapshot`
   */
  sandbox(access: {
    readonly tables: ReadonlyMap<string, AssetVersion>;
    /** Folders that it may write to. Default none. */
    readonly folders?: readonly string[] | undefined;
    readonly memoryBytes?: number | undefined;
  }): Promise<AnalyticsConnection>;
  /**
   * Removes data files of a dataset that no recorded version refers to: what dead writers left. Recorded versions stay
   * readable, all of them.
   * `retentionMs` (default one week) protects the files of writers that are at work; those of a write that holds its
   * claim stay, however short it is.
   */
  vacuum(of: {
    readonly project: string;
    readonly asset: string;
    readonly retentionMs?: number;
    readonly dryRun?: boolean;
  }): Promise<{ readonly removed: readonly string[]; readonly sizeBytes: number }>;
  /**
   * Writes the small files of a dataset as one; a write does so by itself when there are more than 64. Versions keep
   * their rows and their files.
   */
  compact(of: {
    readonly project: string;
    readonly asset: string;
    readonly signal?: AbortSignal;
  }): Promise<CompactedFiles>;
  /**
   * A page of a version's rows: in stored order, or all rows sorted by a column, nulls last. `limit` at most 1,000.
   * @throws DATA_COLUMN_UNKNOWN
   */
  preview(
    version: AssetVersion,
    page?: { readonly limit?: number; readonly offset?: number; readonly sort?: RowOrder | undefined },
  ): Promise<QueryResult>;
}

/** By which column rows are sorted. */
export interface RowOrder {
  readonly column: string;
  readonly isDescending: boolean;
}
