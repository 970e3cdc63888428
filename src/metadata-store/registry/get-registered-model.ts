import type { ReadTransaction } from "../database.ts";
import { findRegisteredModel, hydrateRegisteredModels, type RegisteredModel } from "./registered-model.ts";

/** @throws METADATA_STORE_REGISTERED_MODEL_MISSING */
export async function getRegisteredModel(transaction: ReadTransaction, name: string): Promise<RegisteredModel> {
  return (await hydrateRegisteredModels(transaction, [await findRegisteredModel(transaction, name)]))[0] as RegisteredModel;
}
