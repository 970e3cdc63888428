import type { Json } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";

interface DatasetKey {
  readonly project: string;
  readonly dataset: string;
}

/** A wish to fill a span of an incremental dataset again. */
export interface Restatement extends DatasetKey {
  readonly id: string;
  /** Missing: from its start. */
  readonly fromMs: number | undefined;
  /** Missing: to its end. */
  readonly toMs: number | undefined;
  readonly actor: string;
  readonly atMs: number;
}

/** The ledger of a dataset, when it is that of this version of its table. */
export async function getIntervalLedger(
  transaction: ReadTransaction,
  { project, dataset, deltaVersion }: DatasetKey & { readonly deltaVersion: number },
): Promise<Json | undefined> {
  const row = await transaction
    .selectFrom("interval_ledger")
    .select("ledger")
    .where("project", "=", project)
    .where("dataset", "=", dataset)
    .where("delta_version", "=", deltaVersion)
    .executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.ledger) as Json);
}

/** Writes the ledger of a dataset's version in place of the one before. */
export async function recordIntervalLedger(
  transaction: WriteTransaction,
  entry: DatasetKey & { readonly deltaVersion: number; readonly ledger: object; readonly atMs: number },
): Promise<void> {
  const { project, dataset, deltaVersion: delta_version, atMs: at_ms } = entry;
  const row = { delta_version, ledger: JSON.stringify(entry.ledger), at_ms };
  await transaction
    .insertInto("interval_ledger")
    .values({ project, dataset, ...row })
    .onConflict((conflict) => conflict.columns(["project", "dataset"]).doUpdateSet(row))
    .execute();
}

/** Forgets what is filled and what is asked: the dataset is no more. */
export async function clearIntervals(transaction: WriteTransaction, { project, dataset }: DatasetKey): Promise<void> {
  for (const table of ["interval_ledger", "restatement"] as const)
    await transaction.deleteFrom(table).where("project", "=", project).where("dataset", "=", dataset).execute();
}

export async function recordRestatement(transaction: WriteTransaction, wish: Restatement): Promise<void> {
  await transaction
    .insertInto("restatement")
    .values({
      id: wish.id,
      project: wish.project,
      dataset: wish.dataset,
      from_ms: wish.fromMs ?? null,
      to_ms: wish.toMs ?? null,
      actor: wish.actor,
      at_ms: wish.atMs,
    })
    .execute();
}

/** What is asked for a dataset and not yet done, oldest first. */
export async function listRestatements(
  transaction: ReadTransaction,
  { project, dataset }: DatasetKey,
): Promise<readonly Restatement[]> {
  const rows = await transaction
    .selectFrom("restatement")
    .selectAll()
    .where("project", "=", project)
    .where("dataset", "=", dataset)
    .orderBy("id")
    .execute();
  return rows.map((row) => ({
    id: row.id,
    project: row.project,
    dataset: row.dataset,
    fromMs: row.from_ms ?? undefined,
    toMs: row.to_ms ?? undefined,
    actor: row.actor,
    atMs: row.at_ms,
  }));
}

/** What was asked is done. */
export async function endRestatements(transaction: WriteTransaction, ids: readonly string[]): Promise<void> {
  if (ids.length > 0)
    await transaction
      .deleteFrom("restatement")
      .where("id", "in", [...ids])
      .execute();
}
