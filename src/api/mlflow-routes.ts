import type { ResourceKind } from "./resource.ts";
import type { HttpMethod, Route } from "./route.ts";

/** A batch holds up to 1,000 metrics, params and tags, with long values. */
const LARGEST_BYTES = 64 * 2 ** 20;

/** A call whose fields come in the query string (GET), or in a JSON body. */
function call(line: string, summary: string, action: Route["action"], resource: ResourceKind): Route {
  const [method, path] = line.split(" ") as [HttpMethod, string];
  const route: Route = { surface: "mlflow", method, path, summary, action, resource, errors: "mlflow" };
  return method === "GET" ? route : { ...route, body: { largestBytes: LARGEST_BYTES } };
}

/** A call whose body is a file, and whose fields come in the query string. */
function upload(line: string, summary: string, action: Route["action"], resource: ResourceKind): Route {
  return { ...call(line, summary, action, resource), body: { streamed: true } };
}

/**
 * MLflow's calls that are served, by name. `log` adds to what is the caller's own, as steps do with the token of their
 * attempt; `edit` changes what all share.
 */
export const mlflowRoutes = {
  createExperiment: call("POST mlflow/experiments/create", "Create an experiment", "log", "project"),
  getExperiment: call("GET mlflow/experiments/get", "An experiment", "read", "experiment"),
  getExperimentByName: call("GET mlflow/experiments/get-by-name", "An experiment, by its name", "read", "experiment"),
  searchExperiments: call("POST mlflow/experiments/search", "Search experiments", "read", "experiment"),
  searchExperimentsByQuery: call(
    "GET mlflow/experiments/search",
    "Search experiments, with the fields in the query string",
    "read",
    "experiment",
  ),
  updateExperiment: call("POST mlflow/experiments/update", "Rename an experiment", "edit", "experiment"),
  deleteExperiment: call(
    "POST mlflow/experiments/delete",
    "Delete an experiment; it can be restored",
    "edit",
    "experiment",
  ),
  restoreExperiment: call("POST mlflow/experiments/restore", "Restore a deleted experiment", "edit", "experiment"),
  setExperimentTag: call(
    "POST mlflow/experiments/set-experiment-tag",
    "Set a tag of an experiment",
    "edit",
    "experiment",
  ),
  deleteExperimentTag: call(
    "POST mlflow/experiments/delete-experiment-tag",
    "Delete a tag of an experiment",
    "edit",
    "experiment",
  ),
  createRun: call("POST mlflow/runs/create", "Create a run", "log", "experiment"),
  getRun: call("GET mlflow/runs/get", "A run with its last metrics, params and tags", "read", "run"),
  updateRun: call("POST mlflow/runs/update", "Change name, status or end time of a run", "log", "run"),
  deleteRun: call("POST mlflow/runs/delete", "Delete a run; it can be restored", "log", "run"),
  restoreRun: call("POST mlflow/runs/restore", "Restore a deleted run", "log", "run"),
  setTag: call("POST mlflow/runs/set-tag", "Set a tag of a run", "log", "run"),
  deleteTag: call("POST mlflow/runs/delete-tag", "Delete a tag of a run", "log", "run"),
  logOutputs: call("POST mlflow/runs/outputs", "Name the logged models that a run made", "log", "run"),
  logModel: call("POST mlflow/runs/log-model", "Name a model of a run, as old clients do", "log", "run"),
  logMetric: call("POST mlflow/runs/log-metric", "Log one point of a metric", "log", "run"),
  logParam: call("POST mlflow/runs/log-parameter", "Log a param", "log", "run"),
  logBatch: call("POST mlflow/runs/log-batch", "Log metrics, params and tags together", "log", "run"),
  getMetricHistory: call("GET mlflow/metrics/get-history", "Every point of a metric", "read", "run"),
  getMetricHistoryBulk: call(
    "GET mlflow/metrics/get-history-bulk",
    "Points of a metric of several runs",
    "read",
    "run",
  ),
  getMetricHistoryBulkInterval: call(
    "GET mlflow/metrics/get-history-bulk-interval",
    "Points of a metric of several runs, thinned out to a number of steps",
    "read",
    "run",
  ),
  searchRuns: call("POST mlflow/runs/search", "Search runs", "read", "run"),
  searchDatasets: call(
    "POST mlflow/experiments/search-datasets",
    "Datasets that runs of experiments read",
    "read",
    "experiment",
  ),
  logInputs: call("POST mlflow/runs/log-inputs", "Name the datasets and models that a run read", "log", "run"),
  getHealth: call(
    "GET /health",
    "Whether the server answers",
    { open: "clients ask before they know any credentials" },
    "project",
  ),
  getVersion: call(
    "GET /version",
    "The version of MLflow that clients may take the server for",
    { open: "clients ask before they know any credentials" },
    "project",
  ),
  getServerInfo: call("GET mlflow/server-info", "What the server says of itself", "read", "project"),
  logSpans: call("POST /v1/traces", "Spans are not taken: the answer has clients send no more", "read", "project"),
  listArtifactFolder: call("GET mlflow-artifacts/artifacts", "Files in a folder of artifacts", "read", "artifact"),
  downloadArtifact: call("GET mlflow-artifacts/artifacts/*", "An artifact", "read", "artifact"),
  uploadArtifact: upload("PUT mlflow-artifacts/artifacts/*", "Write an artifact", "log", "artifact"),
  deleteArtifact: call(
    "DELETE mlflow-artifacts/artifacts/*",
    "Delete an artifact, or a folder of them",
    "log",
    "artifact",
  ),
  listArtifacts: call("GET mlflow/artifacts/list", "Artifacts of a run", "read", "artifact"),
  getArtifact: call("GET /get-artifact", "An artifact of a run", "read", "artifact"),
  getArtifactOfPage: call(
    "GET mlflow/get-artifact",
    "An artifact of a run, where MLflow's page asks for it",
    "read",
    "artifact",
  ),
  uploadRunArtifact: upload(
    "POST mlflow/upload-artifact",
    "Write an artifact of a run; the fields are in the query string",
    "log",
    "run",
  ),
  createPresignedUploadUrl: call(
    "POST mlflow/artifacts/presigned-upload-url",
    "An address to upload to, which there is none of here",
    "log",
    "run",
  ),
  createMultipartUpload: call(
    "POST mlflow-artifacts/mpu/create/*",
    "Begin to upload an artifact in parts",
    "log",
    "artifact",
  ),
  uploadPart: upload("PUT mlflow-artifacts/mpu/part/:uploadId/:partNumber", "Upload a part", "log", "upload"),
  completeMultipartUpload: call("POST mlflow-artifacts/mpu/complete/*", "End an upload in parts", "log", "artifact"),
  abortMultipartUpload: call("POST mlflow-artifacts/mpu/abort/*", "Give up an upload in parts", "log", "artifact"),
  getPresignedDownloadUrl: call(
    "GET mlflow-artifacts/presigned/*",
    "The address to download an artifact from",
    "read",
    "artifact",
  ),
  createRegisteredModel: call(
    "POST mlflow/registered-models/create",
    "Create a registered model",
    "register",
    "registered-model",
  ),
  renameRegisteredModel: call(
    "POST mlflow/registered-models/rename",
    "Rename a registered model",
    "edit",
    "registered-model",
  ),
  updateRegisteredModel: call(
    "PATCH mlflow/registered-models/update",
    "Describe a registered model",
    "register",
    "registered-model",
  ),
  deleteRegisteredModel: call(
    "DELETE mlflow/registered-models/delete",
    "Delete a registered model with its versions",
    "edit",
    "registered-model",
  ),
  getRegisteredModel: call("GET mlflow/registered-models/get", "A registered model", "read", "registered-model"),
  searchRegisteredModels: call(
    "GET mlflow/registered-models/search",
    "Search registered models",
    "read",
    "registered-model",
  ),
  searchRegisteredModelsByBody: call(
    "POST mlflow/registered-models/search",
    "Search registered models, with the fields in the body",
    "read",
    "registered-model",
  ),
  getLatestVersionsByQuery: call(
    "GET mlflow/registered-models/get-latest-versions",
    "The newest version in each stage, with the fields in the query string",
    "read",
    "registered-model",
  ),
  getLatestVersions: call(
    "POST mlflow/registered-models/get-latest-versions",
    "The newest version in each stage",
    "read",
    "registered-model",
  ),
  setRegisteredModelTag: call(
    "POST mlflow/registered-models/set-tag",
    "Set a tag of a registered model",
    "register",
    "registered-model",
  ),
  deleteRegisteredModelTag: call(
    "DELETE mlflow/registered-models/delete-tag",
    "Delete a tag of a registered model",
    "register",
    "registered-model",
  ),
  setRegisteredModelAlias: call(
    "POST mlflow/registered-models/alias",
    "Have an alias name a version",
    "register",
    "registered-model",
  ),
  deleteRegisteredModelAlias: call(
    "DELETE mlflow/registered-models/alias",
    "Delete an alias",
    "edit",
    "registered-model",
  ),
  getModelVersionByAlias: call(
    "GET mlflow/registered-models/alias",
    "The version that an alias names",
    "read",
    "registered-model",
  ),
  createModelVersion: call(
    "POST mlflow/model-versions/create",
    "Register a version of a model",
    "register",
    "registered-model",
  ),
  getModelVersion: call("GET mlflow/model-versions/get", "A version of a registered model", "read", "registered-model"),
  updateModelVersion: call("PATCH mlflow/model-versions/update", "Describe a version", "register", "registered-model"),
  transitionModelVersionStage: call(
    "POST mlflow/model-versions/transition-stage",
    "Move a version to a stage",
    "register",
    "registered-model",
  ),
  deleteModelVersion: call("DELETE mlflow/model-versions/delete", "Delete a version", "edit", "registered-model"),
  searchModelVersions: call("GET mlflow/model-versions/search", "Search versions", "read", "registered-model"),
  searchModelVersionsByBody: call(
    "POST mlflow/model-versions/search",
    "Search versions, with the fields in the body",
    "read",
    "registered-model",
  ),
  getModelVersionDownloadUri: call(
    "GET mlflow/model-versions/get-download-uri",
    "Where the artifacts of a version are",
    "read",
    "registered-model",
  ),
  setModelVersionTag: call(
    "POST mlflow/model-versions/set-tag",
    "Set a tag of a version",
    "register",
    "registered-model",
  ),
  deleteModelVersionTag: call(
    "DELETE mlflow/model-versions/delete-tag",
    "Delete a tag of a version",
    "register",
    "registered-model",
  ),
  getModelVersionArtifact: call(
    "GET /model-versions/get-artifact",
    "An artifact of a version",
    "read",
    "registered-model",
  ),
  getModelVersionArtifactOfPage: call(
    "GET mlflow/model-versions/get-artifact",
    "An artifact of a version, where MLflow's page asks for it",
    "read",
    "registered-model",
  ),
  createLoggedModel: call("POST mlflow/logged-models", "Create a logged model", "log", "experiment"),
  searchLoggedModels: call("POST mlflow/logged-models/search", "Search logged models", "read", "logged-model"),
  getLoggedModel: call("GET mlflow/logged-models/:modelId", "A logged model", "read", "logged-model"),
  finalizeLoggedModel: call(
    "PATCH mlflow/logged-models/:modelId",
    "Say that a logged model is ready, or failed",
    "log",
    "logged-model",
  ),
  deleteLoggedModel: call("DELETE mlflow/logged-models/:modelId", "Delete a logged model", "log", "logged-model"),
  setLoggedModelTags: call(
    "PATCH mlflow/logged-models/:modelId/tags",
    "Set tags of a logged model",
    "log",
    "logged-model",
  ),
  deleteLoggedModelTag: call(
    "DELETE mlflow/logged-models/:modelId/tags/:key",
    "Delete a tag of a logged model",
    "log",
    "logged-model",
  ),
  logLoggedModelParams: call(
    "POST mlflow/logged-models/:modelId/params",
    "Log params of a logged model",
    "log",
    "logged-model",
  ),
  listLoggedModelArtifacts: call(
    "GET mlflow/logged-models/:modelId/artifacts/directories",
    "Artifacts of a logged model",
    "read",
    "logged-model",
  ),
  getLoggedModelArtifact: call(
    "GET mlflow/logged-models/:modelId/artifacts/files",
    "An artifact of a logged model",
    "read",
    "logged-model",
  ),
  createWebhook: call("POST mlflow/webhooks", "Create a webhook", "administer", "webhook"),
  listWebhooks: call("GET mlflow/webhooks", "Webhooks", "administer", "webhook"),
  getWebhook: call("GET mlflow/webhooks/:webhookId", "A webhook", "administer", "webhook"),
  updateWebhook: call("PATCH mlflow/webhooks/:webhookId", "Change a webhook", "administer", "webhook"),
  deleteWebhook: call("DELETE mlflow/webhooks/:webhookId", "Delete a webhook", "administer", "webhook"),
  testWebhook: call("POST mlflow/webhooks/:webhookId/test", "Send a test delivery", "administer", "webhook"),
} as const satisfies Readonly<Record<string, Route>>;

export type MlflowRouteName = keyof typeof mlflowRoutes;
