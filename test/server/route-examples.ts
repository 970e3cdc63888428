import type { ApiShapes, MlflowRouteName, NamedRoute } from "#api";
import {
  descriptionRoutes,
  featureRoutes,
  hookRoutes,
  monitoringRoutes,
  operationRoutes,
  openaiRoutes,
  servingRoutes,
  type QueryValues,
} from "#api";

/** A request that a route would take, if its caller may send it. */
export interface Example {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: QueryValues;
  readonly body?: object | string;
  /** The route refuses each request, and says why. */
  readonly isNeverServed?: boolean;
}

/** What a store holds that the examples speak of. `doomed`: things for those that delete. */
export interface Held {
  readonly experiment: string;
  readonly run: string;
  readonly loggedModel: string;
  readonly doomed: { readonly experiment: string; readonly run: string; readonly loggedModel: string };
  readonly webhook: string;
}

type Examples<Name extends string> = Readonly<Record<Name, Example>>;

const DIGEST = `sha256:${"0".repeat(64)}`;
const MODEL = "kept";
const ENDPOINT = { environment: "production", endpoint: "delay" };
const VERSION = { ...ENDPOINT, model: "delay", version: "1" };
const ROWS = { rows: [{ features: { distance: 1 } }] };
const TENSORS = { inputs: [{ name: "distance", datatype: "FP64", shape: [1], data: [1] }] };

const api: Examples<keyof ApiShapes> = {
  getSession: {},
  getOverview: {},
  streamChanges: { query: { after: 0 } },
  listPipelines: { query: { limit: 10 } },
  getPipeline: { params: { name: "wait" } },
  getTestHistory: { params: { name: "wait" }, query: { runs: 10 } },
  createPipelineRun: { params: { name: "none" }, body: { params: { depth: 6 } } },
  previewBackfill: { params: { name: "none" }, body: { from: "2026-01-01" } },
  createBackfill: { params: { name: "none" }, body: { all: true } },
  getPartitionGrid: { params: { name: "none" } },
  getPipelineRunGrid: { params: { id: "x" } },
  listPartitions: { params: { name: "none" }, query: { limit: 1 } },
  listSchedules: {},
  listRetrainings: {},
  pausePipeline: { params: { name: "none" }, body: { reason: "repair" } },
  unpausePipeline: { params: { name: "none" } },
  listPools: {},
  listQueue: {},
  listBackfills: {},
  getBackfill: { params: { id: "none" } },
  listBackfillPartitions: { params: { id: "none" } },
  pauseBackfill: { params: { id: "none" } },
  resumeBackfill: { params: { id: "none" } },
  cancelBackfill: { params: { id: "none" } },
  retryBackfill: { params: { id: "none" }, body: {} },
  listPipelineRuns: { query: { status: "failed" } },
  getPipelineRun: { params: { id: "x" } },
  listStepRuns: { params: { id: "x" }, query: { limit: 10 } },
  cancelPipelineRun: { params: { id: "x" } },
  resumePipelineRun: { params: { id: "x" } },
  acknowledgePipelineRun: { params: { id: "x" } },
  getStepRunLog: { params: { id: "x" }, query: { after: 0 } },
  streamStepRunLog: { params: { id: "x" } },
  listDatasets: {},
  getDataset: { params: { name: "flights" } },
  getDatasetRows: { params: { name: "flights" }, query: { limit: 10 } },
  listQuarantinedRows: { params: { name: "flights" }, query: { state: "open" } },
  captureAgain: { params: { name: "flights" }, body: { all: true } },
  restateDataset: { params: { name: "flights" }, body: { from: "2024-01-01", to: "2024-02-01" } },
  restoreDataset: { params: { name: "flights" }, body: { version: 1 } },
  dropDataset: { params: { name: "flights" } },
  replayQuarantine: { params: { name: "flights" } },
  discardQuarantine: { params: { name: "flights" }, body: { reason: "not ours" } },
  listFeatureViews: {},
  listModels: {},
  getModel: { params: { name: "delay" } },
  listModelVersions: { params: { name: "delay" }, query: { limit: 10 } },
  getModelVersion: { params: { name: "delay", version: "1" } },
  listAssetVersions: { params: { name: "flights" } },
  getLineage: { params: { id: "x" }, query: { direction: "upstream" } },
  getNotebookVersion: { params: { id: "x" } },
  listEndpoints: {},
  getEndpoint: { params: { environment: "production", name: "delay" } },
  getEndpointWindow: { params: { environment: "production", name: "delay" }, query: {} },
  promoteTrial: { params: { environment: "production", name: "delay" }, body: {} },
  abortTrial: { params: { environment: "production", name: "delay" }, body: {} },
  listPredictions: { params: { environment: "production", name: "delay" }, query: { labelled: "no" } },
  getPrediction: { params: { id: "x" } },
  listMonitors: {},
  listAlerts: { query: { state: "open" } },
  getAlert: { params: { id: "x" } },
  testAlertRoute: { params: { name: "none" } },
  acknowledgeAlert: { params: { id: "x" } },
  listEnvironments: {},
  getEnvironmentRules: { params: { name: "production" } },
  listReleases: {},
  compareReleases: { query: { from: "staging", to: "production" } },
  planEnvironmentRollback: { params: { name: "production" } },
  listPreviews: {},
  removePreview: { params: { name: "none" } },
  rollBackEnvironment: { params: { name: "production" }, body: {} },
  rollBack: { body: { environment: "production", asset: "web" } },
  listApprovals: {},
  revokeApproval: { params: { id: "x" }, body: {} },
  listKeys: {},
  registerKey: { body: { publicKey: Buffer.alloc(32, 1).toString("base64"), proof: "x" } },
  revokeKey: { params: { id: "x" } },
  createApproval: { body: { decision: "approved", subjectKind: "model", digest: DIGEST } },
  listDashboards: {},
  getRecipe: { params: { name: "delay" } },
  getDashboard: { params: { name: "delays" } },
  queryDatasets: { body: { sql: "select 1" } },
};

const endpoints: Examples<keyof typeof servingRoutes | keyof typeof openaiRoutes | keyof typeof monitoringRoutes> = {
  askChat: { body: { model: "none", messages: [] } },
  askCompletion: { body: { model: "none", prompt: "a" } },
  askEmbeddings: { body: { model: "none", input: "a" } },
  listServedModels: {},
  describeServedModel: { params: { "*": "none" } },
  predictRows: { params: ENDPOINT, body: ROWS },
  invoke: { params: ENDPOINT, body: { dataframe_records: [{ distance: 1 }] } },
  ping: { params: ENDPOINT },
  isLive: { params: ENDPOINT },
  isReady: { params: ENDPOINT },
  describeServer: { params: ENDPOINT },
  listModels: { params: ENDPOINT },
  describeModel: { params: VERSION },
  describeModelVersion: { params: VERSION },
  isModelReady: { params: VERSION },
  isModelVersionReady: { params: VERSION },
  infer: { params: VERSION, body: TENSORS },
  inferVersion: { params: VERSION, body: TENSORS },
  generateStream: { params: VERSION, body: { distance: 1 } },
  generateVersionStream: { params: VERSION, body: { distance: 1 } },
  indexRepository: { params: ENDPOINT, body: {} },
  configureModel: { params: VERSION },
  configureModelVersion: { params: VERSION },
  countModels: { params: ENDPOINT },
  countModel: { params: VERSION },
  countModelVersion: { params: VERSION },
  listModelsV1: { params: ENDPOINT },
  isModelReadyV1: { params: VERSION },
  predictInstances: { params: { ...ENDPOINT, call: "delay:predict" }, body: { instances: [{ distance: 1 }] } },
  describeCalls: { params: ENDPOINT },
  recordLabels: { params: ENDPOINT, body: { labels: [{ entityKey: "flight-1", label: 1 }] } },
  evaluate: { params: ENDPOINT, body: { until: 1_700_000_000_000 } },
};

const others: Examples<
  keyof typeof featureRoutes | keyof typeof hookRoutes | keyof typeof operationRoutes | keyof typeof descriptionRoutes
> = {
  getOnlineFeatures: { body: { features: ["airport_day:delay"], entities: { airport: ["JFK"] } } },
  materialize: { body: { start_ts: "2026-01-01", end_ts: "2026-01-02" } },
  materializeIncremental: { body: { end_ts: "2026-01-02", feature_views: [] } },
  pushFeatures: { body: { push_source_name: "weather", df: { airport: ["JFK"] } } },
  writeToOnlineStore: { body: { feature_view_name: "airport_day", df: { airport: ["JFK"] } } },
  advertiseRepository: { params: { repository: "p.git" }, query: { service: "git-upload-pack" } },
  fetchFromRepository: { params: { repository: "p.git" }, body: "0000" },
  pushToRepository: { params: { repository: "p.git" }, body: "0000" },
  receivePush: { body: { ref: "refs/heads/main" } },
  receiveWebhook: { params: { name: "partner" }, body: {} },
  isLive: {},
  isReady: {},
  isHealthy: {},
  getMetrics: {},
  getOpenApi: {},
};

const MODEL_JSON = JSON.stringify({ artifact_path: "model", flavors: {}, utc_time_created: "2026-01-01", run_id: "x" });

function mlflow(held: Held): Examples<MlflowRouteName> {
  const { experiment, run, loggedModel, doomed, webhook } = held;
  const version = { name: MODEL, version: "1" };
  const metric = { key: "loss", value: 0.5, timestamp: 1, step: 0 };
  const tag = { key: "team", value: "flights" };
  const artifact = `${experiment}/${run}/artifacts/a.txt`;
  const uploadId = { uploadId: "0".repeat(32), partNumber: "1" };
  return {
    createExperiment: { body: { name: `made-${Math.random()}` } },
    getExperiment: { query: { experiment_id: experiment } },
    getExperimentByName: { query: { experiment_name: "Default" } },
    searchExperiments: { body: { max_results: 10 } },
    searchExperimentsByQuery: { query: { max_results: 10 } },
    updateExperiment: { body: { experiment_id: experiment, new_name: `renamed-${Math.random()}` } },
    deleteExperiment: { body: { experiment_id: doomed.experiment } },
    restoreExperiment: { body: { experiment_id: doomed.experiment } },
    setExperimentTag: { body: { experiment_id: experiment, ...tag } },
    deleteExperimentTag: { body: { experiment_id: experiment, key: "team" } },
    createRun: { body: { experiment_id: "0", start_time: 1 } },
    getRun: { query: { run_id: run } },
    updateRun: { body: { run_id: run, run_name: "renamed" } },
    deleteRun: { body: { run_id: doomed.run } },
    restoreRun: { body: { run_id: doomed.run } },
    setTag: { body: { run_id: run, ...tag } },
    deleteTag: { body: { run_id: run, key: "team" } },
    logOutputs: { body: { run_id: run, models: [] } },
    logModel: { body: { run_id: run, model_json: MODEL_JSON } },
    logMetric: { body: { run_id: run, ...metric } },
    logParam: { body: { run_id: run, key: "depth", value: "6" } },
    logBatch: { body: { run_id: run, metrics: [metric] } },
    getMetricHistory: { query: { run_id: run, metric_key: "loss" } },
    getMetricHistoryBulk: { query: { run_id: [run], metric_key: "loss" } },
    getMetricHistoryBulkInterval: { query: { run_ids: [run], metric_key: "loss" } },
    searchRuns: { body: { experiment_ids: [experiment] } },
    searchDatasets: { body: { experiment_ids: [experiment] } },
    logInputs: { body: { run_id: run, datasets: [] } },
    getHealth: {},
    getVersion: {},
    getServerInfo: {},
    logSpans: { isNeverServed: true },
    listArtifactFolder: {},
    downloadArtifact: { params: { "*": artifact } },
    uploadArtifact: { params: { "*": artifact }, body: "text" },
    deleteArtifact: { params: { "*": artifact } },
    listArtifacts: { query: { run_id: run } },
    getArtifact: { query: { run_id: run, path: "a.txt" } },
    getArtifactOfPage: { query: { run_id: run, path: "a.txt" } },
    uploadRunArtifact: { query: { run_uuid: run, path: "a.txt" }, body: "text" },
    createPresignedUploadUrl: { body: { run_id: run, path: "a.txt" }, isNeverServed: true },
    createMultipartUpload: { params: { "*": artifact }, body: { path: "a.txt", num_parts: 1 } },
    uploadPart: { params: uploadId, body: "text" },
    completeMultipartUpload: {
      params: { "*": artifact },
      body: { path: "a.txt", upload_id: uploadId.uploadId, parts: [] },
    },
    abortMultipartUpload: { params: { "*": artifact }, body: { path: "a.txt", upload_id: uploadId.uploadId } },
    getPresignedDownloadUrl: { params: { "*": artifact } },
    createRegisteredModel: { body: { name: `made-${Math.random()}` } },
    renameRegisteredModel: { body: { name: "doomed", new_name: "doomed too" } },
    updateRegisteredModel: { body: { name: MODEL, description: "kept" } },
    deleteRegisteredModel: { body: { name: "doomed" } },
    getRegisteredModel: { query: { name: MODEL } },
    searchRegisteredModels: { query: { max_results: 10 } },
    searchRegisteredModelsByBody: { body: { max_results: 10 } },
    getLatestVersionsByQuery: { query: { name: MODEL } },
    getLatestVersions: { body: { name: MODEL } },
    setRegisteredModelTag: { body: { name: MODEL, ...tag } },
    deleteRegisteredModelTag: { body: { name: MODEL, key: "team" } },
    setRegisteredModelAlias: { body: { ...version, alias: "best" } },
    deleteRegisteredModelAlias: { body: { name: MODEL, alias: "best" } },
    getModelVersionByAlias: { query: { name: MODEL, alias: "first" } },
    createModelVersion: { body: { name: MODEL, source: `mlflow-artifacts:/${experiment}/${run}/artifacts/model` } },
    getModelVersion: { query: version },
    updateModelVersion: { body: { ...version, description: "kept" } },
    transitionModelVersionStage: { body: { ...version, stage: "Staging" } },
    deleteModelVersion: { body: { ...version, version: "2" } },
    searchModelVersions: { query: { max_results: 10 } },
    searchModelVersionsByBody: { body: { max_results: 10 } },
    getModelVersionDownloadUri: { query: version },
    setModelVersionTag: { body: { ...version, ...tag } },
    deleteModelVersionTag: { body: { ...version, key: "team" } },
    getModelVersionArtifact: { query: { ...version, path: "a.txt" } },
    getModelVersionArtifactOfPage: { query: { ...version, path: "a.txt" } },
    createLoggedModel: { body: { experiment_id: "0", name: "tree" } },
    searchLoggedModels: { body: { experiment_ids: [experiment] } },
    getLoggedModel: { params: { modelId: loggedModel } },
    finalizeLoggedModel: { params: { modelId: loggedModel }, body: { model_id: loggedModel, status: 2 } },
    deleteLoggedModel: { params: { modelId: doomed.loggedModel } },
    setLoggedModelTags: { params: { modelId: loggedModel }, body: { model_id: loggedModel, tags: [tag] } },
    deleteLoggedModelTag: { params: { modelId: loggedModel, key: "team" } },
    logLoggedModelParams: { params: { modelId: loggedModel }, body: { model_id: loggedModel, params: [tag] } },
    listLoggedModelArtifacts: { params: { modelId: loggedModel } },
    getLoggedModelArtifact: { params: { modelId: loggedModel }, query: { artifact_file_path: "a.txt" } },
    createWebhook: {
      body: { name: "w", url: "https://example.com/hook", events: [{ entity: "MODEL_VERSION", action: "CREATED" }] },
    },
    listWebhooks: {},
    getWebhook: { params: { webhookId: webhook } },
    updateWebhook: { params: { webhookId: webhook }, body: { name: "renamed" } },
    deleteWebhook: { params: { webhookId: "none" } },
    testWebhook: { params: { webhookId: "none" }, body: {} },
  };
}

const RESULT = { format: "task/1", logPieces: 0, taken: [], error: { message: "no" } };
const HELD = { params: { worker: "none", task: "none" }, query: { token: "1" } };

/** Of workers and tasks that are not there: whoever may call hears of that. */
const workers: Readonly<Record<string, Example>> = {
  registerWorker: {
    body: {
      name: "one",
      host: "here",
      version: "0",
      labels: [],
      offer: { cpus: 1, gpus: 0, memoryBytes: 1 },
    },
  },
  syncWorker: {
    params: { worker: "none" },
    body: { tasks: [], givenUp: [], free: { cpus: 1, gpus: 0, memoryBytes: 1 }, most: 0, waitMs: 0 },
  },
  leaveWorker: { params: { worker: "none" } },
  readTaskFile: { ...HELD, params: { ...HELD.params, digest: `sha256:${"0".repeat(64)}` } },
  writeTaskFile: { ...HELD, params: { ...HELD.params, digest: `sha256:${"0".repeat(64)}` }, body: "x" },
  appendTaskLog: { ...HELD, query: { token: "1", number: "0" }, body: { text: "" } },
  endTask: { ...HELD, body: RESULT },
};

const PUSHED: Example = { params: { name: "flights" }, body: { id: 1 } };

/** The example of a route; a route without one is a mistake of the compiler's, and a mistake of this test. */
export function exampleOf({ name, route }: NamedRoute, held: Held): Example | undefined {
  const tables: Readonly<Record<string, Readonly<Record<string, Example>>>> = {
    api: { ...api, getOpenApi: others.getOpenApi, pushEvents: PUSHED },
    mlflow: mlflow(held),
    serving: endpoints,
    monitoring: endpoints,
    features: others,
    hooks: others,
    operations: others,
    workers,
  };
  return tables[route.surface]?.[name];
}
