import type { WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { type KeyValue, lastOfEachKey } from "./key-value.ts";
import { hydrateLoggedModels, type LoggedModel } from "./logged-model.ts";

export interface NewLoggedModel {
  readonly id: string;
  readonly project: string;
  readonly experimentId: string;
  readonly name: string;
  readonly artifactUri: string;
  readonly modelType?: string | undefined;
  readonly sourceRunId?: string | undefined;
  readonly params?: readonly KeyValue[];
  readonly tags?: readonly KeyValue[];
  readonly atMs: number;
  readonly actor: string;
}

/** Makes a logged model, pending until its files are there. Whether its experiment exists is asked before. */
export async function createLoggedModel(transaction: WriteTransaction, facts: NewLoggedModel): Promise<LoggedModel> {
  const row = {
    id: facts.id,
    experiment_id: facts.experimentId,
    name: facts.name,
    artifact_uri: facts.artifactUri,
    created_at_ms: facts.atMs,
    updated_at_ms: facts.atMs,
    status: "LOGGED_MODEL_PENDING" as const,
    model_type: facts.modelType ?? null,
    source_run_id: facts.sourceRunId ?? null,
    deleted: 0,
    deleted_at_ms: null,
  };
  await transaction.insertInto("logged_model").values(row).execute();
  const params = lastOfEachKey(facts.params ?? []);
  if (params.length > 0)
    await transaction
      .insertInto("logged_model_param")
      .values(params.map((pair) => ({ logged_model_id: row.id, ...pair })))
      .execute();
  const tags = lastOfEachKey(facts.tags ?? []);
  if (tags.length > 0)
    await transaction
      .insertInto("logged_model_tag")
      .values(tags.map((pair) => ({ logged_model_id: row.id, ...pair })))
      .execute();
  await appendEvent(transaction, {
    atMs: facts.atMs,
    project: facts.project,
    type: "logged_model.created",
    subjectKind: "logged_model",
    subject: facts.id,
    actor: facts.actor,
    data: { name: facts.name, experimentId: facts.experimentId, sourceRunId: facts.sourceRunId },
  });
  return (await hydrateLoggedModels(transaction, [row]))[0] as LoggedModel;
}
