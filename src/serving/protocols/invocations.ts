import type { PredictRequest } from "../endpoints.ts";
import { mediaTypeUnsupported, requestInvalid } from "../errors.ts";
import type { ModelSignature } from "../model-signature.ts";
import { describe, type RowSource, sourceOfColumns, sourceOfRecords, sourceOfTable } from "../row-source.ts";
import { parseCsv } from "./csv.ts";
import { INVOCATIONS_STREAM, toEventStream } from "./event-stream.ts";
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
  readKeys,
  readTimes,
  type ServingRequest,
  type ServingResponse,
  toValues,
} from "./exchange.ts";

const INPUT_KEYS = ["dataframe_split", "dataframe_records", "instances", "inputs"] as const;

/**
 * MLflow's scoring protocol: `POST …/invocations` with JSON (exactly one of `dataframe_split`, `dataframe_records`,
 * `instances`, `inputs`) or CSV; answers `{"predictions": […]}` and, beside it, `predictionIds` and the model version.
 *
 * As in MLflow, columns that the model does not know are dropped; unlike MLflow, no value is converted silently.
 * With `"stream": true` a model that has parts answers one row as server-sent events, `data: [DONE]` at the end.
 * Beside the four keys, `ids` gives each row the caller's key and `at` its event time.
 * Source: MLflow 3.11 `mlflow/pyfunc/scoring_server`.
 */
export async function handleInvocations(context: ProtocolContext, request: ServingRequest): Promise<ServingResponse> {
  const { signature } = await context.endpoints.model(context.key);
  const { isStream, ...asked } = isCsv(request) ? readCsv(request, signature) : readDocument(request, signature);
  const call: PredictRequest = {
    ...asked,
    unknownColumns: "ignore",
    requestId: header(request, "x-request-id"),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  };
  if (isStream === true)
    return toEventStream(await context.endpoints.stream(context.key, call), INVOCATIONS_STREAM, request.signal);
  const answer = await context.endpoints.predict(context.key, call);
  return json(
    200,
    { predictions: toValues(answer), predictionIds: answer.predictionIds, ...featuresOf(answer), ...modelOf(answer) },
    answerHeaders(answer),
  );
}

function isCsv(request: ServingRequest): boolean {
  const found = header(request, "content-type");
  const [type = "", ...parameters] = (found ?? "").split(";").map((part) => part.trim().toLowerCase());
  const plain = parameters.every((parameter) => /^charset="?utf-8"?$/.test(parameter));
  if (plain && type === "text/csv") return true;
  if (plain && type === "application/json") return false;
  throw mediaTypeUnsupported({ found: found === undefined ? "missing" : `"${found}"` });
}

/** What is asked, and whether it is wanted in parts. */
type Asked = PredictRequest & { readonly isStream?: boolean };

function readDocument(request: ServingRequest, signature: ModelSignature): Asked {
  const document = asObject(parseJson(request.body), "The request's body");
  const present = INPUT_KEYS.filter((key) => document[key] !== undefined);
  const [key] = present;
  if (key === undefined || present.length > 1) {
    throw requestInvalid({
      where: "The request's body",
      found:
        present.length === 0
          ? `the keys ${Object.keys(document).slice(0, 20).join(", ") || "(none)"}`
          : present.join(" and "),
      expected: `exactly one of ${INPUT_KEYS.join(", ")}`,
    });
  }
  const source = READERS[key](document[key], signature);
  return {
    source,
    entityKeys: readKeys(document["ids"], source.rowCount, "ids"),
    atMs: readTimes(document["at"], source.rowCount, "at"),
    isStream: readStream(document["stream"]),
  };
}

/** @throws SERVING_REQUEST_INVALID */
function readStream(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  if (typeof value !== "boolean")
    throw requestInvalid({ where: "stream", found: describe(value), expected: "true or false" });
  return value;
}

const READERS: Readonly<Record<(typeof INPUT_KEYS)[number], (value: unknown, signature: ModelSignature) => RowSource>> =
  {
    dataframe_split: (value, signature) => {
      const split = asObject(value, "dataframe_split");
      const unknown = Object.keys(split).find((key) => !["data", "columns", "index"].includes(key));
      if (unknown !== undefined)
        throw requestInvalid({
          where: "dataframe_split",
          found: `the key "${unknown}"`,
          expected: "data, columns, index",
        });
      const rows = asArray(split["data"], "dataframe_split.data");
      return sourceOfTable(readNames(split["columns"], signature, rows[0]), rows);
    },
    dataframe_records: (value) => sourceOfRecords(asArray(value, "dataframe_records")),
    instances: (value, signature) => readRows(asArray(value, "instances"), signature),
    inputs: (value, signature) => {
      if (Array.isArray(value)) return readRows(value, signature);
      const columns = Object.entries(asObject(value, "inputs")).map(
        ([name, values]) => [name, asArray(values, `inputs.${name}`)] as const,
      );
      return sourceOfColumns(new Map(columns));
    },
  };

function readRows(rows: readonly unknown[], signature: ModelSignature): RowSource {
  if (Array.isArray(rows[0])) return sourceOfTable(readNames(undefined, signature, rows[0]), rows);
  const [only] = signature.inputs;
  if (signature.inputs.length === 1 && only !== undefined && (typeof rows[0] !== "object" || rows[0] === null))
    return sourceOfTable(
      [only.name],
      rows.map((value) => [value]),
    );
  return sourceOfRecords(rows);
}

/** Columns without names are the model's inputs in their order. */
function readNames(value: unknown, signature: ModelSignature, firstRow: unknown): readonly string[] {
  if (value === undefined || value === null) {
    const width = Array.isArray(firstRow) ? firstRow.length : signature.inputs.length;
    if (width !== signature.inputs.length)
      throw requestInvalid({
        where: "Row 0",
        found: `${width} values without column names`,
        expected: `${signature.inputs.length}, in the order ${signature.inputs.map((input) => input.name).join(", ")}`,
      });
    return signature.inputs.map((input) => input.name);
  }
  return asArray(value, "dataframe_split.columns").map((name, index) => {
    if (typeof name !== "string")
      throw requestInvalid({
        where: `dataframe_split.columns[${index}]`,
        found: describe(name),
        expected: "a column name",
      });
    return name;
  });
}

/** CSV has no types: a field is read as the type of its input; an empty one is missing. */
function readCsv(request: ServingRequest, signature: ModelSignature): Asked {
  const { names, rows } = parseCsv(
    Buffer.from(request.body)
      .toString("utf8")
      .replace(/^\uFEFF/, ""),
  );
  const types = new Map(signature.inputs.map((input) => [input.name, input.type]));
  const table = rows.map((cells) => cells.map((cell, position) => parseCell(cell, types.get(names[position] ?? ""))));
  return { source: sourceOfTable(names, table) };
}

function parseCell(text: string, type: string | undefined): unknown {
  if (type === undefined || type === "string") return text;
  if (text === "") return null;
  if (type === "boolean") return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : text;
  const number = Number(text);
  return text.trim() === "" || Number.isNaN(number) ? text : number;
}
