import type { ReadTransaction } from "../database.ts";
import { type StepRun, toStepRun } from "./list-step-runs.ts";

/** The newest step run that waits for a gate; undefined when none does. */
export async function findWaitingStepRun(
  transaction: ReadTransaction,
  key: { readonly project: string; readonly gateKey: string },
): Promise<StepRun | undefined> {
  const row = await transaction
    .selectFrom("step_run")
    .selectAll()
    .where("project", "=", key.project)
    .where("gate_key", "=", key.gateKey)
    .where("status", "=", "waiting")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toStepRun(row);
}
