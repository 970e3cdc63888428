import type { PredictAnswer } from "../endpoints.ts";
import { requestInvalid } from "../errors.ts";
import { namedAnswerOf } from "../model-tensor.ts";
import { describe, sourceOfRecords } from "../row-source.ts";
import {
  answerHeaders,
  asArray,
  asObject,
  featuresOf,
  header,
  json,
  modelOf,
  parseJson,
  type ProtocolContext,
  readKey,
  readTime,
  type ServingRequest,
  type ServingResponse,
  toValues,
} from "./exchange.ts";

/**
 * esteira's own form: `POST …/predict` with `{"rows": [{"id"?, "at"?, "features": {…}}, …]}`.
 *
 * Every column is checked: unknown ones are refused. Answers `{"predictions": [{"id", "probability" | "prediction" |
 * "label" | "outputs", …}], …}`, where `id` is the prediction's id, to which a label is sent later.
 */
export async function handleRows(context: ProtocolContext, request: ServingRequest): Promise<ServingResponse> {
  const document = asObject(parseJson(request.body), "The request's body");
  const unknown = Object.keys(document).find((key) => key !== "rows");
  if (unknown !== undefined || document["rows"] === undefined) {
    throw requestInvalid({
      where: "The request's body",
      found: unknown === undefined ? "no rows" : `the key "${unknown}"`,
      expected: '{"rows": [{"id"?, "at"?, "features": {…}}]}',
    });
  }
  const rows = asArray(document["rows"], "rows").map((row, index) => readRow(row, index));
  const nowMs = Date.now();
  const answer = await context.endpoints.predict(context.key, {
    source: sourceOfRecords(rows.map((row) => row.features)),
    entityKeys: rows.map((row) => row.key),
    ...(rows.some((row) => row.atMs !== undefined) ? { atMs: rows.map((row) => row.atMs ?? nowMs) } : {}),
    requestId: header(request, "x-request-id"),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  const values = toValues(answer);
  const { output } = answer;
  const predictions = answer.predictionIds.map((id, row) => ({
    id,
    ...(output.kind === "tensors"
      ? { outputs: namedAnswerOf(output.tensors, row) }
      : { [NAMES[answer.model.signature.task]]: values[row] ?? null }),
    ...missingOf(answer, row),
    ...(output.kind === "classes" && output.classCount > 0
      ? {
          probabilities: Array.from(
            output.probabilities.subarray(row * output.classCount, (row + 1) * output.classCount),
          ),
        }
      : {}),
  }));
  return json(
    200,
    { predictions, requestId: answer.requestId, ...featuresOf(answer), ...modelOf(answer) },
    answerHeaders(answer),
  );
}

/** What the one value of a row is called. */
const NAMES = {
  binary_classification: "probability",
  regression: "prediction",
  multiclass_classification: "label",
  outputs: "outputs",
} as const;

/** What of a row's features was not read as it is stored. */
function missingOf({ features }: PredictAnswer, row: number): object {
  const statuses = features?.rows[row] ?? {};
  return Object.keys(statuses).length === 0 ? {} : { features: statuses };
}

function readRow(
  value: unknown,
  index: number,
): { readonly features: unknown; readonly key: string | undefined; readonly atMs: number | undefined } {
  const row = asObject(value, `rows[${index}]`);
  const unknown = Object.keys(row).find((key) => !["id", "at", "features"].includes(key));
  if (unknown !== undefined)
    throw requestInvalid({
      where: `rows[${index}]`,
      found: `the key "${unknown}"`,
      expected: "id, at, features (inputs go into features)",
    });
  if (row["features"] === undefined)
    throw requestInvalid({
      where: `rows[${index}].features`,
      found: describe(undefined),
      expected: "an object with the model's inputs",
    });
  return {
    features: asObject(row["features"], `rows[${index}].features`),
    key: readKey(row["id"], `rows[${index}].id`),
    atMs: row["at"] === undefined || row["at"] === null ? undefined : readTime(row["at"], `rows[${index}].at`),
  };
}
