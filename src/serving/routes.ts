import { type Answered, type ErrorForm, type Route, servingRoutes } from "#api";
import { EsteiraError, type Log } from "#base";
import type { Endpoints } from "./endpoints.ts";
import {
  json,
  type ProtocolContext,
  type ServingRequest,
  type ServingResponse,
  withHeaders,
} from "./protocols/exchange.ts";
import { handleGenerateStream } from "./protocols/event-stream.ts";
import { handleInvocations } from "./protocols/invocations.ts";
import { handleDescribeCalls } from "./protocols/describe-calls.ts";
import { handleInstances, handleReadiness } from "./protocols/kserve.ts";
import { describeModel, handleConfig, handleIndex, handleStatistics } from "./protocols/model-metadata.ts";
import { assertModel } from "./protocols/named-model.ts";
import { handleInfer } from "./protocols/open-inference.ts";
import { handleRows } from "./protocols/rows.ts";

/**
 * One address of the endpoints, with what answers it. A handler never rejects: errors are answers in the protocol's own
 * form.
 */
export type ServingCall = Answered<(request: ServingRequest) => Promise<ServingResponse>>;

/** What of Triton's extensions is spoken. */
export const SERVER_EXTENSIONS: readonly string[] = [
  "binary_tensor_data",
  "model_repository",
  "model_configuration",
  "statistics",
];

type Handler = (context: ProtocolContext, request: ServingRequest) => Promise<ServingResponse>;

/** Answers each of the serving routes. */
const HANDLERS: Readonly<Record<keyof typeof servingRoutes, Handler>> = {
  predictRows: handleRows,
  invoke: handleInvocations,
  ping,
  isLive: async () => json(200, { live: true }),
  isReady: async (context) => {
    await context.endpoints.model(context.key);
    return json(200, { ready: true, live: true });
  },
  describeServer: async () => json(200, { name: "esteira", version: "2", extensions: SERVER_EXTENSIONS }),
  listModels: async (context) => json(200, { models: [context.key.endpoint] }),
  describeModel: named(describeModel),
  describeModelVersion: named(describeModel),
  isModelReady: named(ready),
  isModelVersionReady: named(ready),
  infer: named(handleInfer),
  inferVersion: named(handleInfer),
  generateStream: named(handleGenerateStream),
  generateVersionStream: named(handleGenerateStream),
  indexRepository: handleIndex,
  configureModel: named(handleConfig),
  configureModelVersion: named(handleConfig),
  countModels: handleStatistics,
  countModel: named(handleStatistics),
  countModelVersion: named(handleStatistics),
  listModelsV1: async (context) => json(200, { models: [context.key.endpoint] }),
  isModelReadyV1: handleReadiness,
  predictInstances: handleInstances,
  describeCalls: handleDescribeCalls,
};

/**
 * Answers the addresses of all endpoints of a project. The server hands over whole bodies of any content type,
 * decompressed, and answers 413 above the route's limit.
 */
export function createServingCalls(options: {
  readonly endpoints: Endpoints;
  readonly project: string;
  readonly log: Log;
}): readonly ServingCall[] {
  const { endpoints, project, log } = options;
  return Object.entries(HANDLERS).map(([name, handler]) => {
    const route: Route = servingRoutes[name as keyof typeof servingRoutes];
    return {
      route,
      handler: async (request) => {
        const { environment = "", endpoint = "" } = request.params;
        try {
          return await handler(
            { endpoints: withHeaders(endpoints, request.headers), key: { project, environment, endpoint } },
            request,
          );
        } catch (error) {
          return toErrorAnswer(error, route.errors, log);
        }
      },
    };
  });
}

function named(handler: Handler): Handler {
  return async (context, request) => {
    const { model = "", version } = request.params;
    await assertModel(context, { model, version });
    return handler(context, request);
  };
}

async function ready(context: ProtocolContext): Promise<ServingResponse> {
  await context.endpoints.model(context.key);
  return json(200, { name: context.key.endpoint, ready: true });
}

async function ping(context: ProtocolContext): Promise<ServingResponse> {
  await context.endpoints.model(context.key);
  return { status: 200, headers: { "content-type": "application/json" }, body: "\n" };
}

const RETRY_AFTER_SECONDS = "1";

/** What nobody foresaw is logged, and says nothing of its inside. */
const UNFORESEEN = {
  code: "SERVING_REQUEST_FAILED",
  status: 500,
  message: "The request failed; the server's log says why",
  hint: undefined,
};

export function toErrorAnswer(error: unknown, form: ErrorForm, log: Log): ServingResponse {
  const known = error instanceof EsteiraError ? error : undefined;
  if (known === undefined) logUnforeseen(error, log);
  const { code, status, message, hint } = known ?? UNFORESEEN;
  const text = hint === undefined ? message : `${message} ${hint}`;
  const headers: Record<string, string> = status === 503 ? { "retry-after": RETRY_AFTER_SECONDS } : {};
  switch (form) {
    case "open-inference":
      return json(status, { error: `${text} [${code}]` }, headers);
    case "mlflow":
    case "mlflow-scoring":
      return json(status, { error_code: toMlflowCode(status), message: text, code }, headers);
    case "openai":
      return json(status, { error: openaiError(status, { message: text, code }) }, headers);
    case "feast":
    case "git":
    case "esteira":
      return json(status, { error: known?.toJSON() ?? { code, message } }, headers);
  }
}

/** Clients of OpenAI's API tell failures apart by status, and show the message. */
function openaiError(status: number, { message, code }: { readonly message: string; readonly code: string }): object {
  return { message, type: status < 500 ? "invalid_request_error" : "server_error", param: null, code };
}

function logUnforeseen(error: unknown, log: Log): void {
  log.error("an endpoint's request failed", {
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
}

function toMlflowCode(status: number): string {
  if (status === 404) return "RESOURCE_DOES_NOT_EXIST";
  if (status === 503) return "TEMPORARILY_UNAVAILABLE";
  return status >= 500 ? "INTERNAL_ERROR" : "BAD_REQUEST";
}
