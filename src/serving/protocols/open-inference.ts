import { requestInvalid } from "../errors.ts";
import type { FeatureReport, PredictAnswer } from "../endpoints.ts";
import type { ModelSignature } from "../model-signature.ts";
import { cellOf, type OutputDatatype, type TensorValues } from "../model-tensor.ts";
import { describe, type RowSource, sourceOfColumns } from "../row-source.ts";
import {
  answerHeaders,
  asArray,
  asObject,
  featureText,
  header,
  json,
  parseJson,
  type ProtocolContext,
  readKey,
  readTime,
  type ServingRequest,
  type ServingResponse,
} from "./exchange.ts";
import { elementsOf, type InputTensor, readBinaryData, readDatatype, readJsonData } from "./tensor.ts";

const BINARY_HEADER = "inference-header-content-length";

/** One tensor of an answer. */
export interface OutputTensor {
  readonly name: string;
  readonly datatype: OutputDatatype;
  readonly shape: readonly number[];
  readonly values: TensorValues;
}

/**
 * `POST …/infer` of the Open Inference Protocol 2, JSON or binary tensors. Inputs are one tensor per column ([N] or [N,
 * 1]), or one numeric matrix [N, F] in the order of the model's inputs. Request parameters `at` and, for one row,
 * `entity_key` go to the prediction log.
 *
 * Source: kserve/open-inference-protocol `inference_rest.md`; Triton's binary tensor data extension.
 */
export async function handleInfer(context: ProtocolContext, request: ServingRequest): Promise<ServingResponse> {
  const { head, outputs, isBinary, headers } = await infer(context, {
    ...splitBody(request),
    requestId: header(request, "x-request-id"),
    signal: request.signal,
  });
  return writeAnswer(head, outputs, { isBinary, headers });
}

/** A request of the protocol, however it travelled: its document, and the tensors that are not in it. */
export interface InferRequest {
  readonly document: Readonly<Record<string, unknown>>;
  readonly binary: Uint8Array;
  readonly requestId?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is answered, before it is written. */
export interface InferAnswer {
  readonly head: {
    readonly model_name: string;
    readonly model_version: string;
    readonly id: string;
    readonly parameters: Readonly<Record<string, string>>;
  };
  readonly outputs: readonly OutputTensor[];
  /** Whether the caller wants an output in bytes. */
  readonly isBinary: (name: string) => boolean;
  readonly headers: Readonly<Record<string, string>>;
}

/** Predicts tensors. @throws SERVING_REQUEST_INVALID, and what `predict` of the endpoints throws */
export async function infer(context: ProtocolContext, request: InferRequest): Promise<InferAnswer> {
  const { document, binary } = request;
  const inputs = readTensors(asArray(document["inputs"], "inputs"), binary);
  const { signature } = await context.endpoints.model(context.key);
  const parameters = document["parameters"] === undefined ? {} : asObject(document["parameters"], "parameters");
  const wanted = readWanted(document["outputs"]);
  const columns = await context.endpoints.columns(context.key);
  const source = toSource(inputs, signature, new Set(columns.map(({ name }) => name)));
  const key = readKey(parameters["entity_key"], "parameters.entity_key");
  const answer = await context.endpoints.predict(context.key, {
    source,
    requestId: typeof document["id"] === "string" && document["id"] !== "" ? document["id"] : request.requestId,
    ...(key === undefined ? {} : { entityKeys: [key] }),
    ...(parameters["at"] === undefined
      ? {}
      : { atMs: Array.from({ length: source.rowCount }, () => 0).fill(readTime(parameters["at"], "parameters.at")) }),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  });
  const outputs = chooseOutputs(toOutputs(answer, source.rowCount), wanted);
  const head = {
    model_name: context.key.endpoint,
    model_version: String(answer.model.version.version),
    id: answer.requestId,
    parameters: {
      prediction_ids: answer.predictionIds.join(","),
      ...(answer.features === undefined
        ? {}
        : { features: featureText(answer.features), features_missing: missingNames(answer.features) }),
    },
  };
  const isBinary = (name: string): boolean => wanted.get(name) ?? parameters["binary_data_output"] === true;
  return { head, outputs, isBinary, headers: answerHeaders(answer) };
}

/** Features that some row lacks in the online store, whatever the policy made of it. */
function missingNames({ names, rows }: FeatureReport): string {
  return names.filter((name) => rows.some((row) => row[name] !== undefined && row[name] !== "NULL_VALUE")).join(",");
}

function splitBody(request: ServingRequest): {
  readonly document: Readonly<Record<string, unknown>>;
  readonly binary: Uint8Array;
} {
  const text = header(request, BINARY_HEADER);
  if (text === undefined)
    return { document: asObject(parseJson(request.body), "The request's body"), binary: new Uint8Array() };
  const length = Number(text);
  if (!/^\d+$/.test(text) || length === 0 || length > request.body.byteLength) {
    throw requestInvalid({
      where: "Header Inference-Header-Content-Length",
      found: describe(text),
      expected: `the length of the JSON part, 1 to ${request.body.byteLength}`,
    });
  }
  return {
    document: asObject(parseJson(request.body.subarray(0, length)), "The request's JSON part"),
    binary: request.body.subarray(length),
  };
}

function readTensors(inputs: readonly unknown[], binary: Uint8Array): InputTensor[] {
  let offset = 0;
  const tensors = inputs.map((value, index): InputTensor => {
    const where = `inputs[${index}]`;
    const input = asObject(value, where);
    const { name } = input;
    if (typeof name !== "string" || name === "")
      throw requestInvalid({ where: `${where}.name`, found: describe(name), expected: "the input's name" });
    const datatype = readDatatype(input["datatype"], where);
    const elements = elementsOf(input["shape"], where);
    const size =
      input["parameters"] === undefined
        ? undefined
        : asObject(input["parameters"], `${where}.parameters`)["binary_data_size"];
    const facts = { name, datatype, shape: input["shape"] as readonly number[] };
    if (size === undefined) return { ...facts, values: readJsonData(input["data"], datatype, elements, where) };
    if (!Number.isSafeInteger(size) || (size as number) < 0 || offset + (size as number) > binary.byteLength) {
      throw requestInvalid({
        where: `${where}.parameters.binary_data_size`,
        found: describe(size),
        expected: `at most the ${binary.byteLength - offset} bytes that follow`,
      });
    }
    const bytes = binary.subarray(offset, offset + (size as number));
    offset += size as number;
    return { ...facts, values: readBinaryData(bytes, datatype, elements, where) };
  });
  if (offset !== binary.byteLength)
    throw requestInvalid({
      where: "The binary part",
      found: `${binary.byteLength} bytes`,
      expected: `${offset}, the sum of binary_data_size`,
    });
  return tensors;
}

/** One tensor per column, or one matrix. */
function toSource(tensors: readonly InputTensor[], signature: ModelSignature, known: ReadonlySet<string>): RowSource {
  const [only] = tensors;
  if (only === undefined)
    throw requestInvalid({
      where: "inputs",
      found: "no tensor",
      expected: signature.inputs.map((input) => input.name).join(", "),
    });
  const width = only.shape.length === 2 ? (only.shape[1] ?? 0) : 1;
  const named = known.has(only.name);
  if (tensors.length === 1 && (!named || width > 1)) return sourceOfMatrix(only, width, signature);
  const names = new Set<string>();
  for (const tensor of tensors) {
    if (names.has(tensor.name))
      throw requestInvalid({ where: "inputs", found: `"${tensor.name}" twice`, expected: "each input once" });
    names.add(tensor.name);
    if (tensor.shape.length !== 1 && !(tensor.shape.length === 2 && tensor.shape[1] === 1)) {
      throw requestInvalid({
        where: `Input "${tensor.name}"`,
        found: `the shape [${tensor.shape.join(", ")}]`,
        expected: "[N] or [N, 1]",
      });
    }
  }
  return sourceOfColumns(new Map(tensors.map((tensor) => [tensor.name, nullMissing(tensor.values)])));
}

function sourceOfMatrix(tensor: InputTensor, width: number, signature: ModelSignature): RowSource {
  const names = signature.inputs.map((input) => input.name);
  if (tensor.shape.length !== 2 || width !== names.length) {
    throw requestInvalid({
      where: `Input "${tensor.name}"`,
      found: `the shape [${tensor.shape.join(", ")}]`,
      expected: `[N, ${names.length}] with the columns ${names.join(", ")}, or one tensor per column`,
    });
  }
  const rowCount = tensor.shape[0] ?? 0;
  const columns = names.map(
    (name, position) =>
      [name, nullMissing(Array.from({ length: rowCount }, (_, row) => tensor.values[row * width + position]))] as const,
  );
  return sourceOfColumns(new Map(columns));
}

/** NaN of a binary tensor and null of a JSON one mean the same. */
function nullMissing(values: readonly unknown[]): readonly unknown[] {
  return values.map((value) => (Number.isNaN(value) ? null : value));
}

function toOutputs({ output, model }: PredictAnswer, rowCount: number): readonly OutputTensor[] {
  if (output.kind === "tensors")
    return output.tensors.map(({ name, datatype, shape, values }) => ({
      name,
      datatype,
      shape: [rowCount, ...shape],
      values,
    }));
  if (output.kind === "numbers") {
    const name = model.signature.task === "regression" ? "prediction" : "probability";
    return [{ name, datatype: "FP64", shape: [rowCount], values: output.values }];
  }
  const { labels, probabilities, classCount } = output;
  const label: OutputTensor = { name: "label", datatype: "BYTES", shape: [rowCount], values: labels };
  if (classCount === 0) return [label];
  return [label, { name: "probabilities", datatype: "FP64", shape: [rowCount, classCount], values: probabilities }];
}

/** Names of the wanted outputs, and whether each is to be binary. Empty: all. */
function readWanted(value: unknown): ReadonlyMap<string, boolean | undefined> {
  const wanted = new Map<string, boolean | undefined>();
  for (const [index, item] of (value === undefined || value === null ? [] : asArray(value, "outputs")).entries()) {
    const output = asObject(item, `outputs[${index}]`);
    const { name } = output;
    if (typeof name !== "string" || wanted.has(name))
      throw requestInvalid({
        where: `outputs[${index}].name`,
        found: describe(name),
        expected: "an output's name, once",
      });
    const binary =
      output["parameters"] === undefined
        ? undefined
        : asObject(output["parameters"], `outputs[${index}].parameters`)["binary_data"];
    wanted.set(name, typeof binary === "boolean" ? binary : undefined);
  }
  return wanted;
}

function chooseOutputs(
  outputs: readonly OutputTensor[],
  wanted: ReadonlyMap<string, unknown>,
): readonly OutputTensor[] {
  if (wanted.size === 0) return outputs;
  return [...wanted.keys()].map((name) => {
    const found = outputs.find((output) => output.name === name);
    if (found === undefined)
      throw requestInvalid({
        where: "outputs",
        found: `"${name}"`,
        expected: outputs.map((output) => output.name).join(", "),
      });
    return found;
  });
}

function writeAnswer(
  head: object,
  outputs: readonly OutputTensor[],
  options: { readonly isBinary: (name: string) => boolean; readonly headers: Readonly<Record<string, string>> },
): ServingResponse {
  const pieces: Buffer[] = [];
  const described = outputs.map((output) => {
    const { name, datatype, shape, values } = output;
    if (!options.isBinary(name))
      return { name, datatype, shape, data: Array.from({ length: values.length }, (_, at) => cellOf(output, at)) };
    const bytes = toBytes(output);
    pieces.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.byteLength } };
  });
  const document = { ...head, outputs: described };
  if (pieces.length === 0) return json(200, document, options.headers);
  const text = Buffer.from(JSON.stringify(document), "utf8");
  return {
    status: 200,
    headers: {
      "content-type": "application/octet-stream",
      [BINARY_HEADER]: String(text.byteLength),
      ...options.headers,
    },
    body: Buffer.concat([text, ...pieces]),
  };
}

/** Little-endian; texts with their length before them. */
export function toBytes({ values }: OutputTensor): Buffer {
  if (ArrayBuffer.isView(values)) return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  return Buffer.concat(
    values.flatMap((value) => {
      const text = Buffer.from(value, "utf8");
      const length = Buffer.alloc(4);
      length.writeUInt32LE(text.byteLength);
      return [length, text];
    }),
  );
}
