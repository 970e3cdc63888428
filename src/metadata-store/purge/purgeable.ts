import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";

const LARGEST_PAGE = 500;

/** Something that was deleted long enough ago, and where its files are. */
export interface Purgeable {
  readonly id: string;
  readonly experimentId: string;
  readonly name: string;
  readonly artifactUri: string;
  /** Epoch milliseconds. */
  readonly deletedAtMs: number;
  /** Registered model that still uses its files; such a thing is never purged. */
  readonly usedBy: string | undefined;
}

interface PurgeQuery {
  /** Deleted before this time. */
  readonly beforeMs: number;
  /** Last id of the page before. */
  readonly after?: string;
}

interface Row {
  readonly id: string;
  readonly experiment_id: number | string;
  readonly name: string;
  readonly artifact_uri: string;
  readonly deleted_at_ms: number | null;
  readonly used_by: string | null;
}

/**
 * Deleted runs by id. When a run was deleted stands in the event log: its own deletion or its experiment's; a run that
 * came deleted from an import counts from the import on.
 */
export async function listPurgeableRuns(
  transaction: ReadTransaction,
  query: PurgeQuery,
): Promise<readonly Purgeable[]> {
  const { rows } = await sql<Row>`
    select * from (
      select r.run_id as id, r.experiment_id, r.run_name as name, r.artifact_uri,
        coalesce((select max(e.at_ms) from event e where (e.subject_kind = 'run' and e.subject = r.run_id and e.type in ('run.deleted', 'run.created'))
          or (e.subject_kind = 'experiment' and e.subject = cast(r.experiment_id as text) and e.type = 'experiment.deleted')), 0) as deleted_at_ms,
        (select m.name from model_version v join registered_model m on m.id = v.registered_model_id where v.run_id = r.run_id limit 1) as used_by
      from run r where r.lifecycle_stage = 'deleted' and r.run_id > ${query.after ?? ""}
    ) d where d.deleted_at_ms < ${query.beforeMs} order by d.id limit ${LARGEST_PAGE}`.execute(transaction);
  return rows.map(toPurgeable);
}

/** Deleted logged models by id. */
export async function listPurgeableLoggedModels(
  transaction: ReadTransaction,
  query: PurgeQuery,
): Promise<readonly Purgeable[]> {
  const { rows } = await sql<Row>`
    select l.id, l.experiment_id, l.name, l.artifact_uri, l.deleted_at_ms,
      (select m.name from model_version v join registered_model m on m.id = v.registered_model_id
        where v.logged_model_id = l.id or v.storage_location = l.artifact_uri limit 1) as used_by
    from logged_model l
    where l.deleted = 1 and l.deleted_at_ms < ${query.beforeMs} and l.id > ${query.after ?? ""} order by l.id limit ${LARGEST_PAGE}`.execute(
    transaction,
  );
  return rows.map(toPurgeable);
}

/** Deleted experiments in which nothing is left. The experiment `0` stays. */
export async function listPurgeableExperiments(
  transaction: ReadTransaction,
  query: PurgeQuery,
): Promise<readonly Purgeable[]> {
  const { rows } = await sql<Row>`
    select cast(x.experiment_id as text) as id, x.experiment_id, x.name, coalesce(x.artifact_location, '') as artifact_uri, x.last_update_time as deleted_at_ms, null as used_by
    from experiment x
    where x.lifecycle_stage = 'deleted' and x.experiment_id > ${Number(query.after ?? 0)} and x.last_update_time < ${query.beforeMs}
      and not exists (select 1 from run r where r.experiment_id = x.experiment_id)
      and not exists (select 1 from logged_model l where l.experiment_id = cast(x.experiment_id as text))
    order by x.experiment_id limit ${LARGEST_PAGE}`.execute(transaction);
  return rows.map(toPurgeable);
}

function toPurgeable(row: Row): Purgeable {
  return {
    id: row.id,
    experimentId: String(row.experiment_id),
    name: row.name,
    artifactUri: row.artifact_uri,
    deletedAtMs: row.deleted_at_ms ?? 0,
    usedBy: row.used_by ?? undefined,
  };
}
