import type { ReadTransaction, WriteTransaction } from "./database.ts";

export const STORE_KINDS = ["sqlite", "postgres"] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

/**
 * The only door to metadata. Operations are functions `(transaction, facts) => result`, one file each,
 * so that several can be composed into one change.
 *
 * States: open → closed. A closed store refuses everything.
 */
export interface MetadataStore {
  readonly kind: StoreKind;
  /**
   * Runs a read; it sees everything that was committed before. A statement that was slow once is answered as in
   * `readLong`.
   */
  read<Result>(work: (transaction: ReadTransaction) => Promise<Result>): Promise<Result>;
  /**
   * Runs a read that may take long: on SQLite each statement goes to a thread of its own, so that others are answered
   * meanwhile; it costs a message each way. PostgreSQL reads elsewhere anyway.
   *
   * @throws METADATA_STORE_READ_TOO_LONG, METADATA_STORE_READER_ENDED
   */
  readLong<Result>(work: (transaction: ReadTransaction) => Promise<Result>): Promise<Result>;
  /**
   * Runs one atomic change; resolves when it is durable. On SQLite, changes that arrive together share one
   * commit (group commit), each in its own savepoint; on PostgreSQL serialization failures are retried,
   * so `work` may run more than once and must have no effect outside the store.
   *
   * @throws METADATA_STORE_WRITE_FAILED, or what `work` throws: then nothing of it is kept
   */
  readonly write: <Result>(work: (transaction: WriteTransaction) => Promise<Result>) => Promise<Result>;
  /**
   * Calls `listener` after changes were committed, by this process or another one on the same store
   * (those are noticed within about 300 ms). Calls are merged; read the event log to learn what happened.
   *
   * @returns a function that ends the subscription
   */
  onChange(listener: () => void): () => void;
  /**
   * The same store by its lane for engines: what steps and leases wait for goes before what many clients log. It holds
   * few, small changes;
   * a part of every commit stays for all others, so that neither lane waits for the end of the other.
   */
  readonly urgent: MetadataStore;
  close(): Promise<void>;
}

/** A store with its urgent lane, whose own urgent lane is itself. */
export function withUrgent(store: Omit<MetadataStore, "urgent">, urgent: Omit<MetadataStore, "urgent">): MetadataStore {
  const lane: MetadataStore = {
    ...urgent,
    get urgent() {
      return lane;
    },
  };
  return { ...store, urgent: lane };
}
