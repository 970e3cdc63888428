import type { WriteTransaction } from "../database.ts";
import { appendChange, type RegistryChange } from "./change-registered-model.ts";
import { modelVersionMissing } from "./errors.ts";
import { getModelVersion } from "./get-model-version.ts";
import type { ModelVersion } from "./model-version.ts";
import type { ModelStage } from "./tables.ts";

/** Who changes which version, and when. */
export interface ModelVersionChange extends RegistryChange {
  readonly version: number;
}

export interface FoundVersion {
  readonly id: string;
  readonly modelId: string;
  readonly project: string;
  readonly isPrompt: boolean;
}

/** @throws METADATA_STORE_MODEL_VERSION_MISSING */
export async function findModelVersion(
  transaction: WriteTransaction,
  key: { readonly name: string; readonly version: number },
): Promise<FoundVersion> {
  const row = await transaction
    .selectFrom("model_version")
    .innerJoin("registered_model", "registered_model.id", "model_version.registered_model_id")
    .select([
      "model_version.id",
      "registered_model.id as modelId",
      "registered_model.project",
      "registered_model.is_prompt",
    ])
    .where("registered_model.name", "=", key.name)
    .where("model_version.version", "=", key.version)
    .executeTakeFirst();
  if (row === undefined) throw modelVersionMissing(key);
  return { id: row.id, modelId: row.modelId, project: row.project, isPrompt: row.is_prompt === 1 };
}

/** Sets the description; without one it is cleared. @throws METADATA_STORE_MODEL_VERSION_MISSING */
export async function updateModelVersion(
  transaction: WriteTransaction,
  change: ModelVersionChange & { readonly description: string | undefined },
): Promise<ModelVersion> {
  const { id, project } = await findModelVersion(transaction, change);
  await transaction
    .updateTable("model_version")
    .set({ description: change.description ?? null, updated_at_ms: change.atMs })
    .where("id", "=", id)
    .execute();
  await appendChange(transaction, change, {
    project,
    type: "model_version.updated",
    data: { version: change.version, description: change.description },
  });
  return getModelVersion(transaction, change);
}

/**
 * Moves a version to a stage; `archiveOthers` moves the versions that are there to Archived.
 *
 * @throws METADATA_STORE_MODEL_VERSION_MISSING
 */
export async function transitionModelVersion(
  transaction: WriteTransaction,
  change: ModelVersionChange & { readonly stage: ModelStage; readonly archiveOthers: boolean },
): Promise<ModelVersion> {
  const { id, modelId, project } = await findModelVersion(transaction, change);
  if (change.archiveOthers) {
    await transaction
      .updateTable("model_version")
      .set({ stage: "Archived", updated_at_ms: change.atMs })
      .where("registered_model_id", "=", modelId)
      .where("stage", "=", change.stage)
      .where("id", "!=", id)
      .execute();
  }
  await transaction
    .updateTable("model_version")
    .set({ stage: change.stage, updated_at_ms: change.atMs })
    .where("id", "=", id)
    .execute();
  await transaction
    .updateTable("registered_model")
    .set({ updated_at_ms: change.atMs })
    .where("id", "=", modelId)
    .execute();
  await appendChange(transaction, change, {
    project,
    type: "model_version.stage_set",
    data: { version: change.version, stage: change.stage },
  });
  return getModelVersion(transaction, change);
}

/**
 * Removes a version for good, with its tags and the aliases that point at it. @throws
 * METADATA_STORE_MODEL_VERSION_MISSING
 */
export async function deleteModelVersion(transaction: WriteTransaction, change: ModelVersionChange): Promise<void> {
  const { id, modelId, project } = await findModelVersion(transaction, change);
  await transaction.deleteFrom("model_version_tag").where("model_version_id", "=", id).execute();
  await transaction.deleteFrom("model_version").where("id", "=", id).execute();
  const aliases = await transaction
    .deleteFrom("registered_model_alias")
    .where("registered_model_id", "=", modelId)
    .where("version", "=", change.version)
    .returning("alias")
    .execute();
  await transaction
    .updateTable("registered_model")
    .set({ updated_at_ms: change.atMs })
    .where("id", "=", modelId)
    .execute();
  await appendChange(transaction, change, {
    project,
    type: "model_version.deleted",
    data: { version: change.version, aliases: aliases.map(({ alias }) => alias) },
  });
}
