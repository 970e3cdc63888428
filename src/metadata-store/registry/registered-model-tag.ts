import { newId } from "#base";
import type { WriteTransaction } from "../database.ts";
import { appendChange, type RegistryChange } from "./change-registered-model.ts";
import { isPromptTag, PROMPT_TAG } from "./create-registered-model.ts";
import { enqueueWebhooks } from "./enqueue-webhooks.ts";
import { findRegisteredModel } from "./registered-model.ts";

/** @throws METADATA_STORE_REGISTERED_MODEL_MISSING */
export async function setRegisteredModelTag(
  transaction: WriteTransaction,
  change: RegistryChange & { readonly key: string; readonly value: string },
): Promise<void> {
  const { id, project, is_prompt: wasPrompt } = await findRegisteredModel(transaction, change.name);
  const { key, value } = change;
  await transaction
    .insertInto("registered_model_tag")
    .values({ registered_model_id: id, key, value, position: newId(change.atMs) })
    .onConflict((conflict) => conflict.columns(["registered_model_id", "key"]).doUpdateSet({ value }))
    .execute();
  const isPrompt = key === PROMPT_TAG ? (isPromptTag([{ key, value }]) ? 1 : 0) : wasPrompt;
  await transaction
    .updateTable("registered_model")
    .set({ updated_at_ms: change.atMs, is_prompt: isPrompt })
    .where("id", "=", id)
    .execute();
  await appendChange(transaction, change, { project, type: "registered_model.tag_set", data: { key, value } });
  if (isPrompt === 1)
    await enqueueWebhooks(
      transaction,
      { entity: "PROMPT_TAG", action: "SET" },
      { name: change.name, key, value },
      change.atMs,
    );
}

/** Removing a tag that is not there is no error. @throws METADATA_STORE_REGISTERED_MODEL_MISSING */
export async function deleteRegisteredModelTag(
  transaction: WriteTransaction,
  change: RegistryChange & { readonly key: string },
): Promise<void> {
  const { id, project, is_prompt: isPrompt } = await findRegisteredModel(transaction, change.name);
  const removed = await transaction
    .deleteFrom("registered_model_tag")
    .where("registered_model_id", "=", id)
    .where("key", "=", change.key)
    .returning("key")
    .executeTakeFirst();
  if (removed === undefined) return;
  await transaction
    .updateTable("registered_model")
    .set({ updated_at_ms: change.atMs, ...(change.key === PROMPT_TAG ? { is_prompt: 0 } : {}) })
    .where("id", "=", id)
    .execute();
  await appendChange(transaction, change, { project, type: "registered_model.tag_deleted", data: { key: change.key } });
  if (isPrompt === 1)
    await enqueueWebhooks(
      transaction,
      { entity: "PROMPT_TAG", action: "DELETED" },
      { name: change.name, key: change.key },
      change.atMs,
    );
}
