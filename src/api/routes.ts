import { z } from "zod";
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
import * as requests from "./requests.ts";
import type { ApiRoute } from "./route.ts";
import * as schemas from "./schemas.ts";
import type { Session } from "./session.ts";

/** Every route of the HTTP API, by the name of what it does. All paths are below `/api/v1`. */
export interface ApiRoutes {
  readonly getSession: ApiRoute<{ response: Session }>;
  readonly getOverview: ApiRoute<{ response: Overview }>;
  readonly streamChanges: ApiRoute<{ query: requests.ChangesQuery; response: Change }>;
  readonly listPipelines: ApiRoute<{ query: requests.PageQuery; response: Page<PipelineSummary> }>;
  readonly getPipeline: ApiRoute<{ params: requests.NameParams; response: PipelineDetail }>;
  readonly createPipelineRun: ApiRoute<{
    params: requests.NameParams;
    body: NewPipelineRun;
    response: requests.Acknowledged;
  }>;
  readonly listPipelineRuns: ApiRoute<{ query: requests.PipelineRunsQuery; response: Page<PipelineRunSummary> }>;
  readonly getPipelineRun: ApiRoute<{ params: requests.IdParams; response: PipelineRunDetail }>;
  readonly listStepRuns: ApiRoute<{
    params: requests.IdParams;
    query: requests.StepRunsQuery;
    response: Page<StepRun>;
  }>;
  readonly cancelPipelineRun: ApiRoute<{ params: requests.IdParams; response: requests.Acknowledged }>;
  readonly resumePipelineRun: ApiRoute<{ params: requests.IdParams; response: requests.Acknowledged }>;
  readonly getStepRunLog: ApiRoute<{ params: requests.IdParams; query: requests.LogQuery; response: StepRunLog }>;
  readonly streamStepRunLog: ApiRoute<{ params: requests.IdParams; query: requests.LogQuery; response: LogChunk }>;
  readonly listDatasets: ApiRoute<{ query: requests.PageQuery; response: Page<DatasetSummary> }>;
  readonly getDataset: ApiRoute<{ params: requests.NameParams; query: requests.VersionQuery; response: DatasetDetail }>;
  readonly getDatasetRows: ApiRoute<{ params: requests.NameParams; query: requests.RowsQuery; response: DatasetRows }>;
  readonly listQuarantinedRows: ApiRoute<{
    params: requests.NameParams;
    query: requests.QuarantineQuery;
    response: Page<QuarantinedRow>;
  }>;
  readonly captureAgain: ApiRoute<{ params: requests.NameParams; body: NewCapture; response: requests.Acknowledged }>;
  readonly restoreDataset: ApiRoute<{
    params: requests.NameParams;
    body: DatasetRestoration;
    response: RestoredDataset;
  }>;
  readonly dropDataset: ApiRoute<{ params: requests.NameParams; response: DroppedDataset }>;
  readonly replayQuarantine: ApiRoute<{ params: requests.NameParams; response: ReplayedQuarantine }>;
  readonly discardQuarantine: ApiRoute<{
    params: requests.NameParams;
    body: QuarantineDiscard;
    response: DiscardedQuarantine;
  }>;
  readonly listFeatureViews: ApiRoute<{ response: Page<FeatureViewSummary> }>;
  readonly listModels: ApiRoute<{ query: requests.PageQuery; response: Page<ModelSummary> }>;
  readonly getModel: ApiRoute<{ params: requests.NameParams; response: ModelDetail }>;
  readonly listModelVersions: ApiRoute<{
    params: requests.NameParams;
    query: requests.PageQuery;
    response: Page<ModelVersionSummary>;
  }>;
  readonly getModelVersion: ApiRoute<{ params: requests.VersionParams; response: ModelVersionRecord }>;
  readonly listAssetVersions: ApiRoute<{
    params: requests.NameParams;
    query: requests.PageQuery;
    response: Page<AssetVersionSummary>;
  }>;
  readonly getLineage: ApiRoute<{ params: requests.IdParams; query: requests.LineageQuery; response: LineageGraph }>;
  readonly getNotebookVersion: ApiRoute<{
    params: requests.IdParams;
    query: requests.NotebookQuery;
    response: NotebookVersion;
  }>;
  readonly listEndpoints: ApiRoute<{ query: requests.PageQuery; response: Page<EndpointSummary> }>;
  readonly getEndpoint: ApiRoute<{ params: requests.EndpointParams; response: EndpointDetail }>;
  readonly listPredictions: ApiRoute<{
    params: requests.EndpointParams;
    query: requests.PredictionsQuery;
    response: Page<PredictionSummary>;
  }>;
  readonly getPrediction: ApiRoute<{ params: requests.IdParams; response: PredictionDetail }>;
  readonly listMonitors: ApiRoute<{ query: requests.PageQuery; response: Page<Monitor> }>;
  readonly listAlerts: ApiRoute<{ query: requests.AlertsQuery; response: Page<Alert> }>;
  readonly acknowledgePipelineRun: ApiRoute<{ params: requests.IdParams; response: requests.Acknowledged }>;
  readonly acknowledgeAlert: ApiRoute<{ params: requests.IdParams; response: requests.Acknowledged }>;
  readonly listEnvironments: ApiRoute<{ response: Page<Environment> }>;
  readonly listReleases: ApiRoute<{ query: requests.ReleasesQuery; response: Page<Release> }>;
  readonly rollBack: ApiRoute<{ body: Rollback; response: requests.Acknowledged }>;
  readonly listApprovals: ApiRoute<{ response: Approvals }>;
  readonly createApproval: ApiRoute<{ body: NewApproval; response: Approval }>;
  readonly listDashboards: ApiRoute<{ query: requests.PageQuery; response: Page<DashboardSummary> }>;
  readonly getDashboard: ApiRoute<{ params: requests.NameParams; response: DashboardDetail }>;
}

function pageOf<Item>(item: z.ZodType<Item>): z.ZodType<Page<Item>> {
  return z.object({ items: z.array(item), next: z.string().optional() });
}

const { idParams, nameParams, pageQuery, acknowledged } = requests;

/** The HTTP API as data; see {@link ApiRoutes}. */
export const routes: ApiRoutes = {
  getSession: {
    method: "GET",
    path: "/session",
    summary: "Who is calling, and what they may do",
    response: schemas.sessionSchema,
  },
  getOverview: {
    method: "GET",
    path: "/overview",
    summary: "The whole cycle at this moment",
    response: schemas.overviewSchema,
  },
  streamChanges: {
    method: "GET",
    path: "/events",
    summary: "What changes, as it changes",
    query: requests.changesQuery,
    response: schemas.changeSchema,
    stream: { event: "change" },
  },
  listPipelines: {
    method: "GET",
    path: "/pipelines",
    summary: "Pipelines by name",
    query: pageQuery,
    response: pageOf(schemas.pipelineSummarySchema),
  },
  getPipeline: {
    method: "GET",
    path: "/pipelines/:name",
    summary: "A pipeline with its graph",
    params: nameParams,
    response: schemas.pipelineDetailSchema,
  },
  createPipelineRun: {
    method: "POST",
    path: "/pipelines/:name/runs",
    summary: "Start a pipeline run",
    capability: "pipeline.run",
    params: nameParams,
    body: schemas.newPipelineRunSchema,
    response: acknowledged,
  },
  listPipelineRuns: {
    method: "GET",
    path: "/pipeline-runs",
    summary: "Pipeline runs, newest first",
    query: requests.pipelineRunsQuery,
    response: pageOf(schemas.pipelineRunSummarySchema),
  },
  getPipelineRun: {
    method: "GET",
    path: "/pipeline-runs/:id",
    summary: "A pipeline run with its step runs",
    params: idParams,
    response: schemas.pipelineRunDetailSchema,
  },
  listStepRuns: {
    method: "GET",
    path: "/pipeline-runs/:id/step-runs",
    summary: "Step runs of a pipeline run, in the order of the graph",
    params: idParams,
    query: requests.stepRunsQuery,
    response: pageOf(schemas.stepRunSchema),
  },
  cancelPipelineRun: {
    method: "POST",
    path: "/pipeline-runs/:id/cancel",
    summary: "Cancel a pipeline run",
    capability: "pipeline.cancel",
    params: idParams,
    response: acknowledged,
  },
  resumePipelineRun: {
    method: "POST",
    path: "/pipeline-runs/:id/resume",
    summary: "Run again what failed, was cancelled or interrupted, and what follows; keep the rest",
    capability: "pipeline.run",
    params: idParams,
    response: acknowledged,
  },
  acknowledgePipelineRun: {
    method: "POST",
    path: "/pipeline-runs/:id/acknowledge",
    summary: "Say that a person has seen how a pipeline run failed",
    capability: "alert.acknowledge",
    params: idParams,
    response: acknowledged,
  },
  getStepRunLog: {
    method: "GET",
    path: "/step-runs/:id/log",
    summary: "The log of a step run from a sequence on",
    params: idParams,
    query: requests.logQuery,
    response: schemas.stepRunLogSchema,
  },
  streamStepRunLog: {
    method: "GET",
    path: "/step-runs/:id/log/stream",
    summary: "The log of a step run, followed",
    params: idParams,
    query: requests.logQuery,
    response: schemas.logChunkSchema,
    stream: { event: "log", end: "end" },
  },
  listDatasets: {
    method: "GET",
    path: "/datasets",
    summary: "Datasets and feature tables by name",
    query: pageQuery,
    response: pageOf(schemas.datasetSummarySchema),
  },
  getDataset: {
    method: "GET",
    path: "/datasets/:name",
    summary: "A dataset: versions, columns, profile, quarantine",
    params: nameParams,
    query: requests.versionQuery,
    response: schemas.datasetDetailSchema,
  },
  getDatasetRows: {
    method: "GET",
    path: "/datasets/:name/rows",
    summary: "Rows of one version",
    params: nameParams,
    query: requests.rowsQuery,
    response: schemas.datasetRowsSchema,
  },
  listQuarantinedRows: {
    method: "GET",
    path: "/datasets/:name/quarantine",
    summary: "Rows kept out by the contract, newest first",
    params: nameParams,
    query: requests.quarantineQuery,
    response: pageOf(schemas.quarantinedRowSchema),
  },
  captureAgain: {
    method: "POST",
    path: "/datasets/:name/capture",
    summary: "Capture files again that are captured already, or all; answers with the pipeline run",
    capability: "pipeline.run",
    params: nameParams,
    body: schemas.newCaptureSchema,
    response: acknowledged,
  },
  restoreDataset: {
    method: "POST",
    path: "/datasets/:name/restore",
    summary: "Make a new version with the content of an earlier one",
    capability: "dataset.restore",
    params: nameParams,
    body: schemas.datasetRestorationSchema,
    response: schemas.restoredDatasetSchema,
  },
  dropDataset: {
    method: "POST",
    path: "/datasets/:name/drop",
    summary: "Drop a dataset that nothing needs; its versions stay for lineage",
    capability: "dataset.drop",
    params: nameParams,
    response: schemas.droppedDatasetSchema,
  },
  replayQuarantine: {
    method: "POST",
    path: "/datasets/:name/quarantine/replay",
    summary: "Check quarantined rows again and publish those that hold now",
    capability: "quarantine.decide",
    params: nameParams,
    response: schemas.replayedQuarantineSchema,
  },
  discardQuarantine: {
    method: "POST",
    path: "/datasets/:name/quarantine/discard",
    summary: "Give quarantined rows up, with a reason",
    capability: "quarantine.decide",
    params: nameParams,
    body: schemas.quarantineDiscardSchema,
    response: schemas.discardedQuarantineSchema,
  },
  listFeatureViews: {
    method: "GET",
    path: "/feature-views",
    summary: "Feature views, and how far they are online",
    response: pageOf(schemas.featureViewSummarySchema),
  },
  listModels: {
    method: "GET",
    path: "/models",
    summary: "Models by name",
    query: pageQuery,
    response: pageOf(schemas.modelSummarySchema),
  },
  getModel: {
    method: "GET",
    path: "/models/:name",
    summary: "A model with its versions",
    params: nameParams,
    response: schemas.modelDetailSchema,
  },
  listModelVersions: {
    method: "GET",
    path: "/models/:name/versions",
    summary: "Versions of a model, newest first",
    params: nameParams,
    query: pageQuery,
    response: pageOf(schemas.modelVersionSummarySchema),
  },
  getModelVersion: {
    method: "GET",
    path: "/models/:name/versions/:version",
    summary: "The full record of a model version",
    params: requests.versionParams,
    response: schemas.modelVersionRecordSchema,
  },
  listAssetVersions: {
    method: "GET",
    path: "/assets/:name/versions",
    summary: "Versions of an asset, newest first",
    params: nameParams,
    query: pageQuery,
    response: pageOf(schemas.assetVersionSummarySchema),
  },
  getLineage: {
    method: "GET",
    path: "/lineage/:id",
    summary: "What a version was made from, or what was made of it",
    params: idParams,
    query: requests.lineageQuery,
    response: schemas.lineageGraphSchema,
  },
  getNotebookVersion: {
    method: "GET",
    path: "/notebooks/:id",
    summary: "A notebook version: cells, changes, outputs of one execution",
    params: idParams,
    query: requests.notebookQuery,
    response: schemas.notebookVersionSchema,
  },
  listEndpoints: {
    method: "GET",
    path: "/endpoints",
    summary: "Endpoints",
    query: pageQuery,
    response: pageOf(schemas.endpointSummarySchema),
  },
  getEndpoint: {
    method: "GET",
    path: "/endpoints/:environment/:name",
    summary: "An endpoint with its windows and alerts",
    params: requests.endpointParams,
    response: schemas.endpointDetailSchema,
  },
  listPredictions: {
    method: "GET",
    path: "/endpoints/:environment/:name/predictions",
    summary: "Predictions of an endpoint, newest first",
    params: requests.endpointParams,
    query: requests.predictionsQuery,
    response: pageOf(schemas.predictionSummarySchema),
  },
  getPrediction: {
    method: "GET",
    path: "/predictions/:id",
    summary: "A prediction and everything it was made from",
    params: idParams,
    response: schemas.predictionDetailSchema,
  },
  listMonitors: {
    method: "GET",
    path: "/monitors",
    summary: "Monitors",
    query: pageQuery,
    response: pageOf(schemas.monitorSchema),
  },
  listAlerts: {
    method: "GET",
    path: "/alerts",
    summary: "Alerts, newest first",
    query: requests.alertsQuery,
    response: pageOf(schemas.alertSchema),
  },
  acknowledgeAlert: {
    method: "POST",
    path: "/alerts/:id/acknowledge",
    summary: "Say that a person has seen an alert",
    capability: "alert.acknowledge",
    params: idParams,
    response: acknowledged,
  },
  listEnvironments: {
    method: "GET",
    path: "/environments",
    summary: "Environments and what is live in them",
    response: pageOf(schemas.environmentSchema),
  },
  listReleases: {
    method: "GET",
    path: "/releases",
    summary: "Releases, newest first",
    query: requests.releasesQuery,
    response: pageOf(schemas.releaseSchema),
  },
  rollBack: {
    method: "POST",
    path: "/releases/rollback",
    summary: "Deploy an earlier release",
    capability: "rollback",
    body: schemas.rollbackSchema,
    response: acknowledged,
  },
  listApprovals: {
    method: "GET",
    path: "/approvals",
    summary: "Approvals asked for and given",
    response: schemas.approvalsSchema,
  },
  createApproval: {
    method: "POST",
    path: "/approvals",
    summary: "Approve or refuse a digest",
    capability: "approve",
    body: schemas.newApprovalSchema,
    response: schemas.approvalSchema,
  },
  listDashboards: {
    method: "GET",
    path: "/dashboards",
    summary: "Dashboards by name",
    query: pageQuery,
    response: pageOf(schemas.dashboardSummarySchema),
  },
  getDashboard: {
    method: "GET",
    path: "/dashboards/:name",
    summary: "A dashboard with the data of its tiles",
    params: nameParams,
    response: schemas.dashboardDetailSchema,
  },
};
