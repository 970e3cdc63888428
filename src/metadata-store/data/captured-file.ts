import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { CapturedFileState } from "./tables.ts";

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
  readonly state: CapturedFileState;
}

const BINDS_PER_FILE = 12;
const LARGEST_INSERT = Math.floor(30_000 / BINDS_PER_FILE);

/** Adds files to a dataset's ledger; an entry of the same content is replaced. */
export async function recordCapturedFiles(
  transaction: WriteTransaction,
  files: readonly CapturedFile[],
): Promise<void> {
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
      state: file.state,
    }));
    await transaction
      .insertInto("captured_file")
      .values(rows)
      .onConflict((conflict) =>
        conflict.columns(["project", "dataset", "digest"]).doUpdateSet((update) => ({
          path: update.ref("excluded.path"),
          size_bytes: update.ref("excluded.size_bytes"),
          mtime_ms: update.ref("excluded.mtime_ms"),
          rows_read: update.ref("excluded.rows_read"),
          rows_published: update.ref("excluded.rows_published"),
          rows_quarantined: update.ref("excluded.rows_quarantined"),
          step_run_id: update.ref("excluded.step_run_id"),
          at_ms: update.ref("excluded.at_ms"),
          state: update.ref("excluded.state"),
        })),
      )
      .execute();
  }
}

interface FileSet {
  readonly project: string;
  readonly dataset: string;
  readonly digests: readonly string[];
}

const LARGEST_SET = 5000;

async function forEachSet(digests: readonly string[], work: (part: string[]) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < digests.length; start += LARGEST_SET)
    await work(digests.slice(start, start + LARGEST_SET));
}

/** Takes entries out of a dataset's ledger: their rows were superseded. */
export async function removeCapturedFiles(
  transaction: WriteTransaction,
  { project, dataset, digests }: FileSet,
): Promise<void> {
  await forEachSet(digests, (part) =>
    transaction
      .deleteFrom("captured_file")
      .where("project", "=", project)
      .where("dataset", "=", dataset)
      .where("digest", "in", part)
      .execute(),
  );
}

/** Gives entries of a dataset's ledger another state; with `onlyFrom` those that have that one. */
export async function setCapturedFileState(
  transaction: WriteTransaction,
  {
    project,
    dataset,
    digests,
    state,
    onlyFrom,
  }: FileSet & { readonly state: CapturedFileState; readonly onlyFrom?: CapturedFileState },
): Promise<void> {
  await forEachSet(digests, (part) => {
    const update = transaction
      .updateTable("captured_file")
      .set({ state })
      .where("project", "=", project)
      .where("dataset", "=", dataset)
      .where("digest", "in", part);
    return (onlyFrom === undefined ? update : update.where("state", "=", onlyFrom)).execute();
  });
}

/** Notes that a file with this content has another name now. */
export async function moveCapturedFile(
  transaction: WriteTransaction,
  file: { readonly project: string; readonly dataset: string; readonly digest: string; readonly path: string },
): Promise<void> {
  await transaction
    .updateTable("captured_file")
    .set({ path: file.path })
    .where("project", "=", file.project)
    .where("dataset", "=", file.dataset)
    .where("digest", "=", file.digest)
    .execute();
}

/** Forgets a dataset's files: its rows were replaced as a whole. */
export async function clearCapturedFiles(
  transaction: WriteTransaction,
  of: { readonly project: string; readonly dataset: string },
): Promise<void> {
  await transaction
    .deleteFrom("captured_file")
    .where("project", "=", of.project)
    .where("dataset", "=", of.dataset)
    .execute();
}

/** A dataset's ledger by digest; `after` is the last digest of the page before, `limit` at most 10,000. */
export async function listCapturedFiles(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly dataset: string;
    readonly after?: string;
    readonly limit?: number;
    readonly states?: readonly CapturedFileState[];
  },
): Promise<readonly CapturedFile[]> {
  let select = transaction
    .selectFrom("captured_file")
    .selectAll()
    .where("project", "=", query.project)
    .where("dataset", "=", query.dataset);
  if (query.after !== undefined) select = select.where("digest", ">", query.after);
  if (query.states !== undefined) select = select.where("state", "in", query.states);
  const rows = await select
    .orderBy("digest")
    .limit(Math.min(query.limit ?? 1000, 10_000))
    .execute();
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
    state: row.state,
  }));
}
