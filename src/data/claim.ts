import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "#base";
import type { MetadataStore, WriteTransaction } from "#metadata-store";
import {
  beginDatasetWrite,
  type DatasetWriteRecord,
  endDatasetWrite,
  extendDatasetWrite,
  hasAssetVersion,
  listOpenDatasetWrites,
  lockDataset,
} from "#metadata-store/data";
import { datasetBusy } from "./errors.ts";

const CLAIM_MS = 30_000;
const RENEW_MS = 10_000;
const POLL_MS = 50;

/** The operation that claims a dataset. */
export interface ClaimedWrite {
  readonly project: string;
  readonly asset: string;
  readonly operationId: string;
  readonly follows?: readonly string[];
  readonly signal?: AbortSignal;
  readonly tableName: string;
}

export interface Claim {
  /** Writes of other operations that ended without being recorded: what they left in the log must be taken back. */
  readonly ghosts: readonly DatasetWriteRecord[];
  /**
   * Ends the renewal of the claim, not the claim: that ends when the write is settled, dropped, or its time is over.
   */
  readonly stopRenewing: () => void;
}

/** Until when a writer that says something now is thought alive. */
export function claimExpiry(clock: Clock): number {
  return clock.now() + CLAIM_MS;
}

/**
 * Makes this operation the only writer of a dataset, so that versions are recorded in the order of the log. Waits for a
 * writer that is alive until its version is recorded; one that is dead loses its claim after half a minute.
 *
 * @param readVersion gives the table's latest version, -1 without a table; called before each try
 * @throws DATA_DATASET_BUSY when the signal aborts while another writer is alive
 */
export async function claimDataset(
  store: MetadataStore,
  clock: Clock,
  write: ClaimedWrite,
  readVersion: () => Promise<number>,
): Promise<Claim> {
  for (;;) {
    const version = await readVersion();
    const tried = await store.write((transaction) => tryClaim(transaction, clock, write, version));
    if (tried.alive === undefined) return { ghosts: tried.ghosts, stopRenewing: keepClaim(store, clock, write) };
    if (write.signal?.aborted === true) throw datasetBusy({ asset: write.asset, operation: tried.alive.operationId });
    await delay(POLL_MS);
  }
}

async function tryClaim(
  transaction: WriteTransaction,
  clock: Clock,
  write: ClaimedWrite,
  readVersion: number,
): Promise<{ readonly alive: DatasetWriteRecord | undefined; readonly ghosts: readonly DatasetWriteRecord[] }> {
  await lockDataset(transaction, { ...write, atMs: clock.now() });
  const own = new Set([write.operationId, ...(write.follows ?? [])]);
  const ghosts: DatasetWriteRecord[] = [];
  for (const other of await listOpenDatasetWrites(transaction, write)) {
    if (!own.has(other.operationId) && !(await settleWhenRecorded(transaction, other))) ghosts.push(other);
  }
  const alive = ghosts.find((other) => other.expiresAtMs > clock.now());
  if (alive !== undefined) return { alive, ghosts: [] };
  await beginDatasetWrite(transaction, { ...write, readVersion, atMs: clock.now(), expiresAtMs: claimExpiry(clock) });
  return { alive: undefined, ghosts };
}

/** A version with the write's digest was recorded: the write is settled, whoever recorded it. */
async function settleWhenRecorded(transaction: WriteTransaction, write: DatasetWriteRecord): Promise<boolean> {
  const { digest } = write;
  if (write.state !== "committed" || digest === undefined) return false;
  if (
    !(await hasAssetVersion(transaction, {
      project: write.project,
      asset: write.asset,
      digest,
      deltaVersion: write.deltaVersion,
    }))
  )
    return false;
  return endDatasetWrite(transaction, { ...write, state: "settled" });
}

function keepClaim(store: MetadataStore, clock: Clock, write: ClaimedWrite): () => void {
  const timer = setInterval(() => {
    // A renewal that fails is no harm: the next one, or the commit, tells.
    void store
      .write((transaction) => extendDatasetWrite(transaction, { ...write, expiresAtMs: claimExpiry(clock) }))
      .catch(() => {});
  }, RENEW_MS);
  timer.unref();
  return () => clearInterval(timer);
}
