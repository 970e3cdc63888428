import { newId } from "#base";
import { endDatasetWrite } from "#metadata-store/data";
import { claimDataset } from "./claim.ts";
import { compactFiles } from "./compact-files.ts";
import { tableNameOf, type WriteDependencies } from "./dataset-write.ts";
import { assertWritable } from "./delta/snapshot.ts";
import { tableAt } from "./delta/table.ts";

/** Files of a dataset's latest version, before and after. */
export interface CompactedFiles {
  readonly filesBefore: number;
  readonly filesAfter: number;
  /** A write was begun and never recorded: the next write takes it back, and only then the files can become one. */
  readonly isUnfinished: boolean;
}

/**
 * Writes the small files of a dataset as one, as its only writer. No version is made, no row changes, and no file goes:
 * versions keep theirs.
 *
 * @throws DATA_TABLE_MISSING, DATA_DATASET_BUSY, DATA_WRITE_CONFLICT, DATA_TABLE_UNSUPPORTED, DATA_STORAGE_FAILED
 */
export async function compactDataset(
  dependencies: WriteDependencies,
  of: { readonly project: string; readonly asset: string; readonly signal?: AbortSignal },
): Promise<CompactedFiles> {
  const { store, clock } = dependencies;
  const tableName = tableNameOf(of);
  const table = tableAt(dependencies.files, tableName);
  const claimed = { ...of, operationId: `compact:${newId()}`, tableName };
  let snapshot = await dependencies.snapshots.get(table);
  assertWritable(snapshot);
  const { ghosts, stopRenewing } = await claimDataset(store, clock, claimed, async () => {
    snapshot = await dependencies.snapshots.get(table);
    return snapshot.version;
  });
  try {
    const isUnfinished = ghosts.length > 0;
    const compaction = isUnfinished
      ? undefined
      : await compactFiles(dependencies, snapshot, { operationId: claimed.operationId, leastFiles: 2 });
    return {
      filesBefore: snapshot.files.size,
      filesAfter: snapshot.files.size - (compaction === undefined ? 0 : compaction.replaced.length - 1),
      isUnfinished,
    };
  } finally {
    stopRenewing();
    await store.write((transaction) => endDatasetWrite(transaction, { ...claimed, state: "dropped" }));
  }
}
