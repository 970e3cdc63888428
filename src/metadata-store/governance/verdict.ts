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
  return (await listVerdicts(transaction, [versionId])).get(versionId);
}

// Parameters of one statement.
const IDS_PER_STATEMENT = 5000;

/** Verdicts by version id; versions that were never tested are left out. */
export async function listVerdicts(
  transaction: ReadTransaction,
  versionIds: readonly string[],
): Promise<ReadonlyMap<string, StoredVerdict>> {
  const found = new Map<string, StoredVerdict>();
  for (let start = 0; start < versionIds.length; start += IDS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("verdict")
      .selectAll()
      .where("version_id", "in", versionIds.slice(start, start + IDS_PER_STATEMENT))
      .execute();
    for (const row of rows) {
      found.set(row.version_id, {
        versionId: row.version_id,
        project: row.project,
        passed: row.passed === 1,
        atMs: row.at_ms,
        stepRunId: row.step_run_id ?? undefined,
        content: JSON.parse(row.content) as object,
      });
    }
  }
  return found;
}

/** How many versions of a project passed their latest test, how many did not, and the newest version among them. */
export async function countVerdicts(
  transaction: ReadTransaction,
  project: string,
): Promise<{ readonly passed: number; readonly refused: number; readonly newestVersionId: string | undefined }> {
  const rows = await transaction
    .selectFrom("verdict")
    .select((select) => ["passed", select.fn.countAll<number>().as("count"), select.fn.max("version_id").as("newest")])
    .where("project", "=", project)
    .groupBy("passed")
    .execute();
  const of = (passed: number): number => Number(rows.find((row) => row.passed === passed)?.count ?? 0);
  return {
    passed: of(1),
    refused: of(0),
    newestVersionId: rows
      .map(({ newest }) => newest)
      .toSorted()
      .at(-1),
  };
}
