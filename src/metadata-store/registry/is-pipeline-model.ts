import type { ReadTransaction } from "../database.ts";

/** True when a step of a pipeline made a version of the registered model. */
export async function isPipelineModel(transaction: ReadTransaction, name: string): Promise<boolean> {
  const made = await transaction
    .selectFrom("model_version")
    .innerJoin("registered_model", "registered_model.id", "model_version.registered_model_id")
    .select("model_version.id")
    .where("registered_model.name", "=", name)
    .where("model_version.asset_version_id", "is not", null)
    .limit(1)
    .executeTakeFirst();
  return made !== undefined;
}
