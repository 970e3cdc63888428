import { newId } from "#base";
import type { WriteTransaction } from "../database.ts";
import { appendChange } from "./change-registered-model.ts";
import { enqueueWebhooks } from "./enqueue-webhooks.ts";
import { registeredModelMissing } from "./errors.ts";
import { type KeyValue, lastOfEachKey } from "./key-value.ts";
import { hydrateModelVersions, type ModelVersion } from "./model-version.ts";

export interface NewModelVersion {
  /** Name of the registered model. */
  readonly name: string;
  /** As the client gave it. */
  readonly source: string;
  /** Where the files are; default: `source`. */
  readonly storageLocation?: string | undefined;
  readonly runId?: string | undefined;
  readonly runLink?: string | undefined;
  readonly loggedModelId?: string | undefined;
  readonly assetVersionId?: string | undefined;
  readonly description?: string | undefined;
  readonly tags?: readonly KeyValue[];
  readonly atMs: number;
  readonly actor: string;
}

/**
 * Makes the next version of a registered model: highest number ever given + 1. Event `model_version.created`.
 * A `loggedModelId` gets the version written to its tag `mlflow.modelVersions`.
 *
 * @throws METADATA_STORE_REGISTERED_MODEL_MISSING
 */
export async function createModelVersion(transaction: WriteTransaction, facts: NewModelVersion): Promise<ModelVersion> {
  const model = await transaction
    .updateTable("registered_model")
    .set((update) => ({ last_version: update("last_version", "+", 1), updated_at_ms: facts.atMs }))
    .where("name", "=", facts.name)
    .returning(["id", "project", "last_version", "is_prompt"])
    .executeTakeFirst();
  if (model === undefined) throw registeredModelMissing({ name: facts.name });
  const tags = lastOfEachKey(facts.tags ?? []);
  const row = {
    id: newId(facts.atMs),
    registered_model_id: model.id,
    version: model.last_version,
    created_at_ms: facts.atMs,
    updated_at_ms: facts.atMs,
    description: facts.description ?? null,
    stage: "None" as const,
    source: facts.source,
    storage_location: facts.storageLocation ?? facts.source,
    run_id: facts.runId ?? null,
    run_link: facts.runLink ?? null,
    logged_model_id: facts.loggedModelId ?? null,
    asset_version_id: facts.assetVersionId ?? null,
    actor: facts.actor,
  };
  await transaction.insertInto("model_version").values(row).execute();
  if (tags.length > 0) {
    await transaction
      .insertInto("model_version_tag")
      .values(tags.map((tag) => ({ model_version_id: row.id, ...tag, position: newId(facts.atMs) })))
      .execute();
  }
  if (facts.loggedModelId !== undefined)
    await noteVersionOnLoggedModel(transaction, facts.loggedModelId, { name: facts.name, version: row.version });
  await appendChange(transaction, facts, {
    project: model.project,
    type: "model_version.created",
    data: {
      version: row.version,
      source: facts.source,
      runId: facts.runId,
      assetVersionId: facts.assetVersionId,
    },
  });
  await enqueueWebhooks(
    transaction,
    { entity: model.is_prompt === 1 ? "PROMPT_VERSION" : "MODEL_VERSION", action: "CREATED" },
    {
      name: facts.name,
      version: String(row.version),
      source: facts.source,
      run_id: facts.runId ?? null,
      tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
      description: facts.description ?? null,
    },
    facts.atMs,
  );
  return (await hydrateModelVersions(transaction, [{ ...row, name: facts.name }]))[0] as ModelVersion;
}

const VERSIONS_TAG = "mlflow.modelVersions";

async function noteVersionOnLoggedModel(
  transaction: WriteTransaction,
  loggedModelId: string,
  version: { name: string; version: number },
): Promise<void> {
  const tag = await transaction
    .selectFrom("logged_model_tag")
    .select("value")
    .where("logged_model_id", "=", loggedModelId)
    .where("key", "=", VERSIONS_TAG)
    .executeTakeFirst();
  const value = JSON.stringify([...parseVersions(tag?.value), version]);
  await transaction
    .insertInto("logged_model_tag")
    .values({ logged_model_id: loggedModelId, key: VERSIONS_TAG, value })
    .onConflict((conflict) => conflict.columns(["logged_model_id", "key"]).doUpdateSet({ value }))
    .execute();
}

/** A client may have written anything into the tag: what is no list is replaced. */
function parseVersions(text: string | undefined): readonly unknown[] {
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
