export const DATASET_WRITE_STATES = ["begun", "committed", "settled", "dropped"] as const;
export type DatasetWriteState = (typeof DATASET_WRITE_STATES)[number];

export const QUARANTINE_ROW_STATES = ["held", "replayed", "discarded", "superseded"] as const;
export type QuarantineRowState = (typeof QUARANTINE_ROW_STATES)[number];

/**
 * `captured`: done. `again`: a person asked for it to be read once more; `anew`: for the whole dataset to be made again
 * from its files. `held`: held back whole for what it holds, and tried again by every
 * run until it is corrected or given up. `left_out`: the dataset was restored to a version without its rows.
 */
export const CAPTURED_FILE_STATES = ["captured", "again", "anew", "held", "left_out"] as const;
export type CapturedFileState = (typeof CAPTURED_FILE_STATES)[number];

export interface DataTables {
  /** One row per dataset that was ever written: locking it makes claims follow one another. */
  dataset_lock: { project: string; asset: string; locked_at_ms: number };
  /** The intent of every write to a dataset, so that what a dead writer left in the log is known. */
  dataset_write: {
    project: string;
    asset: string;
    operation_id: string;
    state: DatasetWriteState;
    /** Folder name of the Delta table. */
    table_name: string;
    /** Delta version the write started from; -1 when there was no table. */
    read_version: number;
    delta_version: number | null;
    /** Digest of what was made, and the whole as JSON. */
    digest: string | null;
    made: string | null;
    begun_at_ms: number;
    /** Until then the writer is thought alive. */
    expires_at_ms: number;
  };
  /** Source files whose rows are in a dataset or its quarantine. */
  captured_file: {
    project: string;
    dataset: string;
    digest: string;
    path: string;
    size_bytes: number;
    mtime_ms: number;
    rows_read: number;
    rows_published: number;
    rows_quarantined: number;
    step_run_id: string | null;
    at_ms: number;
    state: CapturedFileState;
  };
  quarantine_batch: {
    id: string;
    project: string;
    dataset: string;
    source_path: string;
    source_digest: string;
    source_format: string;
    /** Why the whole file was held back; null when single rows were. */
    file_problem: string | null;
    rows: number;
    /** Parquet object with the rows as received; null when the whole file was held back. */
    object_digest: string | null;
    /** JSON: rule id → rows */
    rules: string;
    /** JSON: path, version and digest of the contract; null without one */
    contract: string | null;
    pipeline_run_id: string | null;
    step_run_id: string | null;
    attempt_id: string | null;
    at_ms: number;
    held: number;
    replayed: number;
    discarded: number;
    superseded: number;
    /** State that rows without one of their own have since the batch was closed as a whole; null while it is open. */
    closed_as: "superseded" | "discarded" | null;
    closed_by: string | null;
    closed_reason: string | null;
    closed_at_ms: number | null;
  };
  /** Rows whose state differs from `held`, or that were replayed without success. */
  quarantine_row: {
    batch_id: string;
    row_number: number;
    state: QuarantineRowState;
    actor: string;
    reason: string;
    at_ms: number;
  };
  /** Filled intervals of an incremental dataset, as of the newest version that they are of. */
  interval_ledger: { project: string; dataset: string; delta_version: number; ledger: string; at_ms: number };
  /** Spans of an incremental dataset that a person asked to fill again; null: from its start, to its end. */
  restatement: {
    id: string;
    project: string;
    dataset: string;
    from_ms: number | null;
    to_ms: number | null;
    actor: string;
    at_ms: number;
  };
  /** One request that brought events; the payload goes when a version or the quarantine has them. */
  pushed_batch: {
    id: string;
    project: string;
    dataset: string;
    /** The client's name for the request: a second one of that name is the same. */
    idempotency_key: string | null;
    body_digest: string;
    /** Events that it brought; those that were there already are not among them. */
    events: number;
    duplicates: number;
    size_bytes: number;
    /** One JSON object a line; null when they were taken, or none was new. */
    payload: string | null;
    actor: string;
    received_at_ms: number;
  };
  /** Ids of events that came not long ago: a second one of an id is the same event. */
  pushed_event: { project: string; dataset: string; event_key: string; received_at_ms: number };
  /** A run was asked for that takes the waiting events of a dataset, and has not taken them yet. */
  push_demand: { project: string; dataset: string; asked_at_ms: number };
}
