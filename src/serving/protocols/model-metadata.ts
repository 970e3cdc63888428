import { readModelContent } from "#models";
import type { VersionStatistics } from "../endpoint-statistics.ts";
import type { RequestColumn } from "../request-columns.ts";
import {
  asObject,
  json,
  parseJson,
  type ProtocolContext,
  type ServingRequest,
  type ServingResponse,
} from "./exchange.ts";
import type { Datatype } from "./tensor.ts";

const INPUT_DATATYPES = { float: "FP64", integer: "INT64", string: "BYTES", boolean: "BOOL" } as const;
/** `project_format`, as the protocol asks for. */
const PLATFORMS = { onnx: "onnx_onnxv1", python: "mlflow_pyfunc" } as const;

/** A tensor as metadata list it; -1: any number. */
interface TensorMetadata {
  readonly name: string;
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** What a model takes and gives, as its callers see it. */
export interface ModelMetadata {
  readonly name: string;
  readonly versions: readonly string[];
  readonly platform: string;
  readonly inputs: readonly TensorMetadata[];
  readonly outputs: readonly TensorMetadata[];
  readonly parameters: Readonly<Record<string, unknown>>;
}

/**
 * Reads the metadata of an endpoint: inputs are what a request may bring, join keys among them. Each has an `example`
 * where a request that works is known; all of them together, with `example_at`, are answered.
 */
export async function readMetadata(context: ProtocolContext): Promise<ModelMetadata> {
  const { endpoints, key } = context;
  const { signature, version, outputs, stream } = await endpoints.model(key);
  const columns = await endpoints.columns(key);
  const example = await endpoints.example(key);
  const tensor = (name: string, datatype: Datatype, shape: readonly number[]): TensorMetadata => ({
    name,
    datatype,
    shape,
  });
  const { task } = signature;
  return {
    name: key.endpoint,
    versions: [String(version.version)],
    platform: PLATFORMS[readModelContent(version).model.runtime],
    inputs: columns.map((column) => ({
      ...tensor(column.name, INPUT_DATATYPES[column.type], [-1]),
      parameters: parametersOf(column, example?.row[column.name]),
    })),
    outputs:
      task === "outputs"
        ? (outputs() ?? []).map(({ name, datatype, shape }) => tensor(name, datatype, [-1, ...shape]))
        : task === "multiclass_classification"
          ? [tensor("label", "BYTES", [-1]), tensor("probabilities", "FP64", [-1, -1])]
          : [tensor(task === "regression" ? "prediction" : "probability", "FP64", [-1])],
    parameters: {
      model: version.asset,
      version_id: version.id,
      task,
      ...(stream === undefined ? {} : { streams: true }),
      ...(example?.atMs === undefined ? {} : { example_at: example.atMs }),
    },
  };
}

/** What is not required is read online by the endpoint, unless the request brings it. */
function parametersOf(column: RequestColumn, example: unknown): Readonly<Record<string, unknown>> {
  const { required, role, nullable } = column;
  return { required, role, nullable, ...(example === undefined ? {} : { example }) };
}

/** `GET …/models/{m}`. */
export async function describeModel(context: ProtocolContext): Promise<ServingResponse> {
  return json(200, await readMetadata(context));
}

/** States of models in a repository, as Triton names them. */
export interface IndexedModel {
  readonly name: string;
  readonly version: string;
  readonly state: "READY" | "UNAVAILABLE";
  readonly reason: string;
}

/** The model of an endpoint with its state. */
export async function indexModels(context: ProtocolContext, onlyReady: boolean): Promise<readonly IndexedModel[]> {
  const name = context.key.endpoint;
  const model = await context.endpoints.model(context.key).catch((error: unknown) => {
    if (onlyReady) return undefined;
    throw error;
  });
  return model === undefined ? [] : [{ name, version: String(model.version.version), state: "READY", reason: "" }];
}

/** `POST …/repository/index`, body empty or `{"ready": bool}`. Source: Triton's model repository extension. */
export async function handleIndex(context: ProtocolContext, request: ServingRequest): Promise<ServingResponse> {
  const asked = request.body.byteLength === 0 ? {} : asObject(parseJson(request.body), "The request's body");
  return json(200, await indexModels(context, asked["ready"] === true));
}

const DATA_TYPES: Readonly<Partial<Record<Datatype, string>>> = {
  FP64: "TYPE_FP64",
  FP32: "TYPE_FP32",
  INT64: "TYPE_INT64",
  BYTES: "TYPE_STRING",
  BOOL: "TYPE_BOOL",
};

/** The configuration of a model as Triton writes it, in the parts that say something of this one. */
export interface ModelConfig {
  readonly name: string;
  readonly platform: string;
  readonly backend: string;
  readonly max_batch_size: number;
  readonly input: readonly { readonly name: string; readonly data_type: string; readonly dims: readonly number[] }[];
  readonly output: readonly { readonly name: string; readonly data_type: string; readonly dims: readonly number[] }[];
}

/** Rows are a dimension of the tensors: `max_batch_size` is 0, and each shape is whole. */
export async function readConfig(context: ProtocolContext): Promise<ModelConfig> {
  const { name, platform, inputs, outputs } = await readMetadata(context);
  const toTensor = ({ name: tensor, datatype, shape }: TensorMetadata): ModelConfig["input"][number] => ({
    name: tensor,
    data_type: DATA_TYPES[datatype] ?? "TYPE_INVALID",
    dims: shape,
  });
  const facts = { name, platform, backend: platform.split("_")[0] ?? "", max_batch_size: 0 };
  return { ...facts, input: inputs.map(toTensor), output: outputs.map(toTensor) };
}

/** `GET …/models/{m}/config`. Source: Triton's model configuration extension. */
export async function handleConfig(context: ProtocolContext): Promise<ServingResponse> {
  return json(200, await readConfig(context));
}

const NS_PER_MS = 1e6;

/** Statistics of one version, in the fields of Triton. */
export interface ModelStatistics {
  readonly name: string;
  readonly version: string;
  readonly last_inference: number;
  readonly inference_count: number;
  readonly execution_count: number;
  readonly inference_stats: Readonly<Record<string, { readonly count: number; readonly ns: number }>>;
}

/**
 * What the versions of an endpoint answered in this process. Only whole requests are timed: their parts are not told
 * apart.
 */
export async function readStatistics(
  { endpoints, key }: ProtocolContext,
  version: string | undefined,
): Promise<readonly ModelStatistics[]> {
  await endpoints.model(key);
  const duration = ({ count, ms }: VersionStatistics["success"]): { readonly count: number; readonly ns: number } => ({
    count,
    ns: Math.round(ms * NS_PER_MS),
  });
  const none = { count: 0, ns: 0 };
  return endpoints
    .statistics(key)
    .filter((each) => version === undefined || version === "" || String(each.version) === version)
    .map((each) => ({
      name: key.endpoint,
      version: String(each.version),
      last_inference: each.lastInferenceMs,
      inference_count: each.inferences,
      execution_count: each.success.count,
      inference_stats: {
        success: duration(each.success),
        fail: duration(each.fail),
        queue: none,
        compute_input: none,
        compute_infer: none,
        compute_output: none,
      },
    }));
}

/** `GET …/models[/{m}]/stats`. Source: Triton's statistics extension. */
export async function handleStatistics(context: ProtocolContext, request: ServingRequest): Promise<ServingResponse> {
  const found = await readStatistics(context, request.params["version"]);
  return json(200, { model_stats: found.map((each) => ({ ...each, batch_stats: [] })) });
}
