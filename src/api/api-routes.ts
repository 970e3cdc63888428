import type { Alert, Monitor } from "./alert.ts";
import type { Approval, Approvals, NewApproval } from "./approval.ts";
import type { AssetVersionSummary } from "./asset.ts";
import type { Change } from "./change.ts";
import type { DashboardDetail, DashboardSummary } from "./dashboard.ts";
import type {
  DatasetDetail,
  DatasetRestoration,
  DatasetRows,
  DatasetSummary,
  DiscardedQuarantine,
  DroppedDataset,
  NewCapture,
  QuarantineDiscard,
  QuarantinedRow,
  ReplayedQuarantine,
  RestoredDataset,
} from "./dataset.ts";
import type { EndpointDetail, EndpointSummary } from "./endpoint.ts";
import type { FeatureViewSummary } from "./feature-view.ts";
import type { LineageGraph } from "./lineage.ts";
import type { ModelDetail, ModelSummary, ModelVersionRecord, ModelVersionSummary } from "./model.ts";
import type { NotebookVersion } from "./notebook.ts";
import type { Overview } from "./overview.ts";
import type { Page } from "./page.ts";
import type { LogChunk, PipelineRunDetail, PipelineRunSummary, StepRun, StepRunLog } from "./pipeline-run.ts";
import type { NewPipelineRun, PipelineDetail, PipelineSummary } from "./pipeline.ts";
import type { PredictionDetail, PredictionSummary } from "./prediction.ts";
import type { Environment, Release, Rollback } from "./release.ts";
import type * as requests from "./requests.ts";
import type { Route, RouteSchemas } from "./route.ts";
import type { Session } from "./session.ts";

/** What each call of the HTTP API takes and answers, by the name of what it does. */
export interface ApiShapes {
  readonly getSession: { response: Session };
  readonly getOverview: { response: Overview };
  readonly streamChanges: { query: requests.ChangesQuery; response: Change };
  readonly listPipelines: { query: requests.PageQuery; response: Page<PipelineSummary> };
  readonly getPipeline: { params: requests.NameParams; response: PipelineDetail };
  readonly createPipelineRun: {
    params: requests.NameParams;
    body: NewPipelineRun;
    response: requests.Acknowledged;
  };
  readonly listPipelineRuns: { query: requests.PipelineRunsQuery; response: Page<PipelineRunSummary> };
  readonly getPipelineRun: { params: requests.IdParams; response: PipelineRunDetail };
  readonly listStepRuns: {
    params: requests.IdParams;
    query: requests.StepRunsQuery;
    response: Page<StepRun>;
  };
  readonly cancelPipelineRun: { params: requests.IdParams; response: requests.Acknowledged };
  readonly resumePipelineRun: { params: requests.IdParams; response: requests.Acknowledged };
  readonly getStepRunLog: { params: requests.IdParams; query: requests.LogQuery; response: StepRunLog };
  readonly streamStepRunLog: { params: requests.IdParams; query: requests.LogQuery; response: LogChunk };
  readonly listDatasets: { query: requests.PageQuery; response: Page<DatasetSummary> };
  readonly getDataset: { params: requests.NameParams; query: requests.VersionQuery; response: DatasetDetail };
  readonly getDatasetRows: { params: requests.NameParams; query: requests.RowsQuery; response: DatasetRows };
  readonly listQuarantinedRows: {
    params: requests.NameParams;
    query: requests.QuarantineQuery;
    response: Page<QuarantinedRow>;
  };
  readonly captureAgain: { params: requests.NameParams; body: NewCapture; response: requests.Acknowledged };
  readonly restoreDataset: {
    params: requests.NameParams;
    body: DatasetRestoration;
    response: RestoredDataset;
  };
  readonly dropDataset: { params: requests.NameParams; response: DroppedDataset };
  readonly replayQuarantine: { params: requests.NameParams; response: ReplayedQuarantine };
  readonly discardQuarantine: {
    params: requests.NameParams;
    body: QuarantineDiscard;
    response: DiscardedQuarantine;
  };
  readonly listFeatureViews: { response: Page<FeatureViewSummary> };
  readonly listModels: { query: requests.PageQuery; response: Page<ModelSummary> };
  readonly getModel: { params: requests.NameParams; response: ModelDetail };
  readonly listModelVersions: {
    params: requests.NameParams;
    query: requests.PageQuery;
    response: Page<ModelVersionSummary>;
  };
  readonly getModelVersion: { params: requests.VersionParams; response: ModelVersionRecord };
  readonly listAssetVersions: {
    params: requests.NameParams;
    query: requests.PageQuery;
    response: Page<AssetVersionSummary>;
  };
  readonly getLineage: { params: requests.IdParams; query: requests.LineageQuery; response: LineageGraph };
  readonly getNotebookVersion: {
    params: requests.IdParams;
    query: requests.NotebookQuery;
    response: NotebookVersion;
  };
  readonly listEndpoints: { query: requests.PageQuery; response: Page<EndpointSummary> };
  readonly getEndpoint: { params: requests.EndpointParams; response: EndpointDetail };
  readonly listPredictions: {
    params: requests.EndpointParams;
    query: requests.PredictionsQuery;
    response: Page<PredictionSummary>;
  };
  readonly getPrediction: { params: requests.IdParams; response: PredictionDetail };
  readonly listMonitors: { query: requests.PageQuery; response: Page<Monitor> };
  readonly listAlerts: { query: requests.AlertsQuery; response: Page<Alert> };
  readonly acknowledgePipelineRun: { params: requests.IdParams; response: requests.Acknowledged };
  readonly acknowledgeAlert: { params: requests.IdParams; response: requests.Acknowledged };
  readonly listEnvironments: { response: Page<Environment> };
  readonly listReleases: { query: requests.ReleasesQuery; response: Page<Release> };
  readonly rollBack: { body: Rollback; response: requests.Acknowledged };
  readonly listApprovals: { response: Approvals };
  readonly createApproval: { body: NewApproval; response: Approval };
  readonly listDashboards: { query: requests.PageQuery; response: Page<DashboardSummary> };
  readonly getDashboard: { params: requests.NameParams; response: DashboardDetail };
}

/** Every route of the HTTP API, by the name of what it does. All are below `/api/v1/`. */
export type ApiRoutes = { readonly [Name in keyof ApiShapes]: Route<ApiShapes[Name]> };

/** One shape of a call; undefined for what it does not take. */
export type ApiPart<Name extends keyof ApiShapes, Part extends string> = Part extends keyof ApiShapes[Name]
  ? ApiShapes[Name][Part]
  : undefined;

/** Calls of the API take a few fields. */
const LARGEST_BYTES = 2 ** 20;

type Facts = Pick<Route, "action" | "resource" | "stream">;

/** A call that changes nothing. */
function get<Name extends keyof ApiShapes>(
  name: Name,
  path: string,
  summary: string,
  facts: Facts,
): Route<ApiShapes[Name]> {
  return { surface: "api", method: "GET", path, summary, errors: "esteira", schemas: () => schemasOf(name), ...facts };
}

/** A call that changes something. */
function post<Name extends keyof ApiShapes>(
  name: Name,
  path: string,
  summary: string,
  facts: Facts,
): Route<ApiShapes[Name]> {
  const body = { largestBytes: LARGEST_BYTES, type: "application/json" };
  return { ...get(name, path, summary, facts), method: "POST", body };
}

async function schemasOf<Name extends keyof ApiShapes>(name: Name): Promise<RouteSchemas<ApiShapes[Name]>> {
  return (await import("./api-schemas.ts")).apiSchemas[name];
}

/** The HTTP API as data; see {@link ApiRoutes}. */
export const apiRoutes: ApiRoutes = {
  getSession: get("getSession", "session", "Who is calling, and what they may do", {
    action: "read",
    resource: "project",
  }),
  getOverview: get("getOverview", "overview", "The whole cycle at this moment", {
    action: "read",
    resource: "project",
  }),
  streamChanges: get("streamChanges", "events", "What changes, as it changes", {
    action: "read",
    resource: "project",
    stream: { event: "change" },
  }),
  listPipelines: get("listPipelines", "pipelines", "Pipelines by name", { action: "read", resource: "pipeline" }),
  getPipeline: get("getPipeline", "pipelines/:name", "A pipeline with its graph", {
    action: "read",
    resource: "pipeline",
  }),
  createPipelineRun: post("createPipelineRun", "pipelines/:name/runs", "Start a pipeline run", {
    action: "run",
    resource: "pipeline",
  }),
  listPipelineRuns: get("listPipelineRuns", "pipeline-runs", "Pipeline runs, newest first", {
    action: "read",
    resource: "pipeline-run",
  }),
  getPipelineRun: get("getPipelineRun", "pipeline-runs/:id", "A pipeline run with its step runs", {
    action: "read",
    resource: "pipeline-run",
  }),
  listStepRuns: get(
    "listStepRuns",
    "pipeline-runs/:id/step-runs",
    "Step runs of a pipeline run, in the order of the graph",
    { action: "read", resource: "pipeline-run" },
  ),
  cancelPipelineRun: post("cancelPipelineRun", "pipeline-runs/:id/cancel", "Cancel a pipeline run", {
    action: "cancel",
    resource: "pipeline-run",
  }),
  resumePipelineRun: post(
    "resumePipelineRun",
    "pipeline-runs/:id/resume",
    "Run again what failed, was cancelled or interrupted, and what follows; keep the rest",
    { action: "run", resource: "pipeline-run" },
  ),
  acknowledgePipelineRun: post(
    "acknowledgePipelineRun",
    "pipeline-runs/:id/acknowledge",
    "Say that a person has seen how a pipeline run failed",
    { action: "acknowledge", resource: "pipeline-run" },
  ),
  getStepRunLog: get("getStepRunLog", "step-runs/:id/log", "The log of a step run from a sequence on", {
    action: "read",
    resource: "pipeline-run",
  }),
  streamStepRunLog: get("streamStepRunLog", "step-runs/:id/log/stream", "The log of a step run, followed", {
    action: "read",
    resource: "pipeline-run",
    stream: { event: "log", end: "end" },
  }),
  listDatasets: get("listDatasets", "datasets", "Datasets and feature tables by name", {
    action: "read",
    resource: "dataset",
  }),
  getDataset: get("getDataset", "datasets/:name", "A dataset: versions, columns, profile, quarantine", {
    action: "read",
    resource: "dataset",
  }),
  getDatasetRows: get("getDatasetRows", "datasets/:name/rows", "Rows of one version", {
    action: "read",
    resource: "dataset",
  }),
  listQuarantinedRows: get(
    "listQuarantinedRows",
    "datasets/:name/quarantine",
    "Rows kept out by the contract, newest first",
    { action: "read", resource: "dataset" },
  ),
  captureAgain: post(
    "captureAgain",
    "datasets/:name/capture",
    "Capture files again that are captured already, or all; answers with the pipeline run",
    { action: "run", resource: "dataset" },
  ),
  restoreDataset: post(
    "restoreDataset",
    "datasets/:name/restore",
    "Make a new version with the content of an earlier one",
    { action: "restore", resource: "dataset" },
  ),
  dropDataset: post(
    "dropDataset",
    "datasets/:name/drop",
    "Drop a dataset that nothing needs; its versions stay for lineage",
    { action: "drop", resource: "dataset" },
  ),
  replayQuarantine: post(
    "replayQuarantine",
    "datasets/:name/quarantine/replay",
    "Check quarantined rows again and publish those that hold now",
    { action: "quarantine", resource: "dataset" },
  ),
  discardQuarantine: post(
    "discardQuarantine",
    "datasets/:name/quarantine/discard",
    "Give quarantined rows up, with a reason",
    { action: "quarantine", resource: "dataset" },
  ),
  listFeatureViews: get("listFeatureViews", "feature-views", "Feature views, and how far they are online", {
    action: "read",
    resource: "feature-view",
  }),
  listModels: get("listModels", "models", "Models by name", { action: "read", resource: "model" }),
  getModel: get("getModel", "models/:name", "A model with its versions", { action: "read", resource: "model" }),
  listModelVersions: get("listModelVersions", "models/:name/versions", "Versions of a model, newest first", {
    action: "read",
    resource: "model",
  }),
  getModelVersion: get("getModelVersion", "models/:name/versions/:version", "The full record of a model version", {
    action: "read",
    resource: "model",
  }),
  listAssetVersions: get("listAssetVersions", "assets/:name/versions", "Versions of an asset, newest first", {
    action: "read",
    resource: "project",
  }),
  getLineage: get("getLineage", "lineage/:id", "What a version was made from, or what was made of it", {
    action: "read",
    resource: "project",
  }),
  getNotebookVersion: get(
    "getNotebookVersion",
    "notebooks/:id",
    "A notebook version: cells, changes, outputs of one execution",
    { action: "read", resource: "notebook" },
  ),
  listEndpoints: get("listEndpoints", "endpoints", "Endpoints", { action: "read", resource: "endpoint" }),
  getEndpoint: get("getEndpoint", "endpoints/:environment/:name", "An endpoint with its windows and alerts", {
    action: "read",
    resource: "endpoint",
  }),
  listPredictions: get(
    "listPredictions",
    "endpoints/:environment/:name/predictions",
    "Predictions of an endpoint, newest first",
    { action: "read", resource: "prediction" },
  ),
  getPrediction: get("getPrediction", "predictions/:id", "A prediction and everything it was made from", {
    action: "read",
    resource: "prediction",
  }),
  listMonitors: get("listMonitors", "monitors", "Monitors", { action: "read", resource: "monitor" }),
  listAlerts: get("listAlerts", "alerts", "Alerts, newest first", { action: "read", resource: "alert" }),
  acknowledgeAlert: post("acknowledgeAlert", "alerts/:id/acknowledge", "Say that a person has seen an alert", {
    action: "acknowledge",
    resource: "alert",
  }),
  listEnvironments: get("listEnvironments", "environments", "Environments and what is live in them", {
    action: "read",
    resource: "release",
  }),
  listReleases: get("listReleases", "releases", "Releases, newest first", { action: "read", resource: "release" }),
  rollBack: post("rollBack", "releases/rollback", "Deploy an earlier release", {
    action: "rollback",
    resource: "release",
  }),
  listApprovals: get("listApprovals", "approvals", "Approvals asked for and given", {
    action: "read",
    resource: "approval",
  }),
  createApproval: post("createApproval", "approvals", "Approve or refuse a digest", {
    action: "approve",
    resource: "approval",
  }),
  listDashboards: get("listDashboards", "dashboards", "Dashboards by name", { action: "read", resource: "dashboard" }),
  getDashboard: get("getDashboard", "dashboards/:name", "A dashboard with the data of its tiles", {
    action: "read",
    resource: "dashboard",
  }),
};
