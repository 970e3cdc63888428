import type { WriteTransaction } from "../database.ts";
import { appendEvent, type EventsOf } from "../event/append-event.ts";
import { registeredModelExists } from "./errors.ts";
import { getRegisteredModel } from "./get-registered-model.ts";
import { chunksOf } from "./key-value.ts";
import { findRegisteredModel, type RegisteredModel } from "./registered-model.ts";

/** Who changes which registered model, and when. */
export interface RegistryChange {
  readonly name: string;
  readonly atMs: number;
  readonly actor: string;
}

/**
 * Sets the description; without one it is cleared, as MLflow does.
 *
 * @throws METADATA_STORE_REGISTERED_MODEL_MISSING
 */
export async function updateRegisteredModel(
  transaction: WriteTransaction,
  change: RegistryChange & { readonly description: string | undefined },
): Promise<RegisteredModel> {
  const { id, project } = await findRegisteredModel(transaction, change.name);
  await transaction
    .updateTable("registered_model")
    .set({ description: change.description ?? null, updated_at_ms: change.atMs })
    .where("id", "=", id)
    .execute();
  await appendChange(transaction, change, {
    project,
    type: "registered_model.updated",
    data: { description: change.description },
  });
  return getRegisteredModel(transaction, change.name);
}

/**
 * Gives a registered model, with all that belongs to it, another name.
 *
 * @throws METADATA_STORE_REGISTERED_MODEL_MISSING, METADATA_STORE_REGISTERED_MODEL_EXISTS
 */
export async function renameRegisteredModel(
  transaction: WriteTransaction,
  change: RegistryChange & { readonly newName: string },
): Promise<RegisteredModel> {
  const { id, project } = await findRegisteredModel(transaction, change.name);
  const taken = await transaction
    .selectFrom("registered_model")
    .select("id")
    .where("name", "=", change.newName)
    .executeTakeFirst();
  if (taken !== undefined && taken.id !== id) throw registeredModelExists({ name: change.newName });
  await transaction
    .updateTable("registered_model")
    .set({ name: change.newName, updated_at_ms: change.atMs })
    .where("id", "=", id)
    .execute();
  await transaction
    .updateTable("model_version")
    .set({ updated_at_ms: change.atMs })
    .where("registered_model_id", "=", id)
    .execute();
  await appendChange(transaction, change, {
    project,
    type: "registered_model.renamed",
    data: { newName: change.newName },
  });
  return getRegisteredModel(transaction, change.newName);
}

/**
 * Removes a registered model with its versions, tags and aliases, for good; artifacts stay with their runs.
 *
 * @throws METADATA_STORE_REGISTERED_MODEL_MISSING
 */
export async function deleteRegisteredModel(transaction: WriteTransaction, change: RegistryChange): Promise<void> {
  const { id, project } = await findRegisteredModel(transaction, change.name);
  const versions = await transaction
    .selectFrom("model_version")
    .select("id")
    .where("registered_model_id", "=", id)
    .execute();
  for (const ids of chunksOf(versions.map((version) => version.id))) {
    await transaction.deleteFrom("model_version_tag").where("model_version_id", "in", ids).execute();
  }
  await transaction.deleteFrom("model_version").where("registered_model_id", "=", id).execute();
  await transaction.deleteFrom("registered_model_tag").where("registered_model_id", "=", id).execute();
  await transaction.deleteFrom("registered_model_alias").where("registered_model_id", "=", id).execute();
  await transaction.deleteFrom("registered_model").where("id", "=", id).execute();
  await appendChange(transaction, change, {
    project,
    type: "registered_model.deleted",
    data: { versions: versions.length },
  });
}

/** Appends the event of a change to a registered model. */
export async function appendChange(
  transaction: WriteTransaction,
  change: RegistryChange,
  event: { readonly project: string } & EventsOf<"registered_model" | "model_version" | "model_alias">,
): Promise<void> {
  await appendEvent(transaction, {
    atMs: change.atMs,
    subjectKind: "registered_model",
    subject: change.name,
    actor: change.actor,
    ...event,
  });
}
