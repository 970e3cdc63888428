import { type Selectable, sql } from "kysely";
import type { AssetKind } from "../asset/asset-version.ts";
import type { ReadTransaction } from "../database.ts";
import { isSqlite } from "../dialect.ts";
import { type Attempt, type StepRun, toAttempt, toStepRun } from "./list-step-runs.ts";
import type { PipelineTables } from "./tables.ts";

const IDS_PER_QUERY = 1000;

/** A version that a step run read or gave, enough to name it. */
export interface StepAsset {
  readonly stepRunId: string;
  readonly role: string | undefined;
  readonly id: string;
  readonly asset: string;
  readonly kind: AssetKind;
  readonly version: number;
  readonly digest: string;
  readonly rowCount: number | undefined;
  readonly sizeBytes: number | undefined;
}

/** Attempts of several step runs, each first to last: one statement for a thousand of them. */
export async function listAttemptsOf(
  transaction: ReadTransaction,
  stepRunIds: readonly string[],
): Promise<ReadonlyMap<string, readonly Attempt[]>> {
  const found = new Map<string, Attempt[]>();
  for (const ids of chunksOf(stepRunIds)) {
    const rows = await transaction
      .selectFrom("attempt")
      .selectAll()
      .where("step_run_id", "in", ids)
      .orderBy("step_run_id")
      .orderBy("number")
      .execute();
    for (const row of rows) listAt(found, row.step_run_id).push(toAttempt(row));
  }
  return found;
}

/** Versions that several step runs read and gave, by step run. */
export async function listAssetsOf(
  transaction: ReadTransaction,
  stepRunIds: readonly string[],
): Promise<{
  readonly inputs: ReadonlyMap<string, readonly StepAsset[]>;
  readonly outputs: ReadonlyMap<string, readonly StepAsset[]>;
}> {
  const inputs = new Map<string, StepAsset[]>();
  const outputs = new Map<string, StepAsset[]>();
  const columns = [
    "asset_version.id as id",
    "asset_version.kind as kind",
    "asset_version.version as version",
    "asset_version.digest as digest",
    "asset_version.row_count as row_count",
    "asset_version.size_bytes as size_bytes",
  ] as const;
  for (const ids of chunksOf(stepRunIds)) {
    const read = await transaction
      .selectFrom("step_input")
      .innerJoin("asset_version", "asset_version.id", "step_input.version_id")
      .select([
        "step_input.step_run_id as step_run_id",
        "step_input.asset as asset",
        "step_input.role as role",
        ...columns,
      ])
      .where("step_input.step_run_id", "in", ids)
      .orderBy("step_input.asset")
      .execute();
    for (const row of read) listAt(inputs, row.step_run_id).push(toStepAsset(row));
    const given = await transaction
      .selectFrom("step_output")
      .innerJoin("asset_version", "asset_version.id", "step_output.version_id")
      .select(["step_output.step_run_id as step_run_id", "step_output.asset as asset", ...columns])
      .where("step_output.step_run_id", "in", ids)
      .orderBy("step_output.asset")
      .execute();
    for (const row of given) listAt(outputs, row.step_run_id).push(toStepAsset(row));
  }
  return { inputs, outputs };
}

interface StepAssetRow {
  readonly step_run_id: string;
  readonly asset: string;
  readonly role?: string;
  readonly id: string;
  readonly kind: AssetKind;
  readonly version: number;
  readonly digest: string;
  readonly row_count: number | null;
  readonly size_bytes: number | null;
}

function toStepAsset(row: StepAssetRow): StepAsset {
  return {
    stepRunId: row.step_run_id,
    role: row.role,
    id: row.id,
    asset: row.asset,
    kind: row.kind,
    version: row.version,
    digest: row.digest,
    rowCount: row.row_count ?? undefined,
    sizeBytes: row.size_bytes ?? undefined,
  };
}

/** What the step runs of a pipeline run gave: versions that they made themselves, and rows of all. */
export async function sumOutputs(
  transaction: ReadTransaction,
  pipelineRunId: string,
): Promise<{ readonly versions: number; readonly rows: number }> {
  const { versions, rows } = await transaction
    .selectFrom("step_run")
    .innerJoin("step_output", "step_output.step_run_id", "step_run.id")
    .innerJoin("asset_version", "asset_version.id", "step_output.version_id")
    .where("step_run.pipeline_run_id", "=", pipelineRunId)
    .select((select) => [
      select.fn.sum<number | null>(sql`1 - step_run.cached`).as("versions"),
      select.fn.sum<number | null>("asset_version.row_count").as("rows"),
    ])
    .executeTakeFirstOrThrow();
  return { versions: Number(versions ?? 0), rows: Number(rows ?? 0) };
}

/**
 * The newest step run of each named step of a pipeline, whatever run it belongs to: a look into the index for each, in
 * one statement.
 */
export async function listLatestStepRuns(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly pipeline: string; readonly steps: readonly string[] },
): Promise<ReadonlyMap<string, StepRun>> {
  const names = isSqlite(transaction)
    ? sql`select value from json_each(${JSON.stringify(key.steps)})`
    : sql`select value from json_array_elements_text(${JSON.stringify(key.steps)}::json) as element(value)`;
  const { rows } = await sql<Selectable<PipelineTables["step_run"]>>`
    select step_run.* from (${names}) as name
    join step_run on step_run.id = (select id from step_run as one where one.project = ${key.project} and one.pipeline = ${key.pipeline} and one.step = name.value order by one.id desc limit 1)`.execute(
    transaction,
  );
  return new Map(rows.map((row) => [row.step, toStepRun(row)]));
}

function* chunksOf(ids: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < ids.length; start += IDS_PER_QUERY) yield ids.slice(start, start + IDS_PER_QUERY);
}

function listAt<Value>(lists: Map<string, Value[]>, key: string): Value[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}
