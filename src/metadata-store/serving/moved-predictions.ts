import type { Selectable, SelectQueryBuilder } from "kysely";
import type { Database, ReadTransaction, WriteTransaction } from "../database.ts";
import type { EndpointKey } from "./endpoint.ts";
import { type Prediction, toPrediction } from "./prediction.ts";
import type { ServingTables } from "./tables.ts";

/** The label of a prediction that left the database. */
export type MovedLabel = Selectable<ServingTables["prediction_label"]>;

const IDS_PER_STATEMENT = 1000;
// 16 values a row.
const LABELS_PER_STATEMENT = 1000;

/** Predictions of an endpoint that were received before a time, in order of event time, at most `limit`. */
export async function listMovable(
  transaction: ReadTransaction,
  query: EndpointKey & {
    readonly receivedBeforeMs: number;
    readonly after?: readonly [number, string] | undefined;
    readonly limit: number;
  },
): Promise<readonly Prediction[]> {
  let select = transaction
    .selectFrom("prediction")
    .selectAll()
    .where("project", "=", query.project)
    .where("environment", "=", query.environment)
    .where("endpoint", "=", query.endpoint)
    .where("received_at_ms", "<", query.receivedBeforeMs);
  const { after } = query;
  if (after !== undefined)
    select = select
      .where("at_ms", ">=", after[0])
      .where((where) => where.or([where("at_ms", ">", after[0]), where("id", ">", after[1])]));
  const rows = await select.orderBy("at_ms").orderBy("id").limit(query.limit).execute();
  return rows.map(toPrediction);
}

/** How many of them there are, counted up to `most`, and when the first of these was received. */
export async function measureMovable(
  transaction: ReadTransaction,
  query: EndpointKey & { readonly receivedBeforeMs: number; readonly most: number },
): Promise<{ readonly rows: number; readonly oldestMs: number | undefined }> {
  const row = await transaction
    .selectFrom(
      transaction
        .selectFrom("prediction")
        .select("received_at_ms")
        .where("project", "=", query.project)
        .where("environment", "=", query.environment)
        .where("endpoint", "=", query.endpoint)
        .where("received_at_ms", "<", query.receivedBeforeMs)
        .limit(query.most)
        .as("movable"),
    )
    .select((of) => [of.fn.countAll<number>().as("count"), of.fn.min("received_at_ms").as("oldest")])
    .executeTakeFirstOrThrow();
  return { rows: Number(row.count), oldestMs: row.oldest === null ? undefined : Number(row.oldest) };
}

/**
 * Takes predictions out of the database that lie in the history; the labels of those that have one stay. Ids that are
 * not there any more are passed over.
 *
 * @returns how many went
 */
export async function clearMoved(transaction: WriteTransaction, ids: readonly string[]): Promise<number> {
  let cleared = 0;
  for (let start = 0; start < ids.length; start += IDS_PER_STATEMENT) {
    // What is returned is what was removed: a label that came a moment ago is among it.
    const rows = await transaction
      .deleteFrom("prediction")
      .where("id", "in", ids.slice(start, start + IDS_PER_STATEMENT))
      .returning([
        "id",
        "project",
        "environment",
        "endpoint",
        "model_version_id",
        "arm",
        "at_ms",
        "received_at_ms",
        "prediction",
        "prediction_text",
        "label",
        "label_text",
        "label_at_ms",
        "label_received_at_ms",
        "label_corrections",
        "propensity",
      ])
      .execute();
    cleared += rows.length;
    await saveMovedLabels(
      transaction,
      rows.flatMap(({ label_at_ms: atMs, label_received_at_ms: receivedAtMs, ...row }) =>
        receivedAtMs === null
          ? []
          : [{ ...row, label_at_ms: atMs ?? receivedAtMs, label_received_at_ms: receivedAtMs }],
      ),
    );
  }
  return cleared;
}

/** Writes labels of predictions that left the database, over those that they had. */
export async function saveMovedLabels(transaction: WriteTransaction, labels: readonly MovedLabel[]): Promise<void> {
  for (let start = 0; start < labels.length; start += LABELS_PER_STATEMENT) {
    await transaction
      .insertInto("prediction_label")
      .values(labels.slice(start, start + LABELS_PER_STATEMENT))
      .onConflict((conflict) =>
        conflict.column("id").doUpdateSet((of) => ({
          label: of.ref("excluded.label"),
          label_text: of.ref("excluded.label_text"),
          label_at_ms: of.ref("excluded.label_at_ms"),
          label_received_at_ms: of.ref("excluded.label_received_at_ms"),
          label_corrections: of.ref("excluded.label_corrections"),
        })),
      )
      .execute();
  }
}

/** Labels of predictions that left the database, by prediction id. */
export async function getMovedLabels(
  transaction: ReadTransaction,
  ids: readonly string[],
): Promise<ReadonlyMap<string, MovedLabel>> {
  const found = new Map<string, MovedLabel>();
  for (let start = 0; start < ids.length; start += IDS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("prediction_label")
      .selectAll()
      .where("id", "in", ids.slice(start, start + IDS_PER_STATEMENT))
      .execute();
    for (const row of rows) found.set(row.id, row);
  }
  return found;
}

/** Labels of predictions of an endpoint that left the database, newest prediction first. */
export async function listMovedLabels(
  transaction: ReadTransaction,
  query: EndpointKey & {
    readonly modelVersionId?: string | undefined;
    readonly fromMs?: number | undefined;
    readonly toMs?: number | undefined;
    readonly before?: readonly [number, string] | undefined;
    readonly limit: number;
  },
): Promise<readonly MovedLabel[]> {
  let select = transaction
    .selectFrom("prediction_label")
    .selectAll()
    .where("project", "=", query.project)
    .where("environment", "=", query.environment)
    .where("endpoint", "=", query.endpoint);
  const { before } = query;
  if (query.modelVersionId !== undefined) select = select.where("model_version_id", "=", query.modelVersionId);
  if (query.fromMs !== undefined) select = select.where("at_ms", ">=", query.fromMs);
  if (query.toMs !== undefined) select = select.where("at_ms", "<", query.toMs);
  if (before !== undefined)
    select = select
      .where("at_ms", "<=", before[0])
      .where((where) => where.or([where("at_ms", "<", before[0]), where("id", "<", before[1])]));
  return select.orderBy("at_ms", "desc").orderBy("id", "desc").limit(query.limit).execute();
}

/** The same in a time range, oldest prediction first. */
export async function scanMovedLabels(
  transaction: ReadTransaction,
  range: EndpointKey & { readonly fromMs: number; readonly toMs: number },
): Promise<ReadonlyMap<string, MovedLabel>> {
  const rows = await transaction
    .selectFrom("prediction_label")
    .selectAll()
    .where("project", "=", range.project)
    .where("environment", "=", range.environment)
    .where("endpoint", "=", range.endpoint)
    .where("at_ms", ">=", range.fromMs)
    .where("at_ms", "<", range.toMs)
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

/** Removes labels of predictions that were made and received before a time. */
export async function deleteMovedLabels(
  transaction: WriteTransaction,
  expiry: EndpointKey & { readonly beforeMs: number; readonly limit: number },
): Promise<number> {
  const rows = await transaction
    .selectFrom("prediction_label")
    .select("id")
    .where("project", "=", expiry.project)
    .where("environment", "=", expiry.environment)
    .where("endpoint", "=", expiry.endpoint)
    .where("at_ms", "<", expiry.beforeMs)
    .where("received_at_ms", "<", expiry.beforeMs)
    .orderBy("at_ms")
    .limit(expiry.limit)
    .execute();
  const ids = rows.map(({ id }) => id);
  if (ids.length > 0) await transaction.deleteFrom("prediction_label").where("id", "in", ids).execute();
  return ids.length;
}

/**
 * Hours in which an endpoint has predictions without a label, the newest first; epoch ms. From the counters: what was
 * removed since is still counted.
 */
export async function listUnlabelledHours(
  transaction: ReadTransaction,
  query: EndpointKey & {
    readonly modelVersionId?: string | undefined;
    readonly fromMs?: number | undefined;
    /** Hours that begin at or before it. */
    readonly untilMs?: number | undefined;
    readonly limit: number;
  },
): Promise<readonly number[]> {
  let select = transaction
    .selectFrom("prediction_hour")
    .select("hour_ms")
    .distinct()
    .where("project", "=", query.project)
    .where("environment", "=", query.environment)
    .where("endpoint", "=", query.endpoint)
    .whereRef("predictions", ">", "labelled");
  if (query.modelVersionId !== undefined) select = select.where("model_version_id", "=", query.modelVersionId);
  if (query.fromMs !== undefined) select = select.where("hour_ms", ">", query.fromMs - 3_600_000);
  if (query.untilMs !== undefined) select = select.where("hour_ms", "<=", query.untilMs);
  const rows = await select.orderBy("hour_ms", "desc").limit(query.limit).execute();
  return rows.map(({ hour_ms: hourMs }) => Number(hourMs));
}

/** Which of the predictions that labels name lie in the database: their ids, and the event times of each key's. */
export async function listKnownTargets(
  transaction: ReadTransaction,
  query: EndpointKey & { readonly ids: readonly string[]; readonly entityKeys: readonly string[] },
): Promise<{ readonly ids: ReadonlySet<string>; readonly times: ReadonlyMap<string, readonly number[]> }> {
  const ids = new Set<string>();
  const times = new Map<string, number[]>();
  const of = (): SelectQueryBuilder<
    Database,
    "prediction",
    Pick<Selectable<ServingTables["prediction"]>, "id" | "entity_key" | "at_ms">
  > =>
    transaction
      .selectFrom("prediction")
      .select(["id", "entity_key", "at_ms"])
      .where("project", "=", query.project)
      .where("environment", "=", query.environment)
      .where("endpoint", "=", query.endpoint);
  for (let start = 0; start < query.ids.length; start += IDS_PER_STATEMENT)
    for (const { id } of await of()
      .where("id", "in", query.ids.slice(start, start + IDS_PER_STATEMENT))
      .execute())
      ids.add(id);
  for (let start = 0; start < query.entityKeys.length; start += IDS_PER_STATEMENT)
    for (const { entity_key: key, at_ms: atMs } of await of()
      .where("entity_key", "in", query.entityKeys.slice(start, start + IDS_PER_STATEMENT))
      .execute())
      times.set(key ?? "", [...(times.get(key ?? "") ?? []), Number(atMs)]);
  return { ids, times };
}
