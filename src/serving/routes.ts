import { EsteiraError, type Log } from "#base";
import { endpointUnknown } from "./errors.ts";
import type { Endpoints } from "./endpoints.ts";
import { json, type ProtocolContext, type ServingRequest, type ServingResponse } from "./protocols/exchange.ts";
import { handleInvocations } from "./protocols/invocations.ts";
import { describeModel, handleInfer } from "./protocols/open-inference.ts";
import { handleRows } from "./protocols/rows.ts";

/**
 * One address of an endpoint, free of any HTTP framework. A handler never rejects: errors are answers in the protocol's
 * own form.
 */
export interface ServingRoute {
  readonly method: "GET" | "POST";
  /** `:name` is one path segment. */
  readonly path: string;
  readonly summary: string;
  /** `predict` asks a model; `read` only describes. For authorization. */
  readonly action: "predict" | "read";
  readonly handler: (request: ServingRequest) => Promise<ServingResponse>;
}

type Handler = (context: ProtocolContext, request: ServingRequest) => Promise<ServingResponse>;
type ErrorForm = "open-inference" | "mlflow" | "esteira";

const BASE = "/endpoints/:environment/:endpoint";
const MODEL = `${BASE}/v2/models/:model`;

/**
 * The addresses of all endpoints of a project: esteira's `predict`, MLflow's `invocations`, and the Open Inference
 * Protocol 2 below `v2`, where the model's name is the endpoint's.
 *
 * The server hands over whole bodies of any content type, decompressed, and answers 413 above its own limit.
 */
export function createServingRoutes(options: {
  readonly endpoints: Endpoints;
  readonly project: string;
  readonly log: Log;
}): readonly ServingRoute[] {
  const route = (
    address: Pick<ServingRoute, "method" | "path" | "summary" | "action">,
    form: ErrorForm,
    handler: Handler,
  ): ServingRoute => ({
    ...address,
    handler: async (request) => {
      const { environment = "", endpoint = "" } = request.params;
      try {
        return await handler(
          { endpoints: options.endpoints, key: { project: options.project, environment, endpoint } },
          request,
        );
      } catch (error) {
        return toErrorAnswer(error, form, options.log);
      }
    },
  });
  const read = (path: string, summary: string, handler: Handler): ServingRoute =>
    route({ method: "GET", path, summary, action: "read" }, "open-inference", handler);
  const infer = (path: string): ServingRoute =>
    route(
      { method: "POST", path, summary: "Predict tensors", action: "predict" },
      "open-inference",
      named(handleInfer),
    );
  return [
    route(
      { method: "POST", path: `${BASE}/predict`, summary: "Predict rows", action: "predict" },
      "esteira",
      handleRows,
    ),
    route(
      {
        method: "POST",
        path: `${BASE}/invocations`,
        summary: "Predict rows (MLflow scoring protocol)",
        action: "predict",
      },
      "mlflow",
      handleInvocations,
    ),
    route(
      { method: "GET", path: `${BASE}/ping`, summary: "Whether the endpoint answers (MLflow)", action: "read" },
      "mlflow",
      ping,
    ),
    read(`${BASE}/v2/health/live`, "Whether the process answers", async () => json(200, { live: true })),
    read(`${BASE}/v2/health/ready`, "Whether the endpoint answers", async (context) => {
      await context.endpoints.model(context.key);
      return json(200, { ready: true, live: true });
    }),
    read(`${BASE}/v2`, "Server metadata", async () =>
      json(200, { name: "esteira", version: "2", extensions: ["binary_tensor_data"] }),
    ),
    read(`${BASE}/v2/models`, "Models of the endpoint", async (context) =>
      json(200, { models: [context.key.endpoint] }),
    ),
    read(MODEL, "Model metadata", named(describeModel)),
    read(`${MODEL}/versions/:version`, "Model metadata", named(describeModel)),
    read(`${MODEL}/ready`, "Whether the model answers", named(ready)),
    read(`${MODEL}/versions/:version/ready`, "Whether the model answers", named(ready)),
    infer(`${MODEL}/infer`),
    infer(`${MODEL}/versions/:version/infer`),
  ];
}

/** The model of a V2 address is the endpoint itself, in the version that answers now. */
function named(handler: Handler): Handler {
  return async (context, request) => {
    const { model, version } = request.params;
    const loaded = await context.endpoints.model(context.key);
    const known =
      [context.key.endpoint, loaded.version.asset].includes(model ?? "") &&
      (version === undefined || version === String(loaded.version.version));
    if (!known) {
      throw endpointUnknown({
        environment: context.key.environment,
        endpoint: `${model}${version === undefined ? "" : ` version ${version}`}`,
        known: [`${context.key.endpoint} version ${loaded.version.version}`],
      });
    }
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

function toErrorAnswer(error: unknown, form: ErrorForm, log: Log): ServingResponse {
  if (!(error instanceof EsteiraError))
    log.error("an endpoint's request failed", {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  const status = error instanceof EsteiraError ? error.status : 500;
  const message = error instanceof EsteiraError ? error.message : "The request failed; the server's log says why";
  const headers: Record<string, string> = status === 503 ? { "retry-after": RETRY_AFTER_SECONDS } : {};
  const code = error instanceof EsteiraError ? error.code : "SERVING_REQUEST_FAILED";
  const hint = error instanceof EsteiraError ? error.hint : undefined;
  switch (form) {
    case "open-inference":
      return json(status, { error: `${message}${hint === undefined ? "" : ` ${hint}`} [${code}]` }, headers);
    case "mlflow":
      return json(
        status,
        { error_code: toMlflowCode(status), message: `${message}${hint === undefined ? "" : ` ${hint}`}`, code },
        headers,
      );
    case "esteira":
      return json(status, { error: error instanceof EsteiraError ? error.toJSON() : { code, message } }, headers);
  }
}

function toMlflowCode(status: number): string {
  if (status === 404) return "RESOURCE_DOES_NOT_EXIST";
  if (status === 503) return "TEMPORARILY_UNAVAILABLE";
  return status >= 500 ? "INTERNAL_ERROR" : "BAD_REQUEST";
}
