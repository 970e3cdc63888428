import type { Selectable } from "kysely";
import type { ReadTransaction } from "../database.ts";
import type { AttemptStatus, PipelineTables, StepRunStatus } from "./tables.ts";

/** One more than the API gives. */
const LARGEST_PAGE = 5001;

/** What went wrong, as stored with a step run or an attempt. */
export interface StoredError {
  readonly code?: string;
  readonly message: string;
  readonly kind?: string;
  readonly hint?: string;
  readonly context?: object;
}

/** One step run. Times are epoch milliseconds. */
export interface StepRun {
  readonly id: string;
  readonly pipelineRunId: string;
  readonly project: string;
  readonly pipeline: string;
  readonly step: string;
  readonly kind: string;
  readonly position: number;
  readonly matrixIndex: number;
  readonly matrix: Readonly<Record<string, unknown>> | undefined;
  readonly status: StepRunStatus;
  /** Succeeded without running: the versions of an equal earlier run were reused. */
  readonly cached: boolean;
  /** Why it ran or did not: what changed, which gate it waits for, what stopped it. */
  readonly reason: string | undefined;
  readonly facts: Readonly<Record<string, unknown>> | undefined;
  readonly error: StoredError | undefined;
  readonly progress: { readonly done: number; readonly total?: number; readonly unit: string } | undefined;
  readonly gateKey: string | undefined;
  readonly queuedAtMs: number | undefined;
  readonly readyAtMs: number | undefined;
  readonly startedAtMs: number | undefined;
  readonly finishedAtMs: number | undefined;
  readonly attemptCount: number;
  readonly concurrencyGroup: string | undefined;
  readonly concurrencyLimit: number | undefined;
  /** Higher comes first. */
  readonly priority: number;
  readonly pool: string | undefined;
  /** How many slots of its pool it takes. */
  readonly poolSlots: number | undefined;
}

/** What was stored as JSON; undefined for nothing. */
export function toStoredError(text: string | null): StoredError | undefined {
  if (text === null) return undefined;
  const error: StoredError = JSON.parse(text);
  return error;
}

export function toStepRun(row: Selectable<PipelineTables["step_run"]>): StepRun {
  const parse = <Value>(text: string | null): Value | undefined =>
    text === null ? undefined : (JSON.parse(text) as Value);
  return {
    id: row.id,
    pipelineRunId: row.pipeline_run_id,
    project: row.project,
    pipeline: row.pipeline,
    step: row.step,
    kind: row.kind,
    position: row.position,
    matrixIndex: row.matrix_index,
    matrix: parse(row.matrix),
    status: row.status,
    cached: row.cached === 1,
    reason: row.reason ?? undefined,
    facts: parse(row.facts),
    error: toStoredError(row.error),
    progress: parse(row.progress),
    gateKey: row.gate_key ?? undefined,
    queuedAtMs: row.queued_at_ms ?? undefined,
    readyAtMs: row.ready_at_ms ?? undefined,
    startedAtMs: row.started_at_ms ?? undefined,
    finishedAtMs: row.finished_at_ms ?? undefined,
    attemptCount: row.attempt_count,
    concurrencyGroup: row.concurrency_group ?? undefined,
    concurrencyLimit: row.concurrency_limit ?? undefined,
    priority: row.priority,
    pool: row.pool ?? undefined,
    poolSlots: row.pool_slots ?? undefined,
  };
}

/**
 * Step runs of a pipeline run in the order of the graph. `after` is the last one of the page before. At most 5,001, the
 * default; {@link listAllStepRuns} reads all.
 */
export async function listStepRuns(
  transaction: ReadTransaction,
  query: {
    readonly pipelineRunId: string;
    readonly step?: string | undefined;
    readonly status?: StepRunStatus | undefined;
    readonly after?: { readonly position: number; readonly matrixIndex: number } | undefined;
    readonly limit?: number | undefined;
  },
): Promise<readonly StepRun[]> {
  const { after } = query;
  let select = transaction.selectFrom("step_run").selectAll().where("pipeline_run_id", "=", query.pipelineRunId);
  if (query.step !== undefined) select = select.where("step", "=", query.step);
  if (query.status !== undefined) select = select.where("status", "=", query.status);
  if (after !== undefined) {
    select = select.where((is) =>
      is.or([
        is("position", ">", after.position),
        is.and([is("position", "=", after.position), is("matrix_index", ">", after.matrixIndex)]),
      ]),
    );
  }
  // A step has one place: named by it alone, thousands of items are read in the order of the index.
  if (query.step === undefined) select = select.orderBy("position");
  const rows = await select
    .orderBy("matrix_index")
    .limit(Math.min(query.limit ?? LARGEST_PAGE, LARGEST_PAGE))
    .execute();
  return rows.map(toStepRun);
}

/** Every step run of a pipeline run, in the order of the graph. */
export async function listAllStepRuns(
  transaction: ReadTransaction,
  pipelineRunId: string,
): Promise<readonly StepRun[]> {
  const all: StepRun[] = [];
  for (let after: StepRun | undefined; ;) {
    const page = await listStepRuns(transaction, { pipelineRunId, after });
    for (const stepRun of page) all.push(stepRun);
    if (page.length < LARGEST_PAGE) return all;
    after = page.at(-1);
  }
}

/** One step run; undefined when there is none. */
export async function findStepRun(transaction: ReadTransaction, id: string): Promise<StepRun | undefined> {
  const row = await transaction.selectFrom("step_run").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toStepRun(row);
}

/** How many step runs of a pipeline run have each status. */
export async function countStepRuns(
  transaction: ReadTransaction,
  pipelineRunId: string,
): Promise<Readonly<Partial<Record<StepRunStatus, number>>>> {
  const rows = await transaction
    .selectFrom("step_run")
    .select((select) => ["status", select.fn.countAll<number>().as("count")])
    .where("pipeline_run_id", "=", pipelineRunId)
    .groupBy("status")
    .execute();
  return Object.fromEntries(rows.map((row) => [row.status, Number(row.count)]));
}

/** Steps of a pipeline run with their edges, in the order of the graph. */
export async function listRunSteps(
  transaction: ReadTransaction,
  pipelineRunId: string,
): Promise<
  readonly {
    readonly step: string;
    readonly kind: string;
    readonly position: number;
    readonly dependents: readonly string[];
    readonly outcome: string | undefined;
    readonly reason: string | undefined;
  }[]
> {
  const rows = await transaction
    .selectFrom("run_step")
    .selectAll()
    .where("pipeline_run_id", "=", pipelineRunId)
    .orderBy("position")
    .execute();
  return rows.map((row) => ({
    step: row.step,
    kind: row.kind,
    position: row.position,
    dependents: JSON.parse(row.dependents) as string[],
    outcome: row.outcome ?? undefined,
    reason: row.reason ?? undefined,
  }));
}

/** Newest step run of each step of a pipeline that has ended, whatever run it belongs to. */
export async function findLatestStepRun(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly pipeline: string; readonly step: string; readonly matrixIndex?: number },
): Promise<StepRun | undefined> {
  let select = transaction
    .selectFrom("step_run")
    .selectAll()
    .where("project", "=", key.project)
    .where("pipeline", "=", key.pipeline)
    .where("step", "=", key.step);
  if (key.matrixIndex !== undefined) select = select.where("matrix_index", "=", key.matrixIndex);
  const row = await select.orderBy("id", "desc").limit(1).executeTakeFirst();
  return row === undefined ? undefined : toStepRun(row);
}

/** One attempt of a step run. */
export interface Attempt {
  readonly id: string;
  readonly number: number;
  readonly status: AttemptStatus;
  readonly startedAtMs: number;
  readonly finishedAtMs: number | undefined;
  readonly leaseExpiresAtMs: number;
  readonly error: StoredError | undefined;
  readonly trackingRunId: string | undefined;
}

/** Attempts of a step run, first to last. */
export async function listAttempts(transaction: ReadTransaction, stepRunId: string): Promise<readonly Attempt[]> {
  const rows = await transaction
    .selectFrom("attempt")
    .selectAll()
    .where("step_run_id", "=", stepRunId)
    .orderBy("number")
    .execute();
  return rows.map(toAttempt);
}

export function toAttempt(row: Selectable<PipelineTables["attempt"]>): Attempt {
  return {
    id: row.id,
    number: row.number,
    status: row.status,
    startedAtMs: row.started_at_ms,
    finishedAtMs: row.finished_at_ms ?? undefined,
    leaseExpiresAtMs: row.lease_expires_at_ms,
    error: toStoredError(row.error),
    trackingRunId: row.tracking_run_id ?? undefined,
  };
}

/** Asset versions that step runs read or gave. */
export async function listStepAssets(
  transaction: ReadTransaction,
  stepRunId: string,
): Promise<{
  readonly inputs: readonly {
    readonly asset: string;
    readonly role: string;
    readonly versionId: string;
    readonly version: number;
  }[];
  readonly outputs: readonly {
    readonly asset: string;
    readonly kind: string;
    readonly versionId: string;
    readonly version: number;
    readonly created: boolean;
    readonly rowCount: number | undefined;
  }[];
}> {
  const inputs = await transaction
    .selectFrom("step_input")
    .innerJoin("asset_version", "asset_version.id", "step_input.version_id")
    .select([
      "step_input.asset as asset",
      "step_input.role as role",
      "asset_version.id as id",
      "asset_version.version as version",
    ])
    .where("step_input.step_run_id", "=", stepRunId)
    .orderBy("step_input.asset")
    .execute();
  const outputs = await transaction
    .selectFrom("step_output")
    .innerJoin("asset_version", "asset_version.id", "step_output.version_id")
    .select([
      "step_output.asset as asset",
      "asset_version.kind as kind",
      "asset_version.id as id",
      "asset_version.version as version",
      "step_output.created as created",
      "asset_version.row_count as row_count",
    ])
    .where("step_output.step_run_id", "=", stepRunId)
    .orderBy("step_output.asset")
    .execute();
  return {
    inputs: inputs.map((row) => ({ asset: row.asset, role: row.role, versionId: row.id, version: row.version })),
    outputs: outputs.map((row) => ({
      asset: row.asset,
      kind: row.kind,
      versionId: row.id,
      version: row.version,
      created: row.created === 1,
      rowCount: row.row_count ?? undefined,
    })),
  };
}
