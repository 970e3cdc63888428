import { type Selectable, sql } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { DataTables, QuarantineRowState } from "./tables.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** Rows of one source file that broke the contract, or a file that could not be read at all. */
export interface QuarantineBatch {
  readonly id: string;
  readonly project: string;
  readonly dataset: string;
  readonly sourcePath: string;
  readonly sourceDigest: string;
  readonly sourceFormat: string;
  readonly fileProblem: string | undefined;
  readonly rows: number;
  /** Parquet object in the object store. */
  readonly objectDigest: string | undefined;
  readonly rules: Readonly<Record<string, number>>;
  readonly contract: { readonly path: string; readonly version: string; readonly digest: string } | undefined;
  readonly pipelineRunId: string | undefined;
  readonly stepRunId: string | undefined;
  readonly attemptId: string | undefined;
  readonly atMs: number;
  readonly held: number;
  readonly replayed: number;
  readonly discarded: number;
  /** Rows that a corrected file, or a replacement of the dataset, made pointless. */
  readonly superseded: number;
  /** How the batch was closed as a whole: the state of its rows that have none of their own. */
  readonly closed:
    | { readonly as: "superseded" | "discarded"; readonly by: string; readonly reason: string; readonly atMs: number }
    | undefined;
}

/** A batch before anything happened to its rows. */
export type NewQuarantineBatch = Omit<QuarantineBatch, "held" | "replayed" | "discarded" | "superseded" | "closed">;

export interface QuarantineRow {
  readonly batchId: string;
  readonly rowNumber: number;
  readonly state: QuarantineRowState;
  readonly actor: string;
  readonly reason: string;
  readonly atMs: number;
}

function toBatch(row: Selectable<DataTables["quarantine_batch"]>): QuarantineBatch {
  return {
    id: row.id,
    project: row.project,
    dataset: row.dataset,
    sourcePath: row.source_path,
    sourceDigest: row.source_digest,
    sourceFormat: row.source_format,
    fileProblem: row.file_problem ?? undefined,
    rows: row.rows,
    objectDigest: row.object_digest ?? undefined,
    rules: JSON.parse(row.rules) as Record<string, number>,
    contract:
      row.contract === null
        ? undefined
        : (JSON.parse(row.contract) as { path: string; version: string; digest: string }),
    pipelineRunId: row.pipeline_run_id ?? undefined,
    stepRunId: row.step_run_id ?? undefined,
    attemptId: row.attempt_id ?? undefined,
    atMs: row.at_ms,
    held: row.held,
    replayed: row.replayed,
    discarded: row.discarded,
    superseded: row.superseded,
    closed:
      row.closed_as === null
        ? undefined
        : { as: row.closed_as, by: row.closed_by ?? "", reason: row.closed_reason ?? "", atMs: row.closed_at_ms ?? 0 },
  };
}

export async function recordQuarantineBatch(transaction: WriteTransaction, batch: NewQuarantineBatch): Promise<void> {
  await transaction
    .insertInto("quarantine_batch")
    .values({
      id: batch.id,
      project: batch.project,
      dataset: batch.dataset,
      source_path: batch.sourcePath,
      source_digest: batch.sourceDigest,
      source_format: batch.sourceFormat,
      file_problem: batch.fileProblem ?? null,
      rows: batch.rows,
      object_digest: batch.objectDigest ?? null,
      rules: JSON.stringify(batch.rules),
      contract: batch.contract === undefined ? null : JSON.stringify(batch.contract),
      pipeline_run_id: batch.pipelineRunId ?? null,
      step_run_id: batch.stepRunId ?? null,
      attempt_id: batch.attemptId ?? null,
      at_ms: batch.atMs,
      held: batch.rows,
      replayed: 0,
      discarded: 0,
      superseded: 0,
      closed_as: null,
      closed_by: null,
      closed_reason: null,
      closed_at_ms: null,
    })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
}

export async function getQuarantineBatch(
  transaction: ReadTransaction,
  id: string,
): Promise<QuarantineBatch | undefined> {
  const row = await transaction.selectFrom("quarantine_batch").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toBatch(row);
}

/** Batches of a dataset, newest first; `before` is the last id of the page before, `limit` at most 1,000. */
export async function listQuarantineBatches(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly dataset: string;
    readonly before?: string;
    readonly limit?: number;
    readonly onlyHeld?: boolean;
  },
): Promise<readonly QuarantineBatch[]> {
  let select = transaction
    .selectFrom("quarantine_batch")
    .selectAll()
    .where("project", "=", query.project)
    .where("dataset", "=", query.dataset);
  if (query.before !== undefined) select = select.where("id", "<", query.before);
  if (query.onlyHeld === true) select = select.where("held", ">", 0);
  const rows = await select
    .orderBy("id", "desc")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toBatch);
}

/**
 * Batches of a dataset that are open: rows of them are held, or the whole file is; of these sources, or of all. Oldest
 * first, at most 10,000.
 */
export async function listOpenQuarantine(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly dataset: string;
    readonly sources?: readonly { readonly path: string; readonly digest: string }[] | undefined;
  },
): Promise<readonly QuarantineBatch[]> {
  const rows = await transaction
    .selectFrom("quarantine_batch")
    .selectAll()
    .where("project", "=", query.project)
    .where("dataset", "=", query.dataset)
    .where("closed_as", "is", null)
    .where((where) => where.or([where("held", ">", 0), where("file_problem", "is not", null)]))
    .orderBy("id")
    .limit(10_000)
    .execute();
  const paths = new Set(query.sources?.map(({ path }) => path));
  const digests = new Set(query.sources?.map(({ digest }) => digest));
  return rows
    .filter((row) => query.sources === undefined || paths.has(row.source_path) || digests.has(row.source_digest))
    .map(toBatch);
}

/** Closes batches: their rows that are held, and files held back whole, get another state for good. */
export async function closeQuarantine(
  transaction: WriteTransaction,
  change: {
    readonly batchIds: readonly string[];
    readonly as: "superseded" | "discarded";
    readonly actor: string;
    readonly reason: string;
    readonly atMs: number;
  },
): Promise<void> {
  for (let start = 0; start < change.batchIds.length; start += LARGEST_INSERT) {
    await transaction
      .updateTable("quarantine_batch")
      .set((update) => ({
        ...(change.as === "superseded"
          ? { superseded: sql<number>`superseded + held` }
          : { discarded: sql<number>`discarded + held` }),
        held: update.lit(0),
        closed_as: change.as,
        closed_by: change.actor,
        closed_reason: change.reason,
        closed_at_ms: change.atMs,
      }))
      .where("id", "in", change.batchIds.slice(start, start + LARGEST_INSERT))
      .where("closed_as", "is", null)
      .execute();
  }
}

/** Totals per dataset of a project. `files`: held back whole and still open. */
export async function summarizeQuarantine(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly dataset?: string },
): Promise<
  readonly {
    readonly dataset: string;
    readonly batches: number;
    readonly files: number;
    readonly held: number;
    readonly replayed: number;
    readonly discarded: number;
    readonly superseded: number;
  }[]
> {
  let select = transaction
    .selectFrom("quarantine_batch")
    .select([
      "dataset",
      sql<number>`count(*)`.as("batches"),
      sql<number>`count(case when closed_as is null then file_problem end)`.as("files"),
      sql<number>`sum(held)`.as("held"),
      sql<number>`sum(replayed)`.as("replayed"),
      sql<number>`sum(discarded)`.as("discarded"),
      sql<number>`sum(superseded)`.as("superseded"),
    ])
    .where("project", "=", query.project);
  if (query.dataset !== undefined) select = select.where("dataset", "=", query.dataset);
  const rows = await select.groupBy("dataset").orderBy("dataset").limit(10_000).execute();
  return rows.map((row) => ({
    dataset: row.dataset,
    batches: Number(row.batches),
    files: Number(row.files),
    held: Number(row.held),
    replayed: Number(row.replayed),
    discarded: Number(row.discarded),
    superseded: Number(row.superseded),
  }));
}

/** Rows of a batch that are no longer simply held, in order. */
export async function listQuarantineRows(
  transaction: ReadTransaction,
  batchId: string,
): Promise<readonly QuarantineRow[]> {
  const rows = await transaction
    .selectFrom("quarantine_row")
    .selectAll()
    .where("batch_id", "=", batchId)
    .orderBy("row_number")
    .execute();
  return rows.map((row) => ({
    batchId: row.batch_id,
    rowNumber: row.row_number,
    state: row.state,
    actor: row.actor,
    reason: row.reason,
    atMs: row.at_ms,
  }));
}

const LARGEST_INSERT = 5000;

/**
 * Moves held rows of an open batch to another state, or notes a replay without success (`held` with its reason), and
 * counts anew.
 */
export async function setQuarantineRows(
  transaction: WriteTransaction,
  change: {
    readonly batchId: string;
    readonly rowNumbers: readonly number[];
    readonly state: QuarantineRowState;
    readonly actor: string;
    readonly reason: string;
    readonly atMs: number;
  },
): Promise<void> {
  for (let start = 0; start < change.rowNumbers.length; start += LARGEST_INSERT) {
    const rows = change.rowNumbers.slice(start, start + LARGEST_INSERT).map((rowNumber) => ({
      batch_id: change.batchId,
      row_number: rowNumber,
      state: change.state,
      actor: change.actor,
      reason: change.reason,
      at_ms: change.atMs,
    }));
    await transaction
      .insertInto("quarantine_row")
      .values(rows)
      .onConflict((conflict) =>
        conflict
          .columns(["batch_id", "row_number"])
          .doUpdateSet({ state: change.state, actor: change.actor, reason: change.reason, at_ms: change.atMs })
          .where("quarantine_row.state", "=", "held"),
      )
      .execute();
  }
  const { replayed, discarded } = await transaction
    .selectFrom("quarantine_row")
    .select([
      sql<number>`count(case when state = 'replayed' then 1 end)`.as("replayed"),
      sql<number>`count(case when state = 'discarded' then 1 end)`.as("discarded"),
    ])
    .where("batch_id", "=", change.batchId)
    .executeTakeFirstOrThrow();
  await transaction
    .updateTable("quarantine_batch")
    .set({
      held: sql<number>`rows - ${Number(replayed)} - ${Number(discarded)}`,
      replayed: Number(replayed),
      discarded: Number(discarded),
    })
    .where("id", "=", change.batchId)
    .where("closed_as", "is", null)
    .execute();
}
