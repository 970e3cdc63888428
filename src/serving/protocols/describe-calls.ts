import type { RequestColumn } from "../request-columns.ts";
import { json, type ProtocolContext, type ServingResponse } from "./exchange.ts";
import { type ModelMetadata, readMetadata } from "./model-metadata.ts";

const JSON_TYPES = { float: "number", integer: "integer", string: "string", boolean: "boolean" } as const;
const ERROR = { description: "What was wrong, in words" };

/**
 * `GET …/openapi.json`: how this one endpoint is called, with the columns of its model, and requests that are answered
 * where such are known.
 */
export async function handleDescribeCalls(context: ProtocolContext): Promise<ServingResponse> {
  const { endpoints, key } = context;
  const { version, signature } = await endpoints.model(key);
  const columns = await endpoints.columns(key);
  const example = await endpoints.example(key);
  const { name, inputs, outputs } = await readMetadata(context);
  const base = `/endpoints/${key.environment}/${key.endpoint}`;
  const row = rowSchema(columns);
  const at = example?.atMs === undefined ? {} : { at: new Date(example.atMs).toISOString() };
  const tensors = inputs.flatMap(({ name: input, datatype }) =>
    example?.row[input] === undefined ? [] : [{ name: input, datatype, shape: [1], data: [example.row[input]] }],
  );
  const call = (
    operationId: string,
    summary: string,
    facts: { readonly schema: object; readonly example: object },
  ): object => ({
    post: {
      operationId,
      summary,
      security: [{ bearer: [] }],
      requestBody: {
        required: true,
        content: {
          "application/json": { schema: facts.schema, ...(example === undefined ? {} : { example: facts.example }) },
        },
      },
      responses: { 200: { description: "Predictions, durable when they are answered" }, default: ERROR },
    },
  });
  return json(200, {
    openapi: "3.1.0",
    info: {
      title: `${key.environment}/${name}`,
      version: String(version.version),
      description: `${version.asset} version ${version.version}, ${signature.task.replaceAll("_", " ")}; answers ${outputs.map(describeOutput).join(", ")}.`,
    },
    paths: {
      [`${base}/predict`]: call("predict", "Predict rows, each with its id and time", {
        schema: objectOf({ rows: arrayOf(objectOf({ features: row }, { id: KEY, at: TIME })) }),
        example: { rows: [{ id: "example", ...at, features: example?.row ?? {} }] },
      }),
      [`${base}/invocations`]: call("invoke", "Predict rows (MLflow scoring)", {
        schema: objectOf({ dataframe_records: arrayOf(row) }, { ids: arrayOf(KEY), at: TIME }),
        example: { dataframe_records: [example?.row ?? {}], ...at },
      }),
      [`${base}/v2/models/${name}/infer`]: call("infer", "Predict tensors (Open Inference 2)", {
        schema: objectOf({ inputs: arrayOf(TENSOR) }, { id: TEXT, parameters: { type: "object" } }),
        example: { inputs: tensors, ...(example?.atMs === undefined ? {} : { parameters: at }) },
      }),
      [`${base}/v1/models/${name}:predict`]: call("predictInstances", "Predict rows (KServe 1)", {
        schema: objectOf({ instances: arrayOf(row) }),
        example: { instances: [example?.row ?? {}] },
      }),
      [`${base}/v2/models/${name}`]: {
        get: {
          operationId: "describeModel",
          summary: "What may be sent, and what is answered",
          security: [{ bearer: [] }],
          responses: { 200: { description: "Model metadata" }, default: ERROR },
        },
      },
    },
    components: { securitySchemes: { bearer: { type: "http", scheme: "bearer" } } },
  });
}

/** `embedding FP32 [N, 384]`; -1 stands for any number. */
function describeOutput({ name, datatype, shape: [, ...shape] }: ModelMetadata["outputs"][number]): string {
  return `${name} ${datatype} [${["N", ...shape].join(", ")}]`;
}

const TEXT = { type: "string" };
const KEY = { type: ["string", "integer"], description: "your key of the row, by which labels find it later" };
const TIME = { type: ["string", "number"], description: "event time: ISO 8601, or epoch milliseconds; default: now" };
const TENSOR = {
  type: "object",
  properties: { name: TEXT, datatype: TEXT, shape: arrayOf({ type: "integer" }), data: { type: "array" } },
  required: ["name", "datatype", "shape", "data"],
};

function arrayOf(items: object): object {
  return { type: "array", items };
}

function objectOf(required: Readonly<Record<string, object>>, optional: Readonly<Record<string, object>> = {}): object {
  return { type: "object", properties: { ...required, ...optional }, required: Object.keys(required) };
}

function rowSchema(columns: readonly RequestColumn[]): object {
  return {
    type: "object",
    properties: Object.fromEntries(
      columns.map(({ name, type, nullable, role }) => [
        name,
        { type: nullable ? [JSON_TYPES[type], "null"] : JSON_TYPES[type], description: role },
      ]),
    ),
    required: columns.filter(({ required }) => required).map(({ name }) => name),
  };
}
