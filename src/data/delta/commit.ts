import { type Digest, digestOf, isEsteiraError } from "#base";
import type { Analytics } from "../analytics/analytics.ts";
import { writeConflict } from "../errors.ts";
import { type Action, type AddFile, formatActions, type Protocol, type TableMetadata, toRemove } from "./actions.ts";
import { CHECKPOINT_INTERVAL, isCheckpointDue, writeCheckpoint } from "./checkpoint.ts";
import { listLog, putLogEntry, readLogEntry } from "./log-entry.ts";
import { readSnapshot, type TableSnapshot } from "./snapshot.ts";
import type { Table } from "./table.ts";

const LARGEST_RETRY = 50;
const ENGINE = "esteira/0.1";

/** One change of a table, on top of a snapshot. */
export interface TableChange {
  readonly operation: "WRITE" | "MERGE" | "OPTIMIZE";
  readonly mode: "Append" | "Overwrite" | "ErrorIfExists";
  /** Identifies the commit: found again after an ambiguous failure or a crash. */
  readonly txnId: string;
  /** What a writer of its own counts: no two commits of one `appId` are made on top of the same version. */
  readonly transaction?: { readonly appId: string; readonly version: number } | undefined;
  readonly userMetadata?: string | undefined;
  readonly adds: readonly AddFile[];
  readonly removes: readonly AddFile[];
  readonly metadata?: TableMetadata | undefined;
  readonly protocol?: Protocol | undefined;
  /** What was read to compute it: a blind append reads nothing. */
  readonly reads: "nothing" | "everything" | ReadonlySet<string>;
}

export interface Committed {
  readonly version: number;
  readonly logDigest: Digest;
}

/**
 * Makes a change the next version of a table, with optimistic concurrency (delta.md section 8).
 *
 * `rebase` builds the change anew on a later snapshot where the change allows it (replace); without it a conflict is an
 * error.
 *
 * @throws DATA_WRITE_CONFLICT with the name of the conflict; DATA_STORAGE_FAILED
 */
export async function commitChange(commit: {
  readonly analytics: Analytics;
  readonly table: Table;
  /** Undefined: the table is made. */
  readonly base: TableSnapshot | undefined;
  readonly change: TableChange;
  readonly rebase?: (latest: TableSnapshot) => TableChange;
  readonly atMs: number;
}): Promise<Committed> {
  const { table } = commit;
  let change = commit.change;
  let version = (commit.base?.version ?? -1) + 1;
  for (let attempt = 0; attempt < LARGEST_RETRY; attempt++) {
    const text = formatActions(toActions(change, commit.atMs));
    if (await put(table, version, text, change.txnId)) {
      await checkpointWhenDue(commit, version);
      return { version, logDigest: digestOf(text) };
    }
    const found = await meetWinners(commit.table, version, change, commit.rebase === undefined);
    if (found.own !== undefined) return found.own;
    if (commit.base === undefined)
      throw writeConflict({ table: table.place, conflict: "it was created meanwhile", version });
    version = found.next;
    if (commit.rebase !== undefined) {
      const latest = await readSnapshot(commit.analytics, table, { base: commit.base });
      change = commit.rebase(latest);
      version = latest.version + 1;
    }
  }
  throw writeConflict({ table: table.place, conflict: `lost the race ${LARGEST_RETRY} times`, version });
}

/** A write that seemed to fail may have happened: the entry's txnId tells. */
async function put(table: Table, version: number, text: string, txnId: string): Promise<boolean> {
  try {
    return await putLogEntry(table, version, text);
  } catch (error) {
    if (
      isEsteiraError(error, "DATA_STORAGE_FAILED") &&
      (await txnIdOf(table, version).catch(() => undefined)) === txnId
    )
      return true;
    throw error;
  }
}

async function txnIdOf(table: Table, version: number): Promise<string | undefined> {
  const entry = await readLogEntry(table, version);
  return entry?.actions.find((action) => action.commitInfo !== undefined)?.commitInfo?.txnId;
}

async function meetWinners(
  table: Table,
  from: number,
  change: TableChange,
  strict: boolean,
): Promise<{ own?: Committed; next: number }> {
  for (let version = from; ; version++) {
    const entry = await readLogEntry(table, version);
    if (entry === undefined) return { next: version };
    if (entry.actions.some((action) => action.commitInfo?.txnId === change.txnId))
      return { own: { version, logDigest: digestOf(entry.text) }, next: version };
    const conflict = conflictWith(entry.actions, change, strict);
    if (conflict !== undefined) throw writeConflict({ table: table.place, conflict, version });
  }
}

/** The first conflict between a winner's actions and ours, in check order, or undefined. Isolation is Serializable. */
export function conflictWith(winner: readonly Action[], change: TableChange, strict: boolean): string | undefined {
  if (winner.some((action) => action.protocol !== undefined))
    return "ProtocolChanged: the table's protocol was changed";
  if (winner.some((action) => action.metaData !== undefined))
    return strict || change.metadata !== undefined
      ? "MetadataChanged: the table's schema or properties were changed"
      : undefined;
  const { transaction } = change;
  if (transaction !== undefined && winner.some(({ txn }) => txn?.appId === transaction.appId))
    return `ConcurrentTransaction: ${transaction.appId} wrote meanwhile`;
  if (!strict) return undefined;
  if (change.reads !== "nothing") {
    const rearranged = change.operation === "OPTIMIZE";
    // Without predicates on partition columns any added row might have been read.
    if (!rearranged && winner.some((action) => action.add !== undefined))
      return "ConcurrentAppend: rows were added that this write should have read";
    const reads = change.reads;
    const deleted = winner.find(
      ({ remove }) => remove !== undefined && remove.dataChange && (reads === "everything" || reads.has(remove.path)),
    );
    if (deleted !== undefined) return `ConcurrentDeleteRead: ${deleted.remove?.path} was removed`;
  }
  const removed = new Set(change.removes.map((file) => file.path));
  const twice = winner.find(({ remove }) => remove !== undefined && removed.has(remove.path));
  if (twice !== undefined) return `ConcurrentDeleteDelete: ${twice.remove?.path} was removed by both`;
  return undefined;
}

function toActions(change: TableChange, atMs: number): Action[] {
  const blind = change.reads === "nothing" && change.removes.length === 0;
  const rearranged = change.operation === "OPTIMIZE";
  return [
    {
      commitInfo: {
        timestamp: atMs,
        operation: change.operation,
        operationParameters: change.operation === "WRITE" ? { mode: change.mode, partitionBy: "[]" } : {},
        isBlindAppend: blind,
        engineInfo: ENGINE,
        txnId: change.txnId,
        ...(change.userMetadata === undefined ? {} : { userMetadata: change.userMetadata }),
      },
    },
    ...(change.protocol === undefined ? [] : [{ protocol: change.protocol }]),
    ...(change.metadata === undefined ? [] : [{ metaData: change.metadata }]),
    ...(change.transaction === undefined ? [] : [{ txn: { ...change.transaction, lastUpdated: atMs } }]),
    ...change.removes.map((file) => ({ remove: { ...toRemove(file, atMs), dataChange: !rearranged } })),
    ...change.adds.map((add) => ({ add: { ...add, dataChange: !rearranged } })),
  ];
}

/** A checkpoint only speeds up reading: failing to write one fails nothing. */
async function checkpointWhenDue(
  commit: Pick<Parameters<typeof commitChange>[0], "analytics" | "table" | "base" | "atMs">,
  version: number,
): Promise<void> {
  const { analytics, table, base, atMs } = commit;
  if (version === 0 || version % CHECKPOINT_INTERVAL !== 0) return;
  try {
    const snapshot = await readSnapshot(analytics, table, { version, base });
    if (
      isCheckpointDue(
        snapshot,
        (await listLog(table)).checkpoints.findLast((checkpoint) => checkpoint < version),
      )
    )
      await writeCheckpoint(analytics, snapshot, atMs);
  } catch (error) {
    if (!isEsteiraError(error)) throw error;
  }
}

/** The version whose log entry carries `txnId`, looked for after `after`. */
export async function findCommit(
  table: Table,
  txnId: string,
  after: number,
): Promise<(Committed & { readonly actions: readonly Action[] }) | undefined> {
  for (let version = after + 1; ; version++) {
    const entry = await readLogEntry(table, version);
    if (entry === undefined) return undefined;
    if (entry.actions.some((action) => action.commitInfo?.txnId === txnId))
      return { version, logDigest: digestOf(entry.text), actions: entry.actions };
  }
}
