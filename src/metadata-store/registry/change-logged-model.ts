import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendEvent, type EventsOf } from "../event/append-event.ts";
import { loggedModelMissing, loggedModelParamTaken, loggedModelTagMissing } from "./errors.ts";
import { chunksOf, type KeyValue, lastOfEachKey } from "./key-value.ts";
import { findLoggedModel, hydrateLoggedModels, type LoggedModel, type LoggedModelMetric } from "./logged-model.ts";
import type { LoggedModelStatus } from "./tables.ts";

/** Who changes which logged model, and when. */
export interface LoggedModelChange {
  readonly id: string;
  readonly project: string;
  readonly atMs: number;
  readonly actor: string;
}

/** @throws METADATA_STORE_LOGGED_MODEL_MISSING */
export async function getLoggedModel(
  transaction: ReadTransaction,
  id: string,
  options: { readonly withDeleted?: boolean } = {},
): Promise<LoggedModel> {
  return (
    await hydrateLoggedModels(transaction, [await findLoggedModel(transaction, id, options.withDeleted)])
  )[0] as LoggedModel;
}

/** @throws METADATA_STORE_LOGGED_MODEL_MISSING */
export async function setLoggedModelStatus(
  transaction: WriteTransaction,
  change: LoggedModelChange & { readonly status: LoggedModelStatus },
): Promise<LoggedModel> {
  await findLoggedModel(transaction, change.id);
  await transaction
    .updateTable("logged_model")
    .set({ status: change.status, updated_at_ms: change.atMs })
    .where("id", "=", change.id)
    .execute();
  await append(transaction, change, { type: "logged_model.status_set", data: { status: change.status } });
  return getLoggedModel(transaction, change.id);
}

/** Marks as deleted; deleting twice is no error. @throws METADATA_STORE_LOGGED_MODEL_MISSING */
export async function deleteLoggedModel(transaction: WriteTransaction, change: LoggedModelChange): Promise<void> {
  const row = await findLoggedModel(transaction, change.id, true);
  if (row.deleted === 1) return;
  await transaction
    .updateTable("logged_model")
    .set({ deleted: 1, deleted_at_ms: change.atMs, updated_at_ms: change.atMs })
    .where("id", "=", change.id)
    .execute();
  await append(transaction, change, { type: "logged_model.deleted" });
}

/** Sets tags; of several values for one key the last wins. @throws METADATA_STORE_LOGGED_MODEL_MISSING */
export async function setLoggedModelTags(
  transaction: WriteTransaction,
  change: LoggedModelChange & { readonly tags: readonly KeyValue[] },
): Promise<void> {
  await findLoggedModel(transaction, change.id);
  for (const tags of chunksOf(lastOfEachKey(change.tags))) {
    await transaction
      .insertInto("logged_model_tag")
      .values(tags.map((tag) => ({ logged_model_id: change.id, ...tag })))
      .onConflict((conflict) =>
        conflict.columns(["logged_model_id", "key"]).doUpdateSet((update) => ({ value: update.ref("excluded.value") })),
      )
      .execute();
  }
  await append(transaction, change, {
    type: "logged_model.tags_set",
    data: { keys: change.tags.map(({ key }) => key) },
  });
}

/** @throws METADATA_STORE_LOGGED_MODEL_MISSING, METADATA_STORE_LOGGED_MODEL_TAG_MISSING */
export async function deleteLoggedModelTag(
  transaction: WriteTransaction,
  change: LoggedModelChange & { readonly key: string },
): Promise<void> {
  await findLoggedModel(transaction, change.id);
  const removed = await transaction
    .deleteFrom("logged_model_tag")
    .where("logged_model_id", "=", change.id)
    .where("key", "=", change.key)
    .returning("key")
    .executeTakeFirst();
  if (removed === undefined) throw loggedModelTagMissing(change);
  await append(transaction, change, { type: "logged_model.tag_deleted", data: { key: change.key } });
}

/**
 * Adds params, which are written once.
 *
 * @throws METADATA_STORE_LOGGED_MODEL_MISSING, METADATA_STORE_LOGGED_MODEL_PARAM_TAKEN: then none is kept
 */
export async function addLoggedModelParams(
  transaction: WriteTransaction,
  change: LoggedModelChange & { readonly params: readonly KeyValue[] },
): Promise<void> {
  await findLoggedModel(transaction, change.id);
  for (const { key, value } of change.params) {
    const added = await transaction
      .insertInto("logged_model_param")
      .values({ logged_model_id: change.id, key, value })
      .onConflict((conflict) => conflict.columns(["logged_model_id", "key"]).doNothing())
      .returning("key")
      .executeTakeFirst();
    if (added === undefined) throw loggedModelParamTaken({ id: change.id, key });
  }
  await append(transaction, change, {
    type: "logged_model.params_added",
    data: { keys: change.params.map(({ key }) => key) },
  });
}

/** One metric point of one logged model. */
export interface NewLoggedModelMetric extends LoggedModelMetric {
  readonly loggedModelId: string;
}

/**
 * Adds points to the metrics of logged models; a point that is there already is kept once. Infinities must be clamped,
 * NaN is kept.
 *
 * @throws METADATA_STORE_LOGGED_MODEL_MISSING when one of the models is unknown
 */
export async function addLoggedModelMetrics(
  transaction: WriteTransaction,
  metrics: readonly NewLoggedModelMetric[],
): Promise<void> {
  const ids = [...new Set(metrics.map(({ loggedModelId }) => loggedModelId))];
  for (const chunk of chunksOf(ids)) {
    const known = new Set(
      (await transaction.selectFrom("logged_model").select("id").where("id", "in", chunk).execute()).map(
        ({ id }) => id,
      ),
    );
    for (const id of chunk) if (!known.has(id)) throw loggedModelMissing({ id });
  }
  for (const chunk of chunksOf(metrics, 1000)) {
    await transaction
      .insertInto("logged_model_metric")
      .values(
        chunk.map((metric) => ({
          logged_model_id: metric.loggedModelId,
          key: metric.key,
          dataset_name: metric.datasetName ?? "",
          dataset_digest: metric.datasetDigest ?? "",
          run_id: metric.runId,
          value: Number.isNaN(metric.value) ? 0 : metric.value,
          is_nan: Number.isNaN(metric.value) ? 1 : 0,
          timestamp_ms: metric.timestampMs,
          step: metric.step,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

async function append(
  transaction: WriteTransaction,
  change: LoggedModelChange,
  event: EventsOf<"logged_model">,
): Promise<void> {
  await appendEvent(transaction, {
    atMs: change.atMs,
    project: change.project,
    subjectKind: "logged_model",
    subject: change.id,
    actor: change.actor,
    ...event,
  });
}
