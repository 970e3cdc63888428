import type { Selectable } from "kysely";
import type { Digest } from "#base";
import type { ReadTransaction } from "../database.ts";
import type { AssetVersion } from "./asset-version.ts";
import type { AssetTables } from "./tables.ts";

/** A version without its content: what names it and says how large it is. */
export type VersionHead = Omit<AssetVersion, "content">;

// Parameters of one statement.
const IDS_PER_STATEMENT = 5000;

const HEAD_COLUMNS = [
  "id",
  "project",
  "asset",
  "kind",
  "version",
  "digest",
  "made_at_ms",
  "pipeline_run_id",
  "step_run_id",
  "row_count",
  "size_bytes",
  "expired_at_ms",
] as const;

/** The versions with these ids, by id; unknown ids are left out. Contents, which may be large, are not read. */
export async function listVersionHeads(
  transaction: ReadTransaction,
  ids: Iterable<string>,
): Promise<ReadonlyMap<string, VersionHead>> {
  const wanted = [...new Set(ids)];
  const found = new Map<string, VersionHead>();
  for (let start = 0; start < wanted.length; start += IDS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("asset_version")
      .select(HEAD_COLUMNS)
      .where("id", "in", wanted.slice(start, start + IDS_PER_STATEMENT))
      .execute();
    for (const row of rows) found.set(row.id, toHead(row));
  }
  return found;
}

/** The versions that pipeline runs made, oldest first. */
export async function listVersionsOfRuns(
  transaction: ReadTransaction,
  pipelineRunIds: readonly string[],
): Promise<readonly VersionHead[]> {
  const found: VersionHead[] = [];
  for (let start = 0; start < pipelineRunIds.length; start += IDS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("step_run")
      .innerJoin("asset_version", "asset_version.step_run_id", "step_run.id")
      .select(HEAD_COLUMNS.map((column) => `asset_version.${column}` as const))
      .where("step_run.pipeline_run_id", "in", pipelineRunIds.slice(start, start + IDS_PER_STATEMENT))
      .orderBy("asset_version.id")
      .execute();
    found.push(...rows.map(toHead));
  }
  return found;
}

function toHead(row: Pick<Selectable<AssetTables["asset_version"]>, (typeof HEAD_COLUMNS)[number]>): VersionHead {
  return {
    id: row.id,
    project: row.project,
    asset: row.asset,
    kind: row.kind,
    version: row.version,
    digest: row.digest as Digest,
    madeAtMs: row.made_at_ms,
    pipelineRunId: row.pipeline_run_id ?? undefined,
    stepRunId: row.step_run_id ?? undefined,
    rowCount: row.row_count ?? undefined,
    sizeBytes: row.size_bytes ?? undefined,
    expiredAtMs: row.expired_at_ms ?? undefined,
  };
}
