import type { ReadTransaction } from "../database.ts";
import type { EndpointKey } from "./endpoint.ts";
import { type Prediction, type PredictionArm, toPrediction } from "./prediction.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

const LARGEST_SCAN = 20_000;

/** @returns undefined when no prediction has this id */
export async function getPrediction(transaction: ReadTransaction, id: string): Promise<Prediction | undefined> {
  const row = await transaction.selectFrom("prediction").selectAll().where("id", "=", id).executeTakeFirst();
  return row === undefined ? undefined : toPrediction(row);
}

export interface PredictionQuery extends EndpointKey {
  readonly modelVersionId?: string | undefined;
  readonly entityKey?: string | undefined;
  readonly labelled?: boolean | undefined;
  /** Event time, from (included) and to (excluded), epoch ms. */
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  /** `[atMs, id]` of the last row of the page before. */
  readonly before?: readonly [number, string] | undefined;
  /** Default 100, at most 1,000. */
  readonly limit?: number | undefined;
}

/** Predictions of an endpoint, newest event time first. */
export async function listPredictions(transaction: ReadTransaction, query: PredictionQuery): Promise<readonly Prediction[]> {
  let select = transaction
    .selectFrom("prediction")
    .selectAll()
    .where("project", "=", query.project)
    .where("environment", "=", query.environment)
    .where("endpoint", "=", query.endpoint);
  if (query.modelVersionId !== undefined) select = select.where("model_version_id", "=", query.modelVersionId);
  if (query.entityKey !== undefined) select = select.where("entity_key", "=", query.entityKey);
  if (query.labelled !== undefined) select = select.where("label_received_at_ms", query.labelled ? "is not" : "is", null);
  if (query.fromMs !== undefined) select = select.where("at_ms", ">=", query.fromMs);
  if (query.toMs !== undefined) select = select.where("at_ms", "<", query.toMs);
  const { before } = query;
  if (before !== undefined) {
    select = select.where((where) => where.or([where("at_ms", "<", before[0]), where.and([where("at_ms", "=", before[0]), where("id", "<", before[1])])]));
  }
  const rows = await select
    .orderBy("at_ms", "desc")
    .orderBy("id", "desc")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toPrediction);
}

/** What monitoring reads of one prediction. */
export interface ScannedPrediction {
  readonly id: string;
  readonly at_ms: number;
  readonly model_version_id: string;
  readonly arm: PredictionArm;
  readonly features: string;
  readonly context: string | null;
  readonly prediction: number | null;
  readonly prediction_text: string | null;
  readonly label: number | null;
  readonly label_text: string | null;
  readonly label_at_ms: number | null;
}

/**
 * Predictions of an endpoint in a time range, oldest first, at most 20,000 a page.
 *
 * @param scan.after `[atMs, id]` of the last row of the page before
 */
export async function scanPredictions(
  transaction: ReadTransaction,
  scan: EndpointKey & { readonly fromMs: number; readonly toMs: number; readonly after?: readonly [number, string] | undefined; readonly limit?: number },
): Promise<readonly ScannedPrediction[]> {
  let select = transaction
    .selectFrom("prediction")
    .select(["id", "at_ms", "model_version_id", "arm", "features", "context", "prediction", "prediction_text", "label", "label_text", "label_at_ms"])
    .where("project", "=", scan.project)
    .where("environment", "=", scan.environment)
    .where("endpoint", "=", scan.endpoint)
    .where("at_ms", ">=", scan.after?.[0] ?? scan.fromMs)
    .where("at_ms", "<", scan.toMs);
  const { after } = scan;
  if (after !== undefined) {
    select = select.where((where) => where.or([where("at_ms", ">", after[0]), where("id", ">", after[1])]));
  }
  return select
    .orderBy("at_ms")
    .orderBy("id")
    .limit(Math.min(scan.limit ?? LARGEST_SCAN, LARGEST_SCAN))
    .execute();
}

/** First and last event time of an endpoint's predictions, in epoch ms; undefined when there are none. */
export async function getPredictionRange(transaction: ReadTransaction, key: EndpointKey): Promise<{ readonly firstMs: number; readonly lastMs: number } | undefined> {
  const range = (direction: "asc" | "desc"): Promise<{ at_ms: number } | undefined> =>
    transaction
      .selectFrom("prediction")
      .select("at_ms")
      .where("project", "=", key.project)
      .where("environment", "=", key.environment)
      .where("endpoint", "=", key.endpoint)
      .orderBy("at_ms", direction)
      .limit(1)
      .executeTakeFirst();
  const first = await range("asc");
  const last = await range("desc");
  return first === undefined || last === undefined ? undefined : { firstMs: first.at_ms, lastMs: last.at_ms };
}

/** How many predictions an endpoint has, and how many of them have a label. */
export async function countPredictions(transaction: ReadTransaction, key: EndpointKey): Promise<{ readonly predictions: number; readonly labelled: number }> {
  const row = await transaction
    .selectFrom("prediction")
    .select((select) => [select.fn.countAll<number>().as("predictions"), select.fn.count<number>("label_received_at_ms").as("labelled")])
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .where("arm", "!=", "shadow")
    .executeTakeFirstOrThrow();
  return { predictions: Number(row.predictions), labelled: Number(row.labelled) };
}

/** Answered predictions of a time range by model version, and how many have a label. Shadows are left out. */
export async function countPredictionsByVersion(
  transaction: ReadTransaction,
  range: EndpointKey & { readonly fromMs: number; readonly toMs: number },
): Promise<readonly { readonly modelVersionId: string; readonly predictions: number; readonly labelled: number; readonly receivedAtMs: number }[]> {
  const rows = await transaction
    .selectFrom("prediction")
    .select((select) => [
      "model_version_id",
      select.fn.countAll<number>().as("predictions"),
      select.fn.count<number>("label_received_at_ms").as("labelled"),
      select.fn.max("received_at_ms").as("received_at_ms"),
    ])
    .where("project", "=", range.project)
    .where("environment", "=", range.environment)
    .where("endpoint", "=", range.endpoint)
    .where("at_ms", ">=", range.fromMs)
    .where("at_ms", "<", range.toMs)
    .where("arm", "!=", "shadow")
    .groupBy("model_version_id")
    .orderBy("model_version_id")
    .limit(1000)
    .execute();
  return rows.map((row) => ({ modelVersionId: row.model_version_id, predictions: Number(row.predictions), labelled: Number(row.labelled), receivedAtMs: Number(row.received_at_ms) }));
}
