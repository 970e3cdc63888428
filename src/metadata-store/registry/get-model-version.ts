import type { ReadTransaction } from "../database.ts";
import { modelVersionMissing } from "./errors.ts";
import { hydrateModelVersions, type ModelVersion, readLatestVersions } from "./model-version.ts";
import { findRegisteredModel } from "./registered-model.ts";
import type { ModelStage } from "./tables.ts";

/** @throws METADATA_STORE_MODEL_VERSION_MISSING, also when there is no such model */
export async function getModelVersion(transaction: ReadTransaction, key: { readonly name: string; readonly version: number }): Promise<ModelVersion> {
  const rows = await transaction
    .selectFrom("model_version")
    .innerJoin("registered_model", "registered_model.id", "model_version.registered_model_id")
    .selectAll("model_version")
    .select("registered_model.name")
    .where("registered_model.name", "=", key.name)
    .where("model_version.version", "=", key.version)
    .execute();
  const [version] = await hydrateModelVersions(transaction, rows);
  if (version === undefined) throw modelVersionMissing(key);
  return version;
}

/** The registered version that was made from an asset version, if there is one. */
export async function getModelVersionOfAsset(transaction: ReadTransaction, assetVersionId: string): Promise<ModelVersion | undefined> {
  const rows = await transaction
    .selectFrom("model_version")
    .innerJoin("registered_model", "registered_model.id", "model_version.registered_model_id")
    .selectAll("model_version")
    .select("registered_model.name")
    .where("model_version.asset_version_id", "=", assetVersionId)
    .orderBy("model_version.created_at_ms", "desc")
    .limit(1)
    .execute();
  return (await hydrateModelVersions(transaction, rows))[0];
}

/**
 * The newest version per stage, of the given stages or of all.
 *
 * @throws METADATA_STORE_REGISTERED_MODEL_MISSING
 */
export async function getLatestModelVersions(transaction: ReadTransaction, key: { readonly name: string; readonly stages: readonly ModelStage[] }): Promise<readonly ModelVersion[]> {
  const { id } = await findRegisteredModel(transaction, key.name);
  const latest = (await readLatestVersions(transaction, [id])).get(id) ?? [];
  return key.stages.length === 0 ? latest : latest.filter(({ stage }) => key.stages.includes(stage));
}
