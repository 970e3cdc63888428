import { newId } from "#base";
import type { WriteTransaction } from "../database.ts";
import { findModelVersion, type ModelVersionChange } from "./change-model-version.ts";
import { appendChange } from "./change-registered-model.ts";
import { enqueueWebhooks } from "./enqueue-webhooks.ts";

/** @throws METADATA_STORE_MODEL_VERSION_MISSING */
export async function setModelVersionTag(
  transaction: WriteTransaction,
  change: ModelVersionChange & { readonly key: string; readonly value: string },
): Promise<void> {
  const { id, project, isPrompt } = await findModelVersion(transaction, change);
  const { name, key, value } = change;
  await transaction
    .insertInto("model_version_tag")
    .values({ model_version_id: id, key, value, position: newId(change.atMs) })
    .onConflict((conflict) => conflict.columns(["model_version_id", "key"]).doUpdateSet({ value }))
    .execute();
  await appendChange(transaction, change, {
    project,
    type: "model_version.tag_set",
    data: { version: change.version, key, value },
  });
  const event = { entity: isPrompt ? "PROMPT_VERSION_TAG" : "MODEL_VERSION_TAG", action: "SET" };
  await enqueueWebhooks(transaction, event, { name, version: String(change.version), key, value }, change.atMs);
}

/** Removing a tag that is not there is no error. @throws METADATA_STORE_MODEL_VERSION_MISSING */
export async function deleteModelVersionTag(
  transaction: WriteTransaction,
  change: ModelVersionChange & { readonly key: string },
): Promise<void> {
  const { id, project, isPrompt } = await findModelVersion(transaction, change);
  const { name, key } = change;
  const removed = await transaction
    .deleteFrom("model_version_tag")
    .where("model_version_id", "=", id)
    .where("key", "=", key)
    .returning("key")
    .executeTakeFirst();
  if (removed === undefined) return;
  await appendChange(transaction, change, {
    project,
    type: "model_version.tag_deleted",
    data: { version: change.version, key },
  });
  const event = { entity: isPrompt ? "PROMPT_VERSION_TAG" : "MODEL_VERSION_TAG", action: "DELETED" };
  await enqueueWebhooks(transaction, event, { name, version: String(change.version), key }, change.atMs);
}
