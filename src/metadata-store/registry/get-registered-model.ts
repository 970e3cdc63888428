import type { ReadTransaction } from "../database.ts";
import { findRegisteredModel, hydrateRegisteredModels, type RegisteredModel } from "./registered-model.ts";

/** @throws METADATA_STORE_REGISTERED_MODEL_MISSING */
export async function getRegisteredModel(transaction: ReadTransaction, name: string): Promise<RegisteredModel> {
  return (
    await hydrateRegisteredModels(transaction, [await findRegisteredModel(transaction, name)])
  )[0] as RegisteredModel;
}

/** True when the registered model holds an MLflow prompt; false also when there is none of that name. */
export async function isPromptModel(transaction: ReadTransaction, name: string): Promise<boolean> {
  const row = await transaction
    .selectFrom("registered_model")
    .select("is_prompt")
    .where("name", "=", name)
    .executeTakeFirst();
  return row?.is_prompt === 1;
}
