import { type Clock, isEsteiraError } from "#base";
import type { Analytics } from "./analytics/analytics.ts";
import type { AddFile } from "./delta/actions.ts";
import { type Compaction, compactTable } from "./delta/compaction.ts";
import type { TableSnapshot } from "./delta/snapshot.ts";
import { joinRowSources, withRowSources } from "./row-sources.ts";

/** More small files than this are written as one before the next rows come. */
const MOST_SMALL_FILES = 64;

/**
 * Compacts a table within the claim of `operationId`; sources of rows are kept. @throws what {@link compactTable}
 * throws
 */
export async function compactFiles(
  dependencies: { readonly analytics: Analytics; readonly clock: Clock },
  snapshot: TableSnapshot,
  of: { readonly operationId: string; readonly leastFiles: number },
): Promise<Compaction | undefined> {
  const sign = (written: AddFile, files: readonly AddFile[]): AddFile => withRowSources(written, joinRowSources(files));
  // Not the operation's own id: looking for what the operation wrote must not find this.
  return compactTable({
    analytics: dependencies.analytics,
    snapshot,
    leastFiles: of.leastFiles,
    txnId: `${of.operationId}:compact`,
    atMs: dependencies.clock.now(),
    sign,
  });
}

/**
 * Before rows are added: the number of files stays small whatever the number of versions. Another program's change
 * meanwhile is no harm.
 */
export async function compactWhenDue(
  dependencies: { readonly analytics: Analytics; readonly clock: Clock },
  snapshot: TableSnapshot,
  operationId: string,
): Promise<void> {
  if (snapshot.files.size <= MOST_SMALL_FILES) return;
  try {
    await compactFiles(dependencies, snapshot, { operationId, leastFiles: MOST_SMALL_FILES });
  } catch (error) {
    if (!isEsteiraError(error, "DATA_WRITE_CONFLICT")) throw error;
  }
}
