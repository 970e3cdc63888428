import { sql } from "kysely";
import { type AssetVersion, toAssetVersion } from "../asset/asset-version.ts";
import type { ReadTransaction } from "../database.ts";

/** Versions of all projects by id, from one id on. */
export async function listVersionsAfter(
  transaction: ReadTransaction,
  page: { readonly after: string; readonly limit: number },
): Promise<readonly AssetVersion[]> {
  const select = transaction.selectFrom("asset_version").selectAll().where("id", ">", page.after);
  return (await select.orderBy("id").limit(page.limit).execute()).map(toAssetVersion);
}

/** Rows that are held back, as objects: of batches of which a row is still held. */
export async function listHeldObjects(
  transaction: ReadTransaction,
): Promise<readonly { readonly dataset: string; readonly digest: string }[]> {
  const rows = await transaction
    .selectFrom("quarantine_batch")
    .select(["dataset", "object_digest"])
    .where("object_digest", "is not", null)
    .where("held", ">", 0)
    .execute();
  return rows.map(({ dataset, object_digest }) => ({ dataset, digest: object_digest ?? "" }));
}

/** Where the files of registered model versions are. */
export async function listModelSources(
  transaction: ReadTransaction,
): Promise<readonly { readonly name: string; readonly version: number; readonly location: string }[]> {
  const { rows } = await sql<{ name: string; version: number; location: string }>`
    select m.name as name, v.version as version, v.storage_location as location
    from model_version v join registered_model m on m.id = v.registered_model_id order by m.name, v.version`.execute(
    transaction,
  );
  return rows.map(({ name, version, location }) => ({ name, version: Number(version), location }));
}

/** Blobs that hold logs. */
export async function listLogBlobs(
  transaction: ReadTransaction,
): Promise<readonly { readonly digest: string; readonly sizeBytes: number }[]> {
  const rows = await transaction.selectFrom("log_blob").select(["digest", "size_bytes"]).execute();
  return rows.map(({ digest, size_bytes }) => ({ digest, sizeBytes: Number(size_bytes) }));
}

/** How many step runs have a part of their log in a blob. */
export async function countLogsIn(transaction: ReadTransaction, digest: string): Promise<number> {
  const { rows } = await sql<{ count: number | string }>`
    select count(distinct g.step_run_id) as count from log_blob b join log_segment g on g.blob_id = b.id
    where b.digest = ${digest}`.execute(transaction);
  return Number(rows[0]?.count ?? 0);
}

/** Attempts whose log lacks a chunk: its chunks are numbered without gaps from 0, wherever they are. */
export async function listLogGaps(
  transaction: ReadTransaction,
): Promise<readonly { readonly stepRunId: string; readonly attempt: number; readonly missing: number }[]> {
  const { rows } = await sql<{ id: string; attempt: number | string; missing: number | string }>`
    select id, attempt, max(last) + 1 - sum(held) as missing from (
      select step_run_id as id, attempt_number as attempt, max(sequence) as last, count(*) as held from log_chunk
      group by step_run_id, attempt_number
      union all
      select step_run_id, attempt_number, last_sequence, last_sequence - first_sequence + 1 from log_segment
    ) parts
    group by id, attempt having max(last) + 1 > sum(held) order by 1, 2 limit 1000`.execute(transaction);
  return rows.map((row) => ({ stepRunId: row.id, attempt: Number(row.attempt), missing: Number(row.missing) }));
}
