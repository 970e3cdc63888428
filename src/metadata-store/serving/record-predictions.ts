import { CompiledQuery } from "kysely";
import type { WriteTransaction } from "../database.ts";
import { changeCounts } from "./prediction-count.ts";
import type { Prediction } from "./prediction.ts";

/** A prediction before any label. */
export type NewPrediction = Omit<
  Prediction,
  "label" | "labelText" | "labelAtMs" | "labelReceivedAtMs" | "labelCorrections"
>;

// 17 values a row, at most 30,000 a statement. Powers of two, so that few different statements exist.
const ROWS_PER_STATEMENT = 1024;

/** Appends predictions and counts them. Predictions have no events: their rows are the log. */
export async function recordPredictions(
  transaction: WriteTransaction,
  predictions: readonly NewPrediction[],
): Promise<void> {
  let size = ROWS_PER_STATEMENT;
  for (let start = 0; start < predictions.length; start += size) {
    while (size > predictions.length - start) size /= 2;
    const rows = predictions.slice(start, start + size).map(toRow);
    await transaction.executeQuery(CompiledQuery.raw(insertText(transaction, rows), rows.flatMap(Object.values)));
  }
  await changeCounts(
    transaction,
    predictions.map((prediction) => ({ ...prediction, predictions: 1, labelled: 0, corrections: 0 })),
  );
}

type Row = ReturnType<typeof toRow>;

/** Key order is the order of the parameters. */
function toRow(prediction: NewPrediction): Readonly<Record<string, string | number | null>> {
  return {
    id: prediction.id,
    project: prediction.project,
    environment: prediction.environment,
    endpoint: prediction.endpoint,
    model_version_id: prediction.modelVersionId,
    arm: prediction.arm,
    at_ms: prediction.atMs,
    received_at_ms: prediction.receivedAtMs,
    request_id: prediction.requestId,
    features: prediction.features,
    context: prediction.context ?? null,
    prediction: prediction.prediction ?? null,
    prediction_text: prediction.predictionText ?? null,
    entity_key: prediction.entityKey ?? null,
    feature_status: prediction.featureStatus ?? null,
    propensity: prediction.propensity ?? null,
    label_corrections: 0,
  };
}

const texts = new Map<string, string>();

/**
 * Compiling an insert of many rows takes longer than running it, so the text of each size is compiled once per kind of
 * database.
 */
function insertText(transaction: WriteTransaction, rows: readonly Row[]): string {
  const key = `${transaction.getExecutor().adapter.constructor.name} ${rows.length}`;
  const known = texts.get(key);
  if (known !== undefined) return known;
  const text = transaction
    .insertInto("prediction")
    .values(rows as never)
    .compile().sql;
  texts.set(key, text);
  return text;
}
