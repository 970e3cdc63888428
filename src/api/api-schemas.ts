import { z } from "zod";
import type { ApiShapes } from "./api-routes.ts";
import type { Page } from "./page.ts";
import * as requests from "./requests.ts";
import type { RouteSchemas } from "./route.ts";
import * as schemas from "./schemas.ts";

function pageOf<Item>(item: z.ZodType<Item>): z.ZodType<Page<Item>> {
  return z.object({ items: z.array(item), next: z.string().optional() });
}

const { idParams, nameParams, pageQuery, acknowledged } = requests;

/** What checks each call of the API. Apart from the routes, so that those who do not check load no schemas. */
export const apiSchemas: { readonly [Name in keyof ApiShapes]: RouteSchemas<ApiShapes[Name]> } = {
  getSession: { response: schemas.sessionSchema },
  getOverview: { response: schemas.overviewSchema },
  streamChanges: { query: requests.changesQuery, response: schemas.changeSchema },
  listPipelines: { query: pageQuery, response: pageOf(schemas.pipelineSummarySchema) },
  getPipeline: { params: nameParams, response: schemas.pipelineDetailSchema },
  createPipelineRun: { params: nameParams, body: schemas.newPipelineRunSchema, response: acknowledged },
  listPipelineRuns: { query: requests.pipelineRunsQuery, response: pageOf(schemas.pipelineRunSummarySchema) },
  getPipelineRun: { params: idParams, response: schemas.pipelineRunDetailSchema },
  listStepRuns: { params: idParams, query: requests.stepRunsQuery, response: pageOf(schemas.stepRunSchema) },
  cancelPipelineRun: { params: idParams, response: acknowledged },
  resumePipelineRun: { params: idParams, response: acknowledged },
  acknowledgePipelineRun: { params: idParams, response: acknowledged },
  getStepRunLog: { params: idParams, query: requests.logQuery, response: schemas.stepRunLogSchema },
  streamStepRunLog: { params: idParams, query: requests.logQuery, response: schemas.logChunkSchema },
  listPartitions: { params: nameParams, query: pageQuery, response: pageOf(schemas.partitionStateSchema) },
  listSchedules: { response: schemas.pipelineSchedulesSchema },
  pausePipeline: { params: nameParams, body: schemas.newPauseSchema, response: acknowledged },
  unpausePipeline: { params: nameParams, response: acknowledged },
  listPools: { response: schemas.poolsSchema },
  listQueue: { response: schemas.workQueueSchema },
  previewBackfill: { params: nameParams, body: schemas.newBackfillSchema, response: schemas.backfillPreviewSchema },
  createBackfill: { params: nameParams, body: schemas.newBackfillSchema, response: acknowledged },
  listBackfills: { query: pageQuery, response: pageOf(schemas.backfillSummarySchema) },
  getBackfill: { params: idParams, response: schemas.backfillSummarySchema },
  listBackfillPartitions: { params: idParams, query: pageQuery, response: pageOf(schemas.backfillPartitionSchema) },
  pauseBackfill: { params: idParams, response: acknowledged },
  resumeBackfill: { params: idParams, response: acknowledged },
  cancelBackfill: { params: idParams, response: acknowledged },
  retryBackfill: { params: idParams, body: schemas.backfillRetrySchema, response: acknowledged },
  listDatasets: { query: pageQuery, response: pageOf(schemas.datasetSummarySchema) },
  getDataset: { params: nameParams, query: requests.versionQuery, response: schemas.datasetDetailSchema },
  getDatasetRows: { params: nameParams, query: requests.rowsQuery, response: schemas.datasetRowsSchema },
  listQuarantinedRows: {
    params: nameParams,
    query: requests.quarantineQuery,
    response: pageOf(schemas.quarantinedRowSchema),
  },
  captureAgain: { params: nameParams, body: schemas.newCaptureSchema, response: acknowledged },
  restateDataset: {
    params: nameParams,
    body: schemas.restatementSchema,
    response: schemas.restatedDatasetSchema,
  },
  restoreDataset: {
    params: nameParams,
    body: schemas.datasetRestorationSchema,
    response: schemas.restoredDatasetSchema,
  },
  dropDataset: { params: nameParams, response: schemas.droppedDatasetSchema },
  replayQuarantine: { params: nameParams, response: schemas.replayedQuarantineSchema },
  discardQuarantine: {
    params: nameParams,
    body: schemas.quarantineDiscardSchema,
    response: schemas.discardedQuarantineSchema,
  },
  listFeatureViews: { response: pageOf(schemas.featureViewSummarySchema) },
  listModels: { query: pageQuery, response: pageOf(schemas.modelSummarySchema) },
  getModel: { params: nameParams, response: schemas.modelDetailSchema },
  listModelVersions: {
    params: nameParams,
    query: pageQuery,
    response: pageOf(schemas.modelVersionSummarySchema),
  },
  getModelVersion: { params: requests.versionParams, response: schemas.modelVersionRecordSchema },
  listAssetVersions: { params: nameParams, query: pageQuery, response: pageOf(schemas.assetVersionSummarySchema) },
  getLineage: { params: idParams, query: requests.lineageQuery, response: schemas.lineageGraphSchema },
  getNotebookVersion: { params: idParams, query: requests.notebookQuery, response: schemas.notebookVersionSchema },
  listEndpoints: { query: pageQuery, response: pageOf(schemas.endpointSummarySchema) },
  getEndpoint: { params: requests.endpointParams, response: schemas.endpointDetailSchema },
  getEndpointWindow: {
    params: requests.endpointParams,
    query: requests.windowQuery,
    response: schemas.windowReportSchema,
  },
  promoteTrial: { params: requests.endpointParams, body: schemas.trialEndSchema, response: acknowledged },
  abortTrial: { params: requests.endpointParams, body: schemas.trialEndSchema, response: acknowledged },
  listPredictions: {
    params: requests.endpointParams,
    query: requests.predictionsQuery,
    response: pageOf(schemas.predictionSummarySchema),
  },
  getPrediction: { params: idParams, response: schemas.predictionDetailSchema },
  listMonitors: { query: pageQuery, response: pageOf(schemas.monitorSchema) },
  listAlerts: { query: requests.alertsQuery, response: pageOf(schemas.alertSchema) },
  getAlert: { params: idParams, response: schemas.alertDetailSchema },
  testAlertRoute: { params: nameParams, response: schemas.routeTestsSchema },
  acknowledgeAlert: { params: idParams, response: acknowledged },
  listEnvironments: { response: pageOf(schemas.environmentSchema) },
  getEnvironmentRules: { params: nameParams, response: schemas.environmentRulesSchema },
  listReleases: { query: requests.releasesQuery, response: pageOf(schemas.releaseSchema) },
  rollBack: { body: schemas.rollbackSchema, response: acknowledged },
  compareReleases: { query: requests.comparisonQuery, response: schemas.releaseComparisonSchema },
  planEnvironmentRollback: {
    params: nameParams,
    query: requests.stateQuery,
    response: schemas.environmentRollbackPlanSchema,
  },
  rollBackEnvironment: {
    params: nameParams,
    body: schemas.environmentRollbackRequestSchema,
    response: schemas.environmentRollbackPlanSchema,
  },
  listApprovals: { response: schemas.approvalsSchema },
  revokeApproval: { params: idParams, body: schemas.approvalRevocationSchema, response: acknowledged },
  listKeys: { response: schemas.signingKeysSchema },
  registerKey: { body: schemas.newSigningKeySchema, response: schemas.signingKeySchema },
  revokeKey: { params: idParams, response: acknowledged },
  createApproval: { body: schemas.newApprovalSchema, response: schemas.approvalSchema },
  getRecipe: { params: nameParams, query: requests.recipeQuery, response: schemas.recipeDifferenceSchema },
  queryDatasets: { body: requests.newQuery, response: schemas.queryAnswerSchema },
  listDashboards: { query: pageQuery, response: pageOf(schemas.dashboardSummarySchema) },
  getDashboard: { params: nameParams, response: schemas.dashboardDetailSchema },
};
