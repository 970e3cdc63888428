import { sql } from "kysely";
import type { WriteTransaction } from "../database.ts";

export interface ExpiredVersion {
  readonly id: string;
  readonly asset: string;
  readonly version: number;
}

/**
 * Marks versions of datasets and feature tables whose rows are kept no longer: those that another version took the
 * place of before a time, and that nothing needs.
 *
 * Needed are the latest of each asset and what it was made of; what registered model versions, releases, and versions
 * that wait for an approval are made of, however far up; what is online; what a run that has not ended reads or made.
 *
 * @param expiry.limit at most so many in one change
 */
export async function expireVersions(
  transaction: WriteTransaction,
  expiry: { readonly project: string; readonly beforeMs: number; readonly limit: number; readonly atMs: number },
): Promise<readonly ExpiredVersion[]> {
  const { project, beforeMs, limit, atMs } = expiry;
  const { rows } = await sql<{ id: string; asset: string; version: number | string }>`
    with recursive latest(id) as (
      select v.id from asset a
      join asset_version v on v.project = a.project and v.asset = a.name and v.version = a.latest_version
    ), open_step(id) as (
      select s.id from pipeline_run r join step_run s on s.pipeline_run_id = r.id
      where r.project = ${project} and r.status in ('queued', 'running', 'waiting', 'interrupted')
    ), needed(id) as (
      select asset_version_id from model_version where asset_version_id is not null
      union select version_id from release
      union select version_id from release_version
      union select version_id from approval_request where version_id is not null and closed_at_ms is null
      union select e.input_version_id from needed n cross join asset_version_input e where e.version_id = n.id
    ), kept(id) as (
      select id from needed
      union select id from latest
      union select e.input_version_id from latest l join asset_version_input e on e.version_id = l.id
      union select source_version_id from feature_view_state
      union select i.version_id from open_step o join step_input i on i.step_run_id = o.id
      union select t.version_id from open_step o join step_output t on t.step_run_id = o.id
    )
    select v.id as id, v.asset as asset, v.version as version from asset_version v
    where v.project = ${project} and v.kind in ('data', 'features') and v.expired_at_ms is null
      and exists (
        select 1 from asset_version n
        where n.project = v.project and n.asset = v.asset and n.version = v.version + 1 and n.made_at_ms < ${beforeMs}
      )
      and v.id not in (select id from kept)
    order by v.id limit ${limit}`.execute(transaction);
  if (rows.length === 0) return [];
  const ids = rows.map(({ id }) => id);
  await transaction.updateTable("asset_version").set({ expired_at_ms: atMs }).where("id", "in", ids).execute();
  // What a step made need not be made again as long as it is there.
  await sql`
    delete from cache_entry where project = ${project} and step_run_id in (
      select step_run_id from step_output where version_id in (${sql.join(ids)})
    )`.execute(transaction);
  return rows.map(({ id, asset, version }) => ({ id, asset, version: Number(version) }));
}
