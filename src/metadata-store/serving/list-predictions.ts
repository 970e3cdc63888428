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
export async function listPredictions(
  transaction: ReadTransaction,
  query: PredictionQuery,
): Promise<readonly Prediction[]> {
  let select = transaction
    .selectFrom("prediction")
    .selectAll()
    .where("project", "=", query.project)
    .where("environment", "=", query.environment)
    .where("endpoint", "=", query.endpoint);
  if (query.modelVersionId !== undefined) select = select.where("model_version_id", "=", query.modelVersionId);
  if (query.entityKey !== undefined) select = select.where("entity_key", "=", query.entityKey);
  if (query.labelled !== undefined)
    select = select.where("label_received_at_ms", query.labelled ? "is not" : "is", null);
  if (query.fromMs !== undefined) select = select.where("at_ms", ">=", query.fromMs);
  if (query.toMs !== undefined) select = select.where("at_ms", "<", query.toMs);
  const { before } = query;
  if (before !== undefined) {
    // What pages pass over by time; with a version, its index is the better way and a bound on the time would lead
    // SQLite away from it.
    if (query.modelVersionId === undefined) select = select.where("at_ms", "<=", before[0]);
    select = select.where((where) =>
      where.or([
        where("at_ms", "<", before[0]),
        where.and([where("at_ms", "=", before[0]), where("id", "<", before[1])]),
      ]),
    );
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
  readonly received_at_ms: number;
  readonly label_corrections: number;
  readonly feature_status: string | null;
}

/**
 * Predictions of an endpoint in a time range, oldest first, at most 20,000 a page.
 *
 * @param scan.after `[atMs, id]` of the last row of the page before
 */
export async function scanPredictions(
  transaction: ReadTransaction,
  scan: EndpointKey & {
    readonly fromMs: number;
    readonly toMs: number;
    readonly after?: readonly [number, string] | undefined;
    readonly limit?: number;
  },
): Promise<readonly ScannedPrediction[]> {
  let select = transaction
    .selectFrom("prediction")
    .select([
      "id",
      "at_ms",
      "model_version_id",
      "arm",
      "features",
      "context",
      "prediction",
      "prediction_text",
      "label",
      "label_text",
      "label_at_ms",
      "received_at_ms",
      "label_corrections",
      "feature_status",
    ])
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
