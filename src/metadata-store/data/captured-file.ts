import type { ReadTransaction, WriteTransaction } from "../database.ts";

/** A source file whose rows are in a dataset, its quarantine, or both. */
export interface CapturedFile {
  readonly project: string;
  readonly dataset: string;
  readonly digest: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly mtimeMs: number;
  readonly rowsRead: number;
  readonly rowsPublished: number;
  readonly rowsQuarantined: number;
  readonly stepRunId: string | undefined;
  readonly atMs: number;
}

const BINDS_PER_FILE = 11;
const LARGEST_INSERT = Math.floor(30_000 / BINDS_PER_FILE);

/** Adds files to a dataset's ledger. A file that is there already (by digest) keeps its entry. */
export async function recordCapturedFiles(transaction: WriteTransaction, files: readonly CapturedFile[]): Promise<void> {
  for (let start = 0; start < files.length; start += LARGEST_INSERT) {
    const rows = files.slice(start, start + LARGEST_INSERT).map((file) => ({
      project: file.project,
      dataset: file.dataset,
      digest: file.digest,
      path: file.path,
      size_bytes: file.sizeBytes,
      mtime_ms: file.mtimeMs,
      rows_read: file.rowsRead,
      rows_published: file.rowsPublished,
      rows_quarantined: file.rowsQuarantined,
      step_run_id: file.stepRunId ?? null,
      at_ms: file.atMs,
    }));
    await transaction.insertInto("captured_file").values(rows).onConflict((conflict) => conflict.columns(["project", "dataset", "digest"]).doNothing()).execute();
  }
}

/** Forgets a dataset's files: its rows were replaced as a whole. */
export async function clearCapturedFiles(transaction: WriteTransaction, of: { readonly project: string; readonly dataset: string }): Promise<void> {
  await transaction.deleteFrom("captured_file").where("project", "=", of.project).where("dataset", "=", of.dataset).execute();
}

/** A dataset's ledger by digest; `after` is the last digest of the page before, `limit` at most 10,000. */
export async function listCapturedFiles(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly dataset: string; readonly after?: string; readonly limit?: number },
): Promise<readonly CapturedFile[]> {
  let select = transaction.selectFrom("captured_file").selectAll().where("project", "=", query.project).where("dataset", "=", query.dataset);
  if (query.after !== undefined) select = select.where("digest", ">", query.after);
  const rows = await select.orderBy("digest").limit(Math.min(query.limit ?? 1000, 10_000)).execute();
  return rows.map((row) => ({
    project: row.project,
    dataset: row.dataset,
    digest: row.digest,
    path: row.path,
    sizeBytes: row.size_bytes,
    mtimeMs: row.mtime_ms,
    rowsRead: row.rows_read,
    rowsPublished: row.rows_published,
    rowsQuarantined: row.rows_quarantined,
    stepRunId: row.step_run_id ?? undefined,
    atMs: row.at_ms,
  }));
}
