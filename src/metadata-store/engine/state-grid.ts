import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { isSqlite } from "../dialect.ts";
import type { StepRunStatus } from "./tables.ts";

/** A step run as one cell of many: nothing of it that is long. */
export interface StepState {
  readonly id: string;
  readonly step: string;
  readonly matrixIndex: number;
  readonly status: StepRunStatus;
  readonly cached: boolean;
  /** Of a step with items or a matrix: which one it is. Not of the step run that listed the items. */
  readonly isItem: boolean;
}

/** Every step run of a pipeline run, in the order of the graph. */
export async function listStepStates(
  transaction: ReadTransaction,
  pipelineRunId: string,
): Promise<readonly StepState[]> {
  const rows = await transaction
    .selectFrom("step_run")
    .select(["id", "step", "matrix_index", "status", "cached", sql<number>`matrix is not null`.as("is_item")])
    .where("pipeline_run_id", "=", pipelineRunId)
    .orderBy("position")
    .orderBy("matrix_index")
    .execute();
  return rows.map((row) => ({
    id: row.id,
    step: row.step,
    matrixIndex: row.matrix_index,
    status: row.status,
    cached: row.cached === 1,
    isItem: Boolean(row.is_item),
  }));
}

/** The newest run of a partition, with what its steps came to. */
export interface PartitionSteps {
  readonly partition: string;
  readonly pipelineRunId: string;
  /** A step run each, in no order; of a step with items, one for each that is different. */
  readonly steps: readonly Pick<StepState, "step" | "status" | "cached">[];
}

/**
 * Of each partition that ever ran, what each step came to in its newest run. What the database says of one run is one
 * text: a row for each step run would cost more than all the rest.
 */
export async function listPartitionSteps(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly pipeline: string },
): Promise<readonly PartitionSteps[]> {
  const newest = transaction
    .selectFrom("pipeline_run")
    .where("project", "=", of.project)
    .where("pipeline", "=", of.pipeline)
    .where("partition", "is not", null)
    .groupBy("partition");
  const runs = await newest.select((select) => ["partition", select.fn.max("id").as("id")]).execute();
  const cell = sql<string>`step || ' ' || status || ' ' || cached`;
  const cells = isSqlite(transaction)
    ? sql<string>`group_concat(distinct ${cell})`
    : sql<string>`string_agg(distinct ${cell}, ',')`;
  const found = await transaction
    .selectFrom("step_run")
    .select(["pipeline_run_id", cells.as("cells")])
    .where(
      "pipeline_run_id",
      "in",
      newest.select((select) => select.fn.max("id").as("id")),
    )
    .groupBy("pipeline_run_id")
    .execute();
  const byRun = new Map(found.map((row) => [row.pipeline_run_id, row.cells]));
  return runs.map(({ partition, id }) => ({
    partition: partition ?? "",
    pipelineRunId: id,
    steps: (byRun.get(id) ?? "").split(",").flatMap(toCell),
  }));
}

/** Names of steps hold neither spaces nor commas. */
function toCell(text: string): readonly Pick<StepState, "step" | "status" | "cached">[] {
  const [step = "", status, cached] = text.split(" ");
  const found = STATUSES.find((each) => each === status);
  return found === undefined ? [] : [{ step, status: found, cached: cached === "1" }];
}

const STATUSES: readonly StepRunStatus[] = [
  "succeeded",
  "failed",
  "running",
  "pending",
  "queued",
  "waiting",
  "skipped",
  "cancelled",
];
