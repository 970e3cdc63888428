import { newId } from "#base";
import type { WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { enqueueWebhooks } from "./enqueue-webhooks.ts";
import { registeredModelExists } from "./errors.ts";
import { type KeyValue, lastOfEachKey } from "./key-value.ts";
import { hydrateRegisteredModels, type RegisteredModel } from "./registered-model.ts";

export const PROMPT_TAG = "mlflow.prompt.is_prompt";

export interface NewRegisteredModel {
  readonly project: string;
  readonly name: string;
  readonly description?: string | undefined;
  readonly tags?: readonly KeyValue[];
  readonly atMs: number;
  readonly actor: string;
  /** `keep`: an existing model is returned as it is. Default: METADATA_STORE_REGISTERED_MODEL_EXISTS. */
  readonly whenExists?: "refuse" | "keep";
}

/**
 * Makes a registered model, its event `registered_model.created` and its webhook deliveries.
 *
 * @throws METADATA_STORE_REGISTERED_MODEL_EXISTS
 */
export async function createRegisteredModel(
  transaction: WriteTransaction,
  facts: NewRegisteredModel,
): Promise<RegisteredModel> {
  const tags = lastOfEachKey(facts.tags ?? []);
  const isPrompt = isPromptTag(tags);
  const row = await transaction
    .insertInto("registered_model")
    .values({
      id: newId(facts.atMs),
      project: facts.project,
      name: facts.name,
      description: facts.description ?? null,
      created_at_ms: facts.atMs,
      updated_at_ms: facts.atMs,
      last_version: 0,
      is_prompt: isPrompt ? 1 : 0,
    })
    .onConflict((conflict) => conflict.column("name").doNothing())
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) {
    if (facts.whenExists !== "keep") throw registeredModelExists({ name: facts.name });
    const existing = await transaction
      .selectFrom("registered_model")
      .selectAll()
      .where("name", "=", facts.name)
      .execute();
    return (await hydrateRegisteredModels(transaction, existing))[0] as RegisteredModel;
  }
  if (tags.length > 0) {
    await transaction
      .insertInto("registered_model_tag")
      .values(tags.map((tag) => ({ registered_model_id: row.id, ...tag, position: newId(facts.atMs) })))
      .execute();
  }
  await appendEvent(transaction, {
    atMs: facts.atMs,
    project: facts.project,
    type: "registered_model.created",
    subjectKind: "registered_model",
    subject: facts.name,
    actor: facts.actor,
  });
  const data = {
    name: facts.name,
    tags: Object.fromEntries(tags.map(({ key, value }) => [key, value])),
    description: facts.description ?? null,
  };
  await enqueueWebhooks(
    transaction,
    { entity: isPrompt ? "PROMPT" : "REGISTERED_MODEL", action: "CREATED" },
    data,
    facts.atMs,
  );
  return (await hydrateRegisteredModels(transaction, [row]))[0] as RegisteredModel;
}

/** True when the tags say that the registered model is an MLflow prompt. */
export function isPromptTag(tags: readonly KeyValue[]): boolean {
  return tags.some(({ key, value }) => key === PROMPT_TAG && value.toLowerCase() === "true");
}
