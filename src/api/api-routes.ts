import type { Action } from "./action.ts";
import type { Alert, AlertDetail, Monitor, RouteTests } from "./alert.ts";
import type { Approval, ApprovalRevocation, Approvals, NewApproval } from "./approval.ts";
import type { NewSigningKey, SigningKey, SigningKeys } from "./signing-key.ts";
import type { RecipeDifference } from "./recipe.ts";
import type { TestHistory } from "./test-history.ts";
import type { EnvironmentRules } from "./rules.ts";
import type { AssetVersionSummary } from "./asset.ts";
import type { Change } from "./change.ts";
import type { QueryAnswer } from "./query.ts";
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
  RestatedDataset,
  Restatement,
  RestoredDataset,
} from "./dataset.ts";
import type { EndpointDetail, EndpointSummary, TrialEnd } from "./endpoint.ts";
import type { FeatureViewSummary } from "./feature-view.ts";
import type { LineageGraph } from "./lineage.ts";
import type { ModelDetail, ModelSummary, ModelVersionRecord, ModelVersionSummary } from "./model.ts";
import type { NotebookVersion } from "./notebook.ts";
import type { Overview } from "./overview.ts";
import type { Page } from "./page.ts";
import type {
  BackfillPartition,
  BackfillPreview,
  BackfillRetry,
  BackfillSummary,
  NewBackfill,
  PartitionState,
} from "./backfill.ts";
import type { Pools, WorkQueue } from "./queue.ts";
import type {
  NewPause,
  NewPipelineRun,
  PipelineDetail,
  PipelineSchedules,
  PipelineSummary,
  RetrainingPolicies,
} from "./pipeline.ts";
import type {
  LogChunk,
  PipelineRunDetail,
  PipelineRunSummary,
  RunResume,
  StepRun,
  StepRunLog,
} from "./pipeline-run.ts";
import type { PredictionDetail, PredictionSummary } from "./prediction.ts";
import type {
  Environment,
  EnvironmentRollbackPlan,
  EnvironmentRollbackRequest,
  Release,
  ReleaseComparison,
  Rollback,
  Previews,
} from "./release.ts";
import type * as requests from "./requests.ts";
import type { ResourceKind } from "./resource.ts";
import type { Route } from "./route.ts";
import type { Session } from "./session.ts";
import type { StateGrid } from "./state-grid.ts";
import type { WindowReport } from "./window-report.ts";

/** What each call of the HTTP API takes and answers, by the name of what it does. */
export interface ApiShapes {
  readonly getSession: { response: Session };
  readonly getOverview: { response: Overview };
  readonly streamChanges: { query: requests.ChangesQuery; response: Change };
  readonly listPipelines: { query: requests.PageQuery; response: Page<PipelineSummary> };
  readonly getPipeline: { params: requests.NameParams; response: PipelineDetail };
  readonly getTestHistory: {
    params: requests.NameParams;
    query: requests.TestHistoryQuery;
    response: TestHistory;
  };
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
  readonly getPipelineRunGrid: { params: requests.IdParams; response: StateGrid };
  readonly cancelPipelineRun: { params: requests.IdParams; response: requests.Acknowledged };
  readonly resumePipelineRun: { params: requests.IdParams; body: RunResume; response: requests.Acknowledged };
  readonly getStepRunLog: { params: requests.IdParams; query: requests.LogQuery; response: StepRunLog };
  readonly streamStepRunLog: { params: requests.IdParams; query: requests.LogQuery; response: LogChunk };
  readonly listSchedules: { response: PipelineSchedules };
  readonly listRetrainings: { response: RetrainingPolicies };
  readonly pausePipeline: { params: requests.NameParams; body: NewPause; response: requests.Acknowledged };
  readonly unpausePipeline: { params: requests.NameParams; response: requests.Acknowledged };
  readonly listPools: { response: Pools };
  readonly listQueue: { response: WorkQueue };
  readonly listPartitions: { params: requests.NameParams; query: requests.PageQuery; response: Page<PartitionState> };
  readonly getPartitionGrid: { params: requests.NameParams; response: StateGrid };
  readonly previewBackfill: { params: requests.NameParams; body: NewBackfill; response: BackfillPreview };
  readonly createBackfill: { params: requests.NameParams; body: NewBackfill; response: requests.Acknowledged };
  readonly listBackfills: { query: requests.PageQuery; response: Page<BackfillSummary> };
  readonly getBackfill: { params: requests.IdParams; response: BackfillSummary };
  readonly listBackfillPartitions: {
    params: requests.IdParams;
    query: requests.PageQuery;
    response: Page<BackfillPartition>;
  };
  readonly pauseBackfill: { params: requests.IdParams; response: requests.Acknowledged };
  readonly resumeBackfill: { params: requests.IdParams; response: requests.Acknowledged };
  readonly cancelBackfill: { params: requests.IdParams; response: requests.Acknowledged };
  readonly retryBackfill: { params: requests.IdParams; body: BackfillRetry; response: requests.Acknowledged };
  readonly listDatasets: { query: requests.PageQuery; response: Page<DatasetSummary> };
  readonly getDataset: { params: requests.NameParams; query: requests.VersionQuery; response: DatasetDetail };
  readonly getDatasetRows: { params: requests.NameParams; query: requests.RowsQuery; response: DatasetRows };
  readonly listQuarantinedRows: {
    params: requests.NameParams;
    query: requests.QuarantineQuery;
    response: Page<QuarantinedRow>;
  };
  readonly captureAgain: { params: requests.NameParams; body: NewCapture; response: requests.Acknowledged };
  readonly restateDataset: { params: requests.NameParams; body: Restatement; response: RestatedDataset };
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
  readonly getEndpointWindow: {
    params: requests.EndpointParams;
    query: requests.WindowQuery;
    response: WindowReport;
  };
  readonly promoteTrial: { params: requests.EndpointParams; body: TrialEnd; response: requests.Acknowledged };
  readonly abortTrial: { params: requests.EndpointParams; body: TrialEnd; response: requests.Acknowledged };
  readonly listPredictions: {
    params: requests.EndpointParams;
    query: requests.PredictionsQuery;
    response: Page<PredictionSummary>;
  };
  readonly getPrediction: { params: requests.IdParams; response: PredictionDetail };
  readonly listMonitors: { query: requests.PageQuery; response: Page<Monitor> };
  readonly listAlerts: { query: requests.AlertsQuery; response: Page<Alert> };
  readonly acknowledgePipelineRun: { params: requests.IdParams; response: requests.Acknowledged };
  readonly getAlert: { params: requests.IdParams; response: AlertDetail };
  readonly testAlertRoute: { params: requests.NameParams; response: RouteTests };
  readonly acknowledgeAlert: { params: requests.IdParams; response: requests.Acknowledged };
  readonly listEnvironments: { response: Page<Environment> };
  readonly getEnvironmentRules: { params: requests.NameParams; response: EnvironmentRules };
  readonly listReleases: { query: requests.ReleasesQuery; response: Page<Release> };
  readonly rollBack: { body: Rollback; response: requests.Acknowledged };
  readonly compareReleases: { query: requests.ComparisonQuery; response: ReleaseComparison };
  readonly planEnvironmentRollback: {
    params: requests.NameParams;
    query: requests.StateQuery;
    response: EnvironmentRollbackPlan;
  };
  readonly rollBackEnvironment: {
    params: requests.NameParams;
    body: EnvironmentRollbackRequest;
    response: EnvironmentRollbackPlan;
  };
  readonly listPreviews: { response: Previews };
  readonly removePreview: { params: requests.NameParams; response: requests.Acknowledged };
  readonly listApprovals: { response: Approvals };
  readonly createApproval: { body: NewApproval; response: Approval };
  readonly revokeApproval: {
    params: requests.IdParams;
    body: ApprovalRevocation;
    response: requests.Acknowledged;
  };
  readonly listKeys: { response: SigningKeys };
  readonly registerKey: { body: NewSigningKey; response: SigningKey };
  readonly revokeKey: { params: requests.IdParams; response: requests.Acknowledged };
  readonly getRecipe: { params: requests.NameParams; query: requests.RecipeQuery; response: RecipeDifference };
  readonly queryDatasets: { body: requests.NewQuery; response: QueryAnswer };
  readonly listDashboards: { query: requests.PageQuery; response: Page<DashboardSummary> };
  readonly getDashboard: { params: requests.NameParams; response: DashboardDetail };
}

/** One shape of a call; undefined for what it does not take. */
export type ApiPart<Name extends keyof ApiShapes, Part extends string> = Part extends keyof ApiShapes[Name]
  ? ApiShapes[Name][Part]
  : undefined;

/** Calls of the API take a few fields. */
const LARGEST_BYTES = 2 ** 20;

/** A call that changes nothing. */
function read(name: keyof ApiShapes, path: string, resource: ResourceKind, stream?: Route["stream"]): Route {
  const facts = { surface: "api", action: "read", errors: "esteira" } as const;
  const schemas: Route["schemas"] = async () => (await import("./api-schemas.ts")).apiSchemas[name];
  return { ...facts, method: "GET", path, resource, schemas, ...(stream === undefined ? {} : { stream }) };
}

/** A call that changes something. */
function change(name: keyof ApiShapes, path: string, action: Action, resource: ResourceKind): Route {
  const body = { largestBytes: LARGEST_BYTES, type: "application/json" };
  return { ...read(name, path, resource), method: "POST", action, body };
}

/** Every route of the HTTP API, by the name of what it does. All are below `/api/v1/`. */
export const apiRoutes: Readonly<Record<keyof ApiShapes, Route>> = {
  getSession: read("getSession", "session", "project"),
  getOverview: read("getOverview", "overview", "project"),
  streamChanges: read("streamChanges", "events", "project", { event: "change" }),
  listPipelines: read("listPipelines", "pipelines", "pipeline"),
  getPipeline: read("getPipeline", "pipelines/:name", "pipeline"),
  getTestHistory: read("getTestHistory", "pipelines/:name/tests", "pipeline"),
  createPipelineRun: change("createPipelineRun", "pipelines/:name/runs", "run", "pipeline"),
  listSchedules: read("listSchedules", "schedules", "pipeline"),
  listRetrainings: read("listRetrainings", "retrainings", "pipeline"),
  pausePipeline: change("pausePipeline", "pipelines/:name/pause", "run", "pipeline"),
  unpausePipeline: change("unpausePipeline", "pipelines/:name/unpause", "run", "pipeline"),
  listPools: read("listPools", "pools", "pipeline-run"),
  listQueue: read("listQueue", "queue", "pipeline-run"),
  listPartitions: read("listPartitions", "pipelines/:name/partitions", "pipeline"),
  getPartitionGrid: read("getPartitionGrid", "pipelines/:name/partitions/grid", "pipeline"),
  previewBackfill: change("previewBackfill", "pipelines/:name/backfills/preview", "run", "pipeline"),
  createBackfill: change("createBackfill", "pipelines/:name/backfills", "run", "pipeline"),
  listBackfills: read("listBackfills", "backfills", "pipeline-run"),
  getBackfill: read("getBackfill", "backfills/:id", "pipeline-run"),
  listBackfillPartitions: read("listBackfillPartitions", "backfills/:id/partitions", "pipeline-run"),
  pauseBackfill: change("pauseBackfill", "backfills/:id/pause", "run", "pipeline-run"),
  resumeBackfill: change("resumeBackfill", "backfills/:id/resume", "run", "pipeline-run"),
  cancelBackfill: change("cancelBackfill", "backfills/:id/cancel", "cancel", "pipeline-run"),
  retryBackfill: change("retryBackfill", "backfills/:id/retry", "run", "pipeline-run"),
  listPipelineRuns: read("listPipelineRuns", "pipeline-runs", "pipeline-run"),
  getPipelineRun: read("getPipelineRun", "pipeline-runs/:id", "pipeline-run"),
  listStepRuns: read("listStepRuns", "pipeline-runs/:id/step-runs", "pipeline-run"),
  getPipelineRunGrid: read("getPipelineRunGrid", "pipeline-runs/:id/grid", "pipeline-run"),
  cancelPipelineRun: change("cancelPipelineRun", "pipeline-runs/:id/cancel", "cancel", "pipeline-run"),
  resumePipelineRun: change("resumePipelineRun", "pipeline-runs/:id/resume", "run", "pipeline-run"),
  acknowledgePipelineRun: change(
    "acknowledgePipelineRun",
    "pipeline-runs/:id/acknowledge",
    "acknowledge",
    "pipeline-run",
  ),
  getStepRunLog: read("getStepRunLog", "step-runs/:id/log", "pipeline-run"),
  streamStepRunLog: read("streamStepRunLog", "step-runs/:id/log/stream", "pipeline-run", { event: "log", end: "end" }),
  listDatasets: read("listDatasets", "datasets", "dataset"),
  getDataset: read("getDataset", "datasets/:name", "dataset"),
  getDatasetRows: read("getDatasetRows", "datasets/:name/rows", "dataset"),
  listQuarantinedRows: read("listQuarantinedRows", "datasets/:name/quarantine", "dataset"),
  captureAgain: change("captureAgain", "datasets/:name/capture", "run", "dataset"),
  restateDataset: change("restateDataset", "datasets/:name/restate", "run", "dataset"),
  restoreDataset: change("restoreDataset", "datasets/:name/restore", "restore", "dataset"),
  dropDataset: change("dropDataset", "datasets/:name/drop", "drop", "dataset"),
  replayQuarantine: change("replayQuarantine", "datasets/:name/quarantine/replay", "quarantine", "dataset"),
  discardQuarantine: change("discardQuarantine", "datasets/:name/quarantine/discard", "quarantine", "dataset"),
  listFeatureViews: read("listFeatureViews", "feature-views", "feature-view"),
  listModels: read("listModels", "models", "model"),
  getModel: read("getModel", "models/:name", "model"),
  listModelVersions: read("listModelVersions", "models/:name/versions", "model"),
  getModelVersion: read("getModelVersion", "models/:name/versions/:version", "model"),
  listAssetVersions: read("listAssetVersions", "assets/:name/versions", "project"),
  getLineage: read("getLineage", "lineage/:id", "project"),
  getNotebookVersion: read("getNotebookVersion", "notebooks/:id", "notebook"),
  listEndpoints: read("listEndpoints", "endpoints", "endpoint"),
  getEndpoint: read("getEndpoint", "endpoints/:environment/:name", "endpoint"),
  getEndpointWindow: read("getEndpointWindow", "endpoints/:environment/:name/window", "endpoint"),
  promoteTrial: change("promoteTrial", "endpoints/:environment/:name/rollout/promote", "deploy", "endpoint"),
  abortTrial: change("abortTrial", "endpoints/:environment/:name/rollout/abort", "rollback", "endpoint"),
  listPredictions: read("listPredictions", "endpoints/:environment/:name/predictions", "prediction"),
  getPrediction: read("getPrediction", "predictions/:id", "prediction"),
  listMonitors: read("listMonitors", "monitors", "monitor"),
  listAlerts: read("listAlerts", "alerts", "alert"),
  getAlert: read("getAlert", "alerts/:id", "alert"),
  testAlertRoute: change("testAlertRoute", "alert-routes/:name/test", "acknowledge", "alert"),
  acknowledgeAlert: change("acknowledgeAlert", "alerts/:id/acknowledge", "acknowledge", "alert"),
  listEnvironments: read("listEnvironments", "environments", "release"),
  getEnvironmentRules: read("getEnvironmentRules", "environments/:name/rules", "release"),
  listReleases: read("listReleases", "releases", "release"),
  rollBack: change("rollBack", "releases/rollback", "rollback", "release"),
  compareReleases: read("compareReleases", "releases/compare", "release"),
  planEnvironmentRollback: read("planEnvironmentRollback", "environments/:name/rollback", "release"),
  rollBackEnvironment: change("rollBackEnvironment", "environments/:name/rollback", "rollback", "release"),
  listPreviews: read("listPreviews", "previews", "release"),
  removePreview: change("removePreview", "previews/:name/remove", "rollback", "release"),
  listApprovals: read("listApprovals", "approvals", "approval"),
  createApproval: change("createApproval", "approvals", "approve", "approval"),
  revokeApproval: change("revokeApproval", "approvals/:id/revoke", "approve", "approval"),
  listKeys: read("listKeys", "keys", "approval"),
  registerKey: change("registerKey", "keys", "approve", "approval"),
  revokeKey: change("revokeKey", "keys/:id/revoke", "approve", "approval"),
  getRecipe: read("getRecipe", "recipes/:name", "approval"),
  queryDatasets: change("queryDatasets", "query", "read", "dataset"),
  listDashboards: read("listDashboards", "dashboards", "dashboard"),
  getDashboard: read("getDashboard", "dashboards/:name", "dashboard"),
};
