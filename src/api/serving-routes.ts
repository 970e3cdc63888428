import type { ErrorForm, Route, RouteSchemas } from "./route.ts";
import type { servingSchemas } from "./serving-schemas.ts";

const MEBIBYTE = 2 ** 20;
const ENDPOINT = "endpoints/:environment/:endpoint";
const MODEL = `${ENDPOINT}/v2/models/:model`;

/** Rows, tensors and labels. */
const ROWS = { largestBytes: 64 * MEBIBYTE } as const;

function schemasOf(name: keyof typeof servingSchemas): () => Promise<RouteSchemas> {
  return async () => (await import("./serving-schemas.ts")).servingSchemas[name];
}

function predict(
  name:
    | "predictRows"
    | "invoke"
    | "infer"
    | "inferVersion"
    | "generateStream"
    | "generateVersionStream"
    | "predictInstances",
  path: string,
  summary: string,
  errors: ErrorForm,
): Route {
  const facts = { action: "predict", resource: "endpoint", body: ROWS, errors } as const;
  return { surface: "serving", method: "POST", path, summary, schemas: schemasOf(name), ...facts };
}

/** What an endpoint says of itself: clients ask that first, so whoever may predict may hear it. */
function describe(path: string, summary: string, errors: ErrorForm = "open-inference"): Route {
  return { surface: "serving", method: "GET", path, summary, action: "describe", resource: "endpoint", errors };
}

/**
 * The addresses of all endpoints of a project: esteira's `predict`, MLflow's `invocations`, and the Open Inference
 * Protocol 2 below `v2`, where the model's name is the endpoint's.
 */
export const servingRoutes = {
  predictRows: predict("predictRows", `${ENDPOINT}/predict`, "Predict rows", "esteira"),
  invoke: predict("invoke", `${ENDPOINT}/invocations`, "Predict rows (MLflow scoring protocol)", "mlflow-scoring"),
  ping: describe(`${ENDPOINT}/ping`, "Whether the endpoint answers (MLflow)", "mlflow-scoring"),
  isLive: describe(`${ENDPOINT}/v2/health/live`, "Whether the process answers"),
  isReady: describe(`${ENDPOINT}/v2/health/ready`, "Whether the endpoint answers"),
  describeServer: describe(`${ENDPOINT}/v2`, "Server metadata"),
  listModels: describe(`${ENDPOINT}/v2/models`, "Models of the endpoint"),
  describeModel: describe(MODEL, "Model metadata"),
  describeModelVersion: describe(`${MODEL}/versions/:version`, "Model metadata"),
  isModelReady: describe(`${MODEL}/ready`, "Whether the model answers"),
  isModelVersionReady: describe(`${MODEL}/versions/:version/ready`, "Whether the model answers"),
  infer: predict("infer", `${MODEL}/infer`, "Predict tensors", "open-inference"),
  inferVersion: predict("inferVersion", `${MODEL}/versions/:version/infer`, "Predict tensors", "open-inference"),
  generateStream: predict(
    "generateStream",
    `${MODEL}/generate_stream`,
    "Predict a row in parts, as server-sent events (Triton)",
    "open-inference",
  ),
  generateVersionStream: predict(
    "generateVersionStream",
    `${MODEL}/versions/:version/generate_stream`,
    "Predict a row in parts, as server-sent events (Triton)",
    "open-inference",
  ),
  indexRepository: {
    ...describe(`${ENDPOINT}/v2/repository/index`, "Models of the endpoint, each with its state (Triton)"),
    method: "POST",
    schemas: schemasOf("indexRepository"),
    body: { largestBytes: MEBIBYTE },
  },
  configureModel: describe(`${MODEL}/config`, "Model configuration (Triton)"),
  configureModelVersion: describe(`${MODEL}/versions/:version/config`, "Model configuration (Triton)"),
  countModels: describe(`${ENDPOINT}/v2/models/stats`, "What this process answered (Triton)"),
  countModel: describe(`${MODEL}/stats`, "What this process answered (Triton)"),
  countModelVersion: describe(`${MODEL}/versions/:version/stats`, "What this process answered (Triton)"),
  listModelsV1: describe(`${ENDPOINT}/v1/models`, "Models of the endpoint (KServe 1)"),
  isModelReadyV1: describe(`${ENDPOINT}/v1/models/:model`, "Whether the model answers (KServe 1)"),
  predictInstances: predict(
    "predictInstances",
    `${ENDPOINT}/v1/models/:call`,
    "Predict rows: NAME:predict (KServe 1)",
    "open-inference",
  ),
  describeCalls: describe(
    `${ENDPOINT}/openapi.json`,
    "OpenAPI document of the endpoint, with requests that work",
    "esteira",
  ),
} as const satisfies Readonly<Record<string, Route>>;

function ask(path: string, summary: string): Route {
  const facts = { action: "predict", resource: "endpoint", body: { largestBytes: 32 * MEBIBYTE } } as const;
  return { surface: "serving", method: "POST", path: `openai/v1/${path}`, summary, errors: "openai", ...facts };
}

function tell(path: string, summary: string): Route {
  return { ...describe(`openai/v1/${path}`, summary), errors: "openai" };
}

/** OpenAI's API in front of servers that were deployed as code: `model` names the deployment. */
export const openaiRoutes = {
  askChat: ask("chat/completions", "Complete a chat, whole or as server-sent events (OpenAI)"),
  askCompletion: ask("completions", "Complete a text, whole or as server-sent events (OpenAI)"),
  askEmbeddings: ask("embeddings", "Embed texts (OpenAI)"),
  listServedModels: tell("models", "Servers that may be asked as models (OpenAI)"),
  describeServedModel: tell("models/*", "A server that may be asked as a model (OpenAI)"),
} as const satisfies Readonly<Record<string, Route>>;

/** What is told to the monitors of an endpoint. */
export const monitoringRoutes = {
  recordLabels: {
    surface: "monitoring",
    method: "POST",
    path: `${ENDPOINT}/labels`,
    summary: "Tell what really happened",
    schemas: schemasOf("recordLabels"),
    action: "label",
    resource: "endpoint",
    body: ROWS,
    errors: "esteira",
  },
  evaluate: {
    surface: "monitoring",
    method: "POST",
    path: `${ENDPOINT}/evaluate`,
    summary: "Compute and judge the windows that changed",
    schemas: schemasOf("evaluate"),
    action: "evaluate",
    resource: "endpoint",
    body: ROWS,
    errors: "esteira",
  },
} as const satisfies Readonly<Record<string, Route>>;

/** Online features, as Feast's feature server gives them. */
export const featureRoutes = {
  getOnlineFeatures: {
    surface: "features",
    method: "POST",
    path: "get-online-features",
    summary: "Online features of entities (Feast's feature server)",
    schemas: schemasOf("getOnlineFeatures"),
    action: "read",
    resource: "feature-view",
    body: { largestBytes: 16 * MEBIBYTE },
    errors: "feast",
  },
  pushFeatures: {
    surface: "features",
    method: "POST",
    path: "push",
    summary: "Push rows to the feature views of a push source (Feast's feature server); durable when answered",
    schemas: schemasOf("pushFeatures"),
    action: "push",
    resource: "feature-view",
    body: { largestBytes: 16 * MEBIBYTE },
    errors: "feast",
  },
  writeToOnlineStore: {
    surface: "features",
    method: "POST",
    path: "write-to-online-store",
    summary: "Push rows online to one feature view, as Feast's client does",
    schemas: schemasOf("writeToOnlineStore"),
    action: "push",
    resource: "feature-view",
    body: { largestBytes: 16 * MEBIBYTE },
    errors: "feast",
  },
  materialize: {
    surface: "features",
    method: "POST",
    path: "materialize",
    summary: "Bring feature views online in the newest version of their sources; `async=true` does not wait",
    schemas: schemasOf("materialize"),
    action: "run",
    resource: "feature-view",
    body: { largestBytes: MEBIBYTE },
    errors: "feast",
  },
  materializeIncremental: {
    surface: "features",
    method: "POST",
    path: "materialize-incremental",
    summary: "As `/materialize`: only new rows are read in either case",
    schemas: schemasOf("materializeIncremental"),
    action: "run",
    resource: "feature-view",
    body: { largestBytes: MEBIBYTE },
    errors: "feast",
  },
} as const satisfies Readonly<Record<string, Route>>;
