import type { ReadTransaction, WriteTransaction } from "../database.ts";

/** What the latest test said of one model version. */
export interface StoredVerdict {
  readonly versionId: string;
  readonly project: string;
  readonly passed: boolean;
  readonly atMs: number;
  readonly stepRunId: string | undefined;
  /** Rules with their numbers, metrics, segments, champion; its shape belongs to `models`. */
  readonly content: object;
}

/** Keeps the newest verdict of a version; earlier ones stay as report versions. */
export async function recordVerdict(transaction: WriteTransaction, verdict: StoredVerdict): Promise<void> {
  const row = {
    version_id: verdict.versionId,
    project: verdict.project,
    passed: verdict.passed ? 1 : 0,
    at_ms: verdict.atMs,
    step_run_id: verdict.stepRunId ?? null,
    content: JSON.stringify(verdict.content),
  };
  await transaction
    .insertInto("verdict")
    .values(row)
    .onConflict((conflict) => conflict.column("version_id").doUpdateSet(row))
    .execute();
}

/** @returns undefined when the version was never tested */
export async function getVerdict(transaction: ReadTransaction, versionId: string): Promise<StoredVerdict | undefined> {
  const row = await transaction.selectFrom("verdict").selectAll().where("version_id", "=", versionId).executeTakeFirst();
  return row === undefined
    ? undefined
    : {
        versionId: row.version_id,
        project: row.project,
        passed: row.passed === 1,
        atMs: row.at_ms,
        stepRunId: row.step_run_id ?? undefined,
        content: JSON.parse(row.content) as object,
      };
}
