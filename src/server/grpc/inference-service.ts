import type { Action } from "#api";
import type { Platform } from "#app";
import { listEndpoints } from "#metadata-store/serving";
import {
  assertModel,
  indexModels,
  infer,
  type InferAnswer,
  type ProtocolContext,
  readConfig,
  readMetadata,
  readStatistics,
  SERVER_EXTENSIONS,
  toBytes,
  withHeaders,
} from "#serving";
import { grpcInvalid, grpcModelUnclear } from "../errors.ts";
import * as messages from "./inference-messages.ts";
import type { Message, MessageType } from "./protobuf.ts";

/** What a procedure may know of its call. */
export interface ProcedureCall {
  readonly signal: AbortSignal;
  /** Metadata, by its lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** One procedure of the service. */
export interface Procedure {
  readonly action: Action;
  readonly request: MessageType;
  readonly response: MessageType;
  /** Each message of a stream is answered by one. */
  readonly isStream?: boolean;
  answer(request: Message, call: ProcedureCall): Promise<Message>;
}

const MOST_ENDPOINTS = 1000;

/**
 * `inference.GRPCInferenceService` by the endpoints of a project. A model is an endpoint: `NAME` where one environment
 * has it, `ENVIRONMENT/NAME` always.
 *
 * Source: kserve/open-inference-protocol `open_inference_grpc.proto`; Triton `grpc_service.proto`.
 */
export function inferenceProcedures({ serving, store, project }: Platform): ReadonlyMap<string, Procedure> {
  const { endpoints } = serving;

  async function findModel(named: Message): Promise<ProtocolContext> {
    const [name, version] = [textOf(named["name"]), textOf(named["version"])];
    const context = { endpoints, key: { project, ...(await placeOf(name)) } };
    await assertModel(context, { version: version === "" ? undefined : version });
    return context;
  }

  async function placeOf(name: string): Promise<{ readonly environment: string; readonly endpoint: string }> {
    const slash = name.indexOf("/");
    if (slash > 0) return { environment: name.slice(0, slash), endpoint: name.slice(slash + 1) };
    const found = (await listPlaces()).filter(({ endpoint }) => endpoint === name);
    const [only] = found;
    if (only === undefined || found.length > 1)
      throw grpcModelUnclear({
        name,
        known: (found.length > 1 ? found : await listPlaces()).map((place) => `${place.environment}/${place.endpoint}`),
      });
    return only;
  }

  async function listPlaces(): Promise<readonly { readonly environment: string; readonly endpoint: string }[]> {
    const found = await store.read((transaction) => listEndpoints(transaction, { project, limit: MOST_ENDPOINTS }));
    return found
      .filter(({ state }) => state === "ready")
      .map(({ environment, name }) => ({ environment, endpoint: name }));
  }

  async function predict(request: Message, { signal, headers }: ProcedureCall): Promise<Message> {
    const named = { name: request["model_name"], version: request["model_version"] };
    const found = await findModel(named);
    const context = { ...found, endpoints: withHeaders(found.endpoints, headers) };
    return toResponse(await infer(context, { ...toDocument(request), signal }), textOf(named.name));
  }

  const describe = { action: "describe", request: messages.NAMED_MODEL } as const;
  const open = { action: "describe", request: messages.EMPTY } as const;
  return new Map<string, Procedure>(
    Object.entries({
      ServerLive: { ...open, response: messages.LIVE, answer: async () => ({ live: true }) },
      ServerReady: {
        ...open,
        response: messages.READY,
        answer: async () => ({ ready: endpoints.problems() !== undefined }),
      },
      ModelReady: {
        ...describe,
        response: messages.READY,
        answer: async (named: Message) => ({ ready: (await findModel(named)) !== undefined }),
      },
      ServerMetadata: {
        ...open,
        response: messages.SERVER_METADATA,
        answer: async () => ({ name: "esteira", version: "2", extensions: SERVER_EXTENSIONS }),
      },
      ModelMetadata: {
        ...describe,
        response: messages.MODEL_METADATA,
        answer: async (named: Message) => ({ ...(await readMetadata(await findModel(named))), name: named["name"] }),
      },
      ModelConfig: {
        ...describe,
        response: messages.CONFIG,
        answer: async (named: Message) => ({ config: await configOf(await findModel(named)) }),
      },
      ModelStatistics: {
        ...describe,
        response: messages.STATISTICS,
        answer: async (named: Message) => ({
          model_stats: await readStatistics(await findModel(named), textOf(named["version"])),
        }),
      },
      RepositoryIndex: {
        action: "describe",
        request: messages.INDEX_REQUEST,
        response: messages.INDEX,
        answer: async (asked: Message) => ({ models: await indexAll(asked["ready"] === true) }),
      },
      ModelInfer: {
        action: "predict",
        request: messages.INFER_REQUEST,
        response: messages.INFER_RESPONSE,
        answer: predict,
      },
      ModelStreamInfer: {
        action: "predict",
        request: messages.INFER_REQUEST,
        response: messages.STREAM_RESPONSE,
        isStream: true,
        answer: async (request: Message, call: ProcedureCall) => ({ infer_response: await predict(request, call) }),
      },
    } satisfies Record<string, Procedure>),
  );

  async function indexAll(onlyReady: boolean): Promise<readonly object[]> {
    const indexed: object[] = [];
    for (const { environment, endpoint } of await listPlaces()) {
      // oxlint-disable-next-line no-await-in-loop -- each is loaded already, or said to be not
      const models = await indexModels({ endpoints, key: { project, environment, endpoint } }, onlyReady).catch(
        (error: unknown) => [{ version: "", state: "UNAVAILABLE", reason: String(error) }],
      );
      indexed.push(...models.map((model) => ({ ...model, name: `${environment}/${endpoint}` })));
    }
    return indexed;
  }
}

async function configOf(context: ProtocolContext): Promise<Message> {
  const { input, output, ...facts } = await readConfig(context);
  const toTensor = ({ data_type, ...tensor }: (typeof input)[number]): object => ({
    ...tensor,
    data_type: messages.DATA_TYPES[data_type] ?? 0,
  });
  return { ...facts, input: input.map(toTensor), output: output.map(toTensor) };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function messagesOf(value: unknown): readonly Message[] {
  return Array.isArray(value) ? value : [];
}

/** The request as the protocol writes it over HTTP: tensors in bytes follow its document. */
function toDocument(request: Message): {
  readonly document: Readonly<Record<string, unknown>>;
  readonly binary: Uint8Array;
} {
  const raw = Array.isArray(request["raw_input_contents"])
    ? request["raw_input_contents"].filter((each) => Buffer.isBuffer(each))
    : [];
  const inputs = messagesOf(request["inputs"]);
  if (raw.length > 0 && raw.length !== inputs.length)
    throw grpcInvalid({ problem: `it has ${inputs.length} inputs and raw contents of ${raw.length}` });
  return {
    document: {
      id: textOf(request["id"]),
      parameters: toParameters(request["parameters"]),
      inputs: inputs.map(({ name, datatype, shape, contents, parameters }, position) => ({
        name,
        datatype,
        shape: shape ?? [],
        ...(raw.length === 0
          ? { data: toData(contents) }
          : { parameters: { ...toParameters(parameters), binary_data_size: raw[position]?.byteLength } }),
      })),
      outputs: messagesOf(request["outputs"]).map(({ name }) => ({ name })),
    },
    binary: Buffer.concat(raw),
  };
}

/** The list that is there; texts from their bytes. */
function toData(contents: unknown): readonly unknown[] {
  if (typeof contents !== "object" || contents === null) return [];
  const lists = Object.values(contents).filter(Array.isArray);
  if (lists.length > 1) throw grpcInvalid({ problem: "a tensor of it has contents of several types" });
  return (lists[0] ?? []).map((value: unknown) => (Buffer.isBuffer(value) ? value.toString("utf8") : value));
}

function toParameters(entries: unknown): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    messagesOf(entries).map(({ key, value }) => [
      textOf(key),
      typeof value === "object" && value !== null ? Object.values(value)[0] : undefined,
    ]),
  );
}

/** Outputs in bytes, whatever form the inputs had: clients read both. */
function toResponse({ head, outputs }: InferAnswer, name: string): Message {
  return {
    model_name: name,
    model_version: head.model_version,
    id: head.id,
    parameters: Object.entries(head.parameters).map(([key, value]) => ({ key, value: { string_param: value } })),
    outputs: outputs.map((output) => ({ name: output.name, datatype: output.datatype, shape: output.shape })),
    raw_output_contents: outputs.map(toBytes),
  };
}
