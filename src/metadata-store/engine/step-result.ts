import type { Json } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";

/** The item is no longer in the list of its step. */
export const GONE = "it is no item any more";
/** The items of its step are listed again, which decides whether it is one. */
export const LISTED_AGAIN = "its items are listed again";
const NO_ITEM: readonly string[] = [GONE, LISTED_AGAIN];

/** What one step run gave, as the steps behind it read it. */
export interface StepResult {
  readonly step: string;
  readonly index: number;
  /** The item or combination; undefined for the only step run of a step. */
  readonly matrix: Readonly<Record<string, Json>> | undefined;
  readonly status: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** Keeps the outputs of a step run; those of an earlier attempt are gone. */
export async function putStepResult(
  transaction: WriteTransaction,
  facts: {
    readonly stepRunId: string;
    readonly outputs: Readonly<Record<string, string>> | undefined;
    /** Nothing can be there yet. */
    readonly isFirst?: boolean;
  },
): Promise<void> {
  const { stepRunId, outputs = {} } = facts;
  if (Object.keys(outputs).length === 0) {
    if (facts.isFirst !== true)
      await transaction.deleteFrom("step_result").where("step_run_id", "=", stepRunId).execute();
    return;
  }
  const row = { outputs: JSON.stringify(outputs) };
  await transaction
    .insertInto("step_result")
    .values({ step_run_id: stepRunId, ...row })
    .onConflict((conflict) => conflict.column("step_run_id").doUpdateSet(row))
    .execute();
}

/**
 * Results of steps of one pipeline run, in the order of their items or combinations. The step run that lists the items
 * of a step is none of them, nor is one that is no item any more.
 */
export async function listStepResults(
  transaction: ReadTransaction,
  key: { readonly pipelineRunId: string; readonly steps: readonly string[] },
): Promise<readonly StepResult[]> {
  if (key.steps.length === 0) return [];
  const rows = await transaction
    .selectFrom("step_run")
    .innerJoin("run_step", (join) =>
      join
        .onRef("run_step.pipeline_run_id", "=", "step_run.pipeline_run_id")
        .onRef("run_step.step", "=", "step_run.step"),
    )
    .leftJoin("step_result", "step_result.step_run_id", "step_run.id")
    .select([
      "step_run.step",
      "step_run.matrix_index",
      "step_run.matrix",
      "step_run.status",
      "step_run.reason",
      "step_result.outputs",
    ])
    .where("step_run.pipeline_run_id", "=", key.pipelineRunId)
    .where("step_run.step", "in", key.steps)
    .where((is) => is.or([is("run_step.for_each", "=", 0), is("step_run.matrix_index", ">", 0)]))
    .orderBy("step_run.step")
    .orderBy("step_run.matrix_index")
    .execute();
  const items = rows.filter(({ status, reason }) => status !== "skipped" || !NO_ITEM.includes(reason ?? ""));
  return items.map(({ step, matrix_index: index, matrix, status, outputs }) => ({
    step,
    index,
    matrix: matrix === null ? undefined : (JSON.parse(matrix) as Readonly<Record<string, Json>>),
    status,
    outputs: outputs === null ? {} : (JSON.parse(outputs) as Readonly<Record<string, string>>),
  }));
}
