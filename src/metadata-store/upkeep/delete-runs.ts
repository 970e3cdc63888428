import { sql } from "kysely";
import type { WriteTransaction } from "../database.ts";
import { deleteLogsOf } from "./expire.ts";

/** Where a sweep over ended runs is. */
export interface RunsPlace {
  readonly finishedAtMs: number;
  readonly id: string;
}

/** Values that a statement may have are limited. */
const STEP_RUNS_A_STATEMENT = 5000;
const OF_STEP_RUN = ["step_input", "step_output", "step_result", "attempt", "cache_entry"] as const;

/**
 * Removes pipeline runs that ended before a time, with their steps, attempts and logs.
 *
 * Those stay that made a version of an asset, a deployment, a verdict or a partition, that belong to a backfill, and
 * the last of each step: what is there can still be told how it came.
 *
 * @param expiry.after runs up to here were looked at
 * @param expiry.limit so many are looked at in one change
 * @returns how many went, and where to go on; undefined at the end
 */
export async function deleteRuns(
  transaction: WriteTransaction,
  expiry: {
    readonly project: string;
    readonly beforeMs: number;
    readonly after: RunsPlace | undefined;
    readonly limit: number;
  },
): Promise<{ readonly gone: number; readonly next: RunsPlace | undefined }> {
  const { project, beforeMs, limit } = expiry;
  const after = expiry.after ?? { finishedAtMs: -1, id: "" };
  const looked = await transaction
    .selectFrom("pipeline_run")
    .select(["id", "finished_at_ms"])
    .where("project", "=", project)
    .where("finished_at_ms", "<", beforeMs)
    .where("status", "in", ["succeeded", "failed", "cancelled"])
    .where(sql<boolean>`(finished_at_ms, id) > (${after.finishedAtMs}, ${after.id})`)
    .orderBy("finished_at_ms")
    .orderBy("id")
    .limit(limit)
    .execute();
  const last = looked.at(-1);
  if (last === undefined) return { gone: 0, next: undefined };
  const { rows } = await sql<{ id: string }>`
    select r.id as id from pipeline_run r where r.id in (${sql.join(looked.map(({ id }) => id))})
      and not exists (select 1 from backfill_partition b where b.pipeline_run_id = r.id)
      and not exists (
        select 1 from step_run s where s.pipeline_run_id = r.id and (
          exists (select 1 from asset_version v where v.step_run_id = s.id)
          or s.id in (select step_run_id from asset_partition where project = ${project})
          or s.id in (select step_run_id from deployment where project = ${project} and step_run_id is not null)
          or s.id in (select step_run_id from verdict where project = ${project} and step_run_id is not null)
          or not exists (
            select 1 from step_run n
            where n.project = s.project and n.pipeline = s.pipeline and n.step = s.step and n.id > s.id
          )
        )
      )`.execute(transaction);
  if (rows.length > 0)
    await remove(
      transaction,
      rows.map(({ id }) => id),
    );
  const isEnd = looked.length < limit;
  return { gone: rows.length, next: isEnd ? undefined : { finishedAtMs: Number(last.finished_at_ms), id: last.id } };
}

async function remove(transaction: WriteTransaction, ids: readonly string[]): Promise<void> {
  const runs = sql.join(ids);
  const steps = sql`select id from step_run where pipeline_run_id in (${runs})`;
  const { rows } = await sql<{ id: string }>`${steps}`.execute(transaction);
  for (let start = 0; start < rows.length; start += STEP_RUNS_A_STATEMENT)
    await deleteLogsOf(
      transaction,
      rows.slice(start, start + STEP_RUNS_A_STATEMENT).map(({ id }) => id),
    );
  for (const table of OF_STEP_RUN)
    await sql`delete from ${sql.table(table)} where step_run_id in (${steps})`.execute(transaction);
  // What they point back from stays.
  await sql`update captured_file set step_run_id = null where step_run_id in (${steps})`.execute(transaction);
  await sql`update quarantine_batch set step_run_id = null, pipeline_run_id = null
    where pipeline_run_id in (${runs})`.execute(transaction);
  await sql`update run set pipeline_run_id = null where pipeline_run_id in (${runs})`.execute(transaction);
  for (const table of ["run_step", "step_run"] as const)
    await sql`delete from ${sql.table(table)} where pipeline_run_id in (${runs})`.execute(transaction);
  await sql`delete from pipeline_run where id in (${runs})`.execute(transaction);
}
