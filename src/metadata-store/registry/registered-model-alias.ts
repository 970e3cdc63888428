import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendChange, type RegistryChange } from "./change-registered-model.ts";
import { enqueueWebhooks } from "./enqueue-webhooks.ts";
import { modelAliasMissing } from "./errors.ts";
import { getModelVersion } from "./get-model-version.ts";
import { type ModelVersion, readLatestVersions } from "./model-version.ts";
import { findRegisteredModel } from "./registered-model.ts";

/**
 * Points an alias at a version; it leaves the one it pointed at before. Event `model_alias.set`.
 *
 * Whether the caller may move this alias is asked before: see `PromotionCheck` in `models`.
 *
 * @throws METADATA_STORE_REGISTERED_MODEL_MISSING, METADATA_STORE_MODEL_VERSION_MISSING
 */
export async function setRegisteredModelAlias(
  transaction: WriteTransaction,
  change: RegistryChange & { readonly alias: string; readonly version: number },
): Promise<void> {
  const { name, alias, version } = change;
  const { id, project, is_prompt: isPrompt } = await findRegisteredModel(transaction, name);
  await getModelVersion(transaction, { name, version });
  const before = await transaction
    .selectFrom("registered_model_alias")
    .select("version")
    .where("registered_model_id", "=", id)
    .where("alias", "=", alias)
    .executeTakeFirst();
  await transaction
    .insertInto("registered_model_alias")
    .values({ registered_model_id: id, alias, version })
    .onConflict((conflict) => conflict.columns(["registered_model_id", "alias"]).doUpdateSet({ version }))
    .execute();
  await transaction.updateTable("registered_model").set({ updated_at_ms: change.atMs }).where("id", "=", id).execute();
  await appendChange(transaction, change, {
    project,
    type: "model_alias.set",
    data: { alias, version, before: before?.version ?? null },
  });
  await enqueueWebhooks(
    transaction,
    { entity: isPrompt === 1 ? "PROMPT_ALIAS" : "MODEL_VERSION_ALIAS", action: "CREATED" },
    { name, alias, version: String(version) },
    change.atMs,
  );
}

/** Removing an alias that is not there is no error. @throws METADATA_STORE_REGISTERED_MODEL_MISSING */
export async function deleteRegisteredModelAlias(
  transaction: WriteTransaction,
  change: RegistryChange & { readonly alias: string },
): Promise<void> {
  const { name, alias } = change;
  const { id, project, is_prompt: isPrompt } = await findRegisteredModel(transaction, name);
  const removed = await transaction
    .deleteFrom("registered_model_alias")
    .where("registered_model_id", "=", id)
    .where("alias", "=", alias)
    .returning("version")
    .executeTakeFirst();
  if (removed === undefined) return;
  await transaction.updateTable("registered_model").set({ updated_at_ms: change.atMs }).where("id", "=", id).execute();
  await appendChange(transaction, change, {
    project,
    type: "model_alias.deleted",
    data: { alias, before: removed.version },
  });
  await enqueueWebhooks(
    transaction,
    { entity: isPrompt === 1 ? "PROMPT_ALIAS" : "MODEL_VERSION_ALIAS", action: "DELETED" },
    { name, alias },
    change.atMs,
  );
}

/**
 * The version an alias points at. `latest`, in any case, is the first of the newest versions per stage, as in MLflow.
 *
 * @throws METADATA_STORE_REGISTERED_MODEL_MISSING, METADATA_STORE_MODEL_ALIAS_MISSING,
 *   METADATA_STORE_MODEL_VERSION_MISSING
 */
export async function getModelVersionByAlias(
  transaction: ReadTransaction,
  key: { readonly name: string; readonly alias: string },
): Promise<ModelVersion> {
  const { id } = await findRegisteredModel(transaction, key.name);
  if (key.alias.toLowerCase() === "latest") {
    const latest = (await readLatestVersions(transaction, [id])).get(id)?.[0];
    if (latest === undefined) throw modelAliasMissing({ alias: key.alias });
    return latest;
  }
  const row = await transaction
    .selectFrom("registered_model_alias")
    .select("version")
    .where("registered_model_id", "=", id)
    .where("alias", "=", key.alias)
    .executeTakeFirst();
  if (row === undefined) throw modelAliasMissing({ alias: key.alias });
  return getModelVersion(transaction, { name: key.name, version: row.version });
}
