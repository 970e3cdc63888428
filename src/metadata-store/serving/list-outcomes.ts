import type { ReadTransaction } from "../database.ts";
import type { EndpointKey } from "./endpoint.ts";
import type { PredictionArm } from "./prediction.ts";

/** A prediction whose truth has come. */
export interface LabelledPrediction {
  readonly id: string;
  readonly prediction: number | null;
  readonly prediction_text: string | null;
  readonly label: number | null;
  readonly label_text: string | null;
  readonly propensity: number | null;
}

/** One version's part in a trial. */
export interface TrialArmKey extends EndpointKey {
  readonly modelVersionId: string;
  readonly arms: readonly PredictionArm[];
  /** Rows that chance gave to the arm, and no others. */
  readonly drawn?: boolean | undefined;
}

/** Labelled predictions of one arm of a trial, oldest first, at most 20,000 a page. `afterId` is excluded. */
export async function listLabelled(
  transaction: ReadTransaction,
  query: TrialArmKey & { readonly afterId: string; readonly limit: number },
): Promise<readonly LabelledPrediction[]> {
  const found = new Map<string, LabelledPrediction>();
  // A row that is on its way to the history is found in one of them, or in both.
  for (const table of ["prediction", "prediction_label"] as const) {
    const rows = await transaction
      .selectFrom(table)
      .select(["id", "prediction", "prediction_text", "label", "label_text", "propensity"])
      .where("model_version_id", "=", query.modelVersionId)
      .where("id", ">", query.afterId)
      .where("project", "=", query.project)
      .where("environment", "=", query.environment)
      .where("endpoint", "=", query.endpoint)
      .where("arm", "in", query.arms)
      .where("label_received_at_ms", "is not", null)
      .$if(query.drawn === true, (select) => select.where("propensity", "is not", null))
      .orderBy("id")
      .limit(query.limit)
      .execute();
    for (const row of rows) found.set(row.id, row);
  }
  return [...found.values()].sort((left, right) => (left.id < right.id ? -1 : 1)).slice(0, query.limit);
}

/** How many predictions of an arm have a label, and how often one was corrected: it changes whenever a label comes. */
export async function countLabels(
  transaction: ReadTransaction,
  key: TrialArmKey,
): Promise<{ readonly labelled: number; readonly corrections: number }> {
  const row = await transaction
    .selectFrom("prediction_total")
    .select((of) => [of.fn.sum<number>("labelled").as("labelled"), of.fn.sum<number>("corrections").as("corrections")])
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .where("model_version_id", "=", key.modelVersionId)
    .where("arm", "in", key.arms)
    .executeTakeFirst();
  return { labelled: Number(row?.labelled ?? 0), corrections: Number(row?.corrections ?? 0) };
}
