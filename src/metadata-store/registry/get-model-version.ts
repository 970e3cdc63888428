import type { ReadTransaction } from "../database.ts";
import { modelVersionMissing } from "./errors.ts";
import { chunksOf } from "./key-value.ts";
import { hydrateModelVersions, type ModelVersion, readLatestVersions } from "./model-version.ts";
import { findRegisteredModel } from "./registered-model.ts";
import type { ModelStage } from "./tables.ts";

/** @throws METADATA_STORE_MODEL_VERSION_MISSING, also when there is no such model */
export async function getModelVersion(
  transaction: ReadTransaction,
  key: { readonly name: string; readonly version: number },
): Promise<ModelVersion> {
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
export async function getModelVersionOfAsset(
  transaction: ReadTransaction,
  assetVersionId: string,
): Promise<ModelVersion | undefined> {
  return (await listModelVersionsOfAssets(transaction, [assetVersionId])).get(assetVersionId);
}

/** The newest registered version that was made from each asset version, by its id; those without one are left out. */
export async function listModelVersionsOfAssets(
  transaction: ReadTransaction,
  assetVersionIds: readonly string[],
): Promise<ReadonlyMap<string, ModelVersion>> {
  const found = new Map<string, ModelVersion>();
  for (const ids of chunksOf(assetVersionIds)) {
    const rows = await transaction
      .selectFrom("model_version")
      .innerJoin("registered_model", "registered_model.id", "model_version.registered_model_id")
      .selectAll("model_version")
      .select("registered_model.name")
      .where("model_version.asset_version_id", "in", ids)
      .orderBy("model_version.created_at_ms")
      .execute();
    for (const version of await hydrateModelVersions(transaction, rows))
      if (version.assetVersionId !== undefined) found.set(version.assetVersionId, version);
  }
  return found;
}

/** The asset version that an alias of each registered model points at, by the model's name. */
export async function listAliasedAssets(
  transaction: ReadTransaction,
  query: { readonly names: readonly string[]; readonly alias: string },
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const names of chunksOf(query.names)) {
    const rows = await transaction
      .selectFrom("registered_model")
      .innerJoin("registered_model_alias", "registered_model_alias.registered_model_id", "registered_model.id")
      .innerJoin("model_version", (join) =>
        join
          .onRef("model_version.registered_model_id", "=", "registered_model.id")
          .onRef("model_version.version", "=", "registered_model_alias.version"),
      )
      .select(["registered_model.name", "model_version.asset_version_id"])
      .where("registered_model.name", "in", names)
      .where("registered_model_alias.alias", "=", query.alias)
      .execute();
    for (const { name, asset_version_id: id } of rows) if (id !== null) found.set(name, id);
  }
  return found;
}

/**
 * The newest version per stage, of the given stages or of all.
 *
 * @throws METADATA_STORE_REGISTERED_MODEL_MISSING
 */
export async function getLatestModelVersions(
  transaction: ReadTransaction,
  key: { readonly name: string; readonly stages: readonly ModelStage[] },
): Promise<readonly ModelVersion[]> {
  const { id } = await findRegisteredModel(transaction, key.name);
  const latest = (await readLatestVersions(transaction, [id])).get(id) ?? [];
  return key.stages.length === 0 ? latest : latest.filter(({ stage }) => key.stages.includes(stage));
}
