import type { StoreKind } from "../metadata-store.ts";

/** A value of a row: the schema knows text, integers and doubles alone. */
export type SnapshotValue = string | number | bigint | null;
export type SnapshotRow = Readonly<Record<string, SnapshotValue>>;

/** The whole of a metadata store as it was at one moment, whatever is written meanwhile. */
export interface Snapshot {
  readonly kind: StoreKind;
  /** How many migrations its schema has. */
  readonly schema: number;
  readonly tables: readonly string[];
  /** Every row of a table, in batches. */
  rows(table: string): AsyncIterable<readonly SnapshotRow[]>;
  close(): Promise<void>;
}

/** An empty metadata store that takes the rows of a snapshot, all of them or none. */
export interface SnapshotTarget {
  insert(table: string, rows: readonly SnapshotRow[]): Promise<void>;
  /** Keeps what was inserted. */
  commit(): Promise<void>;
  /** Lets go; what was not committed is gone. */
  close(): Promise<void>;
}

export const ROWS_PER_BATCH = 1000;
/** Says how far the schema is; made anew where a snapshot is loaded. */
export const SCHEMA_TABLE = "schema_migration";
