import { sql } from "kysely";
import type { WriteTransaction } from "../database.ts";

interface Expiry {
  readonly project: string;
  readonly beforeMs: number;
  /** At most so many go in one change. */
  readonly limit: number;
}

/** Removes predictions, with their labels, that were made and received before a time; counts of them stay. */
export async function deletePredictions(transaction: WriteTransaction, expiry: Expiry): Promise<number> {
  const { project, beforeMs, limit } = expiry;
  const endpoints = await transaction
    .selectFrom("prediction_total")
    .select(["environment", "endpoint"])
    .distinct()
    .where("project", "=", project)
    .execute();
  for (const { environment, endpoint } of endpoints) {
    const rows = await transaction
      .selectFrom("prediction")
      .select("id")
      .where("project", "=", project)
      .where("environment", "=", environment)
      .where("endpoint", "=", endpoint)
      .where("at_ms", "<", beforeMs)
      .where("received_at_ms", "<", beforeMs)
      .orderBy("at_ms")
      .limit(limit)
      .execute();
    if (rows.length === 0) continue;
    const ids = rows.map(({ id }) => id);
    await transaction.deleteFrom("prediction").where("id", "in", ids).execute();
    return ids.length;
  }
  return 0;
}

/**
 * Removes logs of step runs that ended before a time, but for those that made what a registered model version or a
 * release is made of.
 *
 * @returns of how many step runs
 */
export async function deleteLogs(transaction: WriteTransaction, expiry: Expiry): Promise<number> {
  const { project, beforeMs, limit } = expiry;
  const { rows } = await sql<{ id: string }>`
    with recursive needed(id) as (
      select asset_version_id from model_version where asset_version_id is not null
      union select version_id from release
      union select version_id from release_version
      union select e.input_version_id from needed n cross join asset_version_input e where e.version_id = n.id
    )
    select s.id as id from step_run s
    where s.project = ${project} and s.finished_at_ms < ${beforeMs}
      and (exists (select 1 from log_chunk l where l.step_run_id = s.id)
        or exists (select 1 from log_segment g where g.step_run_id = s.id))
      and not exists (select 1 from asset_version v where v.step_run_id = s.id and v.id in (select id from needed))
    order by s.id limit ${limit}`.execute(transaction);
  await deleteLogsOf(
    transaction,
    rows.map(({ id }) => id),
  );
  return rows.length;
}

/** Removes logs of step runs; what they had in storage goes with the garbage, once nothing else is in the same blob. */
export async function deleteLogsOf(transaction: WriteTransaction, stepRunIds: readonly string[]): Promise<void> {
  if (stepRunIds.length === 0) return;
  await transaction.deleteFrom("log_chunk").where("step_run_id", "in", stepRunIds).execute();
  const blobs = await transaction
    .selectFrom("log_segment")
    .select("blob_id")
    .distinct()
    .where("step_run_id", "in", stepRunIds)
    .execute();
  if (blobs.length === 0) return;
  await transaction.deleteFrom("log_segment").where("step_run_id", "in", stepRunIds).execute();
  await sql`
    delete from log_blob where id in (${sql.join(blobs.map(({ blob_id }) => blob_id))})
      and not exists (select 1 from log_segment g where g.blob_id = log_blob.id)`.execute(transaction);
}
