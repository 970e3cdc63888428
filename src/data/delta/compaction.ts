import type { Analytics } from "../analytics/analytics.ts";
import type { AddFile } from "./actions.ts";
import { type Committed, commitChange } from "./commit.ts";
import { writeDataFile } from "./data-file.ts";
import { readLogEntry } from "./log-entry.ts";
import { filesRelation } from "./relation.ts";
import type { TableSnapshot } from "./snapshot.ts";
import { absolutePath, discardFiles, fetchFiles, type Table } from "./table.ts";

/** Files below this size are small; a file made of small ones soon is not. */
const SMALL_FILE_BYTES = 32 << 20;
/** One compaction rewrites no more than about this much. */
const LARGEST_COMPACTION_BYTES = 256 << 20;

export interface Compaction {
  readonly committed: Committed;
  /** Files that became one. */
  readonly replaced: readonly AddFile[];
  readonly written: AddFile;
}

/**
 * Writes the small files of a table as one, in stored order, in one commit that changes no row (`dataChange: false`).
 * The files stay where they are for the versions that refer to them. Undefined when fewer than `leastFiles` files are
 * small.
 *
 * The caller is the dataset's only writer. Killed before its commit it leaves a file that no version names, which a
 * vacuum removes.
 *
 * @param compaction.sign notes on the new file what the old ones, in order, said of their rows
 * @throws DATA_WRITE_CONFLICT when another program changed the table meanwhile; DATA_STORAGE_FAILED
 */
export async function compactTable(compaction: {
  readonly analytics: Analytics;
  readonly snapshot: TableSnapshot;
  readonly leastFiles: number;
  readonly txnId: string;
  readonly atMs: number;
  readonly sign: (written: AddFile, files: readonly AddFile[]) => AddFile;
}): Promise<Compaction | undefined> {
  const { analytics, snapshot, atMs } = compaction;
  const { table, columns } = snapshot;
  const small = smallFiles(snapshot);
  if (small.length < Math.max(2, compaction.leastFiles)) return undefined;
  await fetchFiles(table, small);
  const connection = await analytics.connect();
  try {
    const select = `select * from ${filesRelation(
      small.map((file) => absolutePath(table, file.path)),
      columns,
    )}`;
    const part = await writeDataFile(
      connection,
      table,
      { select, columns: columns.map(({ name, type }) => ({ name, type })) },
      atMs,
    );
    if (part === undefined) return undefined;
    const written = compaction.sign(part.add, small);
    try {
      const change = {
        operation: "OPTIMIZE",
        mode: "Append",
        txnId: compaction.txnId,
        adds: [written],
        removes: small,
        reads: new Set(small.map(({ path }) => path)),
      } as const;
      return {
        committed: await commitChange({ analytics, table, base: snapshot, change, atMs }),
        replaced: small,
        written,
      };
    } catch (error) {
      await discardFiles(table, [written]);
      throw error;
    }
  } finally {
    connection.close();
  }
}

function smallFiles(snapshot: TableSnapshot): AddFile[] {
  const small: AddFile[] = [];
  let bytes = 0;
  for (const file of snapshot.files.values()) {
    if (file.size >= SMALL_FILE_BYTES) continue;
    bytes += file.size;
    if (bytes > LARGEST_COMPACTION_BYTES) break;
    small.push(file);
  }
  return small;
}

/**
 * The version with the same rows in the fewest files: a version itself, or the last of the compactions that directly
 * follow it.
 */
export async function compactedVersion(table: Table, version: number): Promise<number> {
  for (let found = version; ; found++) {
    const next = await readLogEntry(table, found + 1);
    if (next === undefined || !isCompaction(next.actions)) return found;
  }
}

/** True for a commit that only writes the same rows into other files. */
export function isCompaction(actions: NonNullable<Awaited<ReturnType<typeof readLogEntry>>>["actions"]): boolean {
  const isOptimize = actions.some(({ commitInfo }) => commitInfo?.operation === "OPTIMIZE");
  return (
    isOptimize &&
    actions.every(
      ({ add, remove, metaData, protocol }) =>
        metaData === undefined &&
        protocol === undefined &&
        (add?.dataChange ?? false) === false &&
        (remove?.dataChange ?? false) === false,
    )
  );
}
