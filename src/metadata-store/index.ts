export { getToken, insertToken, listTokens, revokeToken, type StoredToken, touchToken } from "./access/token.ts";
export { countGrants, getUser, hasUsers, insertUser, listUsers, setGrant, type StoredUser } from "./access/user.ts";
export { ASSET_KINDS, type AssetKind, type AssetVersion } from "./asset/asset-version.ts";
export { type AssetVersionKey, getAssetVersion, listVersionsById } from "./asset/get-asset-version.ts";
export { getVersionGraph, listDirectInputs, type VersionGraph } from "./asset/lineage.ts";
export { dropAsset, listDependents } from "./asset/drop-asset.ts";
export { listAssets, listAssetVersions } from "./asset/list-assets.ts";
export { listVersionHeads, listVersionsOfRuns, type VersionHead } from "./asset/list-version-heads.ts";
export { listUses, listVersionsInTable, listVersionsNaming, type VersionUses } from "./asset/list-uses.ts";
export { listVersionsByDigest } from "./asset/list-versions-by-digest.ts";
export { type NewAssetVersion, recordAssetVersion } from "./asset/record-asset-version.ts";
export { type AssetSum, sumAssets } from "./asset/sum-assets.ts";
export { hasAssetVersion } from "./data/has-asset-version.ts";
export {
  type CapturedFile,
  clearCapturedFiles,
  listCapturedFiles,
  moveCapturedFile,
  recordCapturedFiles,
  removeCapturedFiles,
  setCapturedFileState,
} from "./data/captured-file.ts";
export {
  beginDatasetWrite,
  commitDatasetWrite,
  type DatasetWriteKey,
  type DatasetWriteRecord,
  endDatasetWrite,
  extendDatasetWrite,
  getDatasetWrite,
  listOpenDatasetWrites,
  lockDataset,
} from "./data/dataset-write.ts";
export {
  closeQuarantine,
  getQuarantineBatch,
  listOpenQuarantine,
  listQuarantineBatches,
  listQuarantineRows,
  type NewQuarantineBatch,
  type QuarantineBatch,
  type QuarantineRow,
  recordQuarantineBatch,
  setQuarantineRows,
  summarizeQuarantine,
} from "./data/quarantine.ts";
export type { CapturedFileState, QuarantineRowState } from "./data/tables.ts";
export type { ReadTransaction, WriteTransaction } from "./database.ts";
export {
  clearDeployed,
  type Deployed,
  type Deployment,
  type DeploymentStatus,
  endDeployment,
  endSupersededDeployments,
  getDeployment,
  insertDeployment,
  listDeployed,
  listDeployments,
  listReleaseCourses,
  type ReleaseCourse,
  setDeployed,
} from "./delivery/deployment.ts";
export { getLatestPush, getPushDelivery, insertPushDelivery, type PushDelivery } from "./delivery/push-delivery.ts";
export {
  countReleases,
  getRelease,
  insertRelease,
  listReleases,
  listReleasesById,
  type Release,
  type ReleaseVersion,
} from "./delivery/release.ts";
export { appendEvent, type EventsOf, type NewEvent } from "./event/append-event.ts";
export { EVENT_WRITERS, type EventCatalogue, type EventData, type EventType } from "./event/catalogue.ts";
export { type EventQuery, listEvents, type StoredEvent } from "./event/list-events.ts";
export {
  type ApprovalSubject,
  countApprovals,
  countDecisions,
  getApproval,
  insertApproval,
  listApprovalRows,
  markApprovalRevoked,
  type StoredApproval,
} from "./governance/approval.ts";
export {
  type ApprovalRequest,
  closeApprovalRequest,
  countApprovalRequests,
  listApprovalRequests,
  upsertApprovalRequest,
} from "./governance/approval-request.ts";
export { listAuthors } from "./governance/authors.ts";
export { countVerdicts, getVerdict, listVerdicts, recordVerdict, type StoredVerdict } from "./governance/verdict.ts";
export { importSourceUnreadable } from "./import/errors.ts";
export { openMlflowDatabase, toLoggedModelStatus, toStage } from "./import/mlflow-database.ts";
export type {
  LeftBehind,
  MlflowSource,
  SourceExperiment,
  SourceLoggedModel,
  SourceModelVersion,
  SourceRegisteredModel,
  SourceRun,
} from "./import/mlflow-source.ts";
export { importExperiment, importLoggedModel, importRegisteredModel, importRun } from "./import/write-imported.ts";
export { type MetadataStore, STORE_KINDS, type StoreKind } from "./metadata-store.ts";
export { openMetadataStore } from "./open-metadata-store.ts";
export type { Alert, AlertState, DeliveryState } from "./monitoring/alert.ts";
export { changeAlert } from "./monitoring/change-alert.ts";
export { type AlertDelivery, listDeliveries, listDueDeliveries, saveDelivery } from "./monitoring/delivery.ts";
export { type AlertQuery, countAlerts, countOpenAlerts, listAlerts } from "./monitoring/list-alerts.ts";
export { listMonitors, replaceMonitors, type StoredMonitor } from "./monitoring/monitor.ts";
export { type Breach, linkTriggeredRuns, openAlert } from "./monitoring/open-alert.ts";
export {
  countMonitorWindows,
  listWindowFacts,
  listWindows,
  type MonitorScore,
  type MonitorWindow,
  saveWindow,
  type WindowFacts,
} from "./monitoring/window.ts";
export { purgeExperiment, purgeLoggedModel, purgeRun } from "./purge/purge.ts";
export {
  listPurgeableExperiments,
  listPurgeableLoggedModels,
  listPurgeableRuns,
  type Purgeable,
} from "./purge/purgeable.ts";
export {
  addLoggedModelMetrics,
  addLoggedModelParams,
  deleteLoggedModel,
  deleteLoggedModelTag,
  getLoggedModel,
  type LoggedModelChange,
  setLoggedModelStatus,
  setLoggedModelTags,
} from "./registry/change-logged-model.ts";
export { deleteModelVersion, transitionModelVersion, updateModelVersion } from "./registry/change-model-version.ts";
export {
  deleteRegisteredModel,
  renameRegisteredModel,
  updateRegisteredModel,
} from "./registry/change-registered-model.ts";
export { createLoggedModel } from "./registry/create-logged-model.ts";
export { createModelVersion } from "./registry/create-model-version.ts";
export { createRegisteredModel, isPromptTag } from "./registry/create-registered-model.ts";
export { WEBHOOK_ACTIONS, webhookBody, type WebhookEntity, type WebhookEvent } from "./registry/enqueue-webhooks.ts";
export { modelAliasMissing, modelVersionMissing, registeredModelMissing } from "./registry/errors.ts";
export {
  getLatestModelVersions,
  getModelVersion,
  getModelVersionOfAsset,
  listAliasedAssets,
  listModelVersionsOfAssets,
} from "./registry/get-model-version.ts";
export { getRegisteredModel, isPromptModel } from "./registry/get-registered-model.ts";
export { isPipelineModel } from "./registry/is-pipeline-model.ts";
export type { KeyValue } from "./registry/key-value.ts";
export type { Position } from "./registry/keyset.ts";
export type { LoggedModel } from "./registry/logged-model.ts";
export { deleteModelVersionTag, setModelVersionTag } from "./registry/model-version-tag.ts";
export type { ModelVersion } from "./registry/model-version.ts";
export {
  deleteRegisteredModelAlias,
  getModelVersionByAlias,
  setRegisteredModelAlias,
} from "./registry/registered-model-alias.ts";
export { deleteRegisteredModelTag, setRegisteredModelTag } from "./registry/registered-model-tag.ts";
export type { RegisteredModel } from "./registry/registered-model.ts";
export { getExperimentLocation, getRunLocation, type RunLocation } from "./registry/run-location.ts";
export {
  LOGGED_MODEL_NUMBERS,
  type LoggedModelCondition,
  type LoggedModelOrder,
  searchLoggedModels,
} from "./registry/search-logged-models.ts";
export {
  type ModelVersionCondition,
  type ModelVersionOrder,
  searchModelVersions,
} from "./registry/search-model-versions.ts";
export { type RegisteredModelCondition, searchRegisteredModels } from "./registry/search-registered-models.ts";
export { LOGGED_MODEL_STATUSES, MODEL_STAGES, type ModelStage } from "./registry/tables.ts";
export {
  claimWebhookDeliveries,
  deleteEndedDeliveries,
  nextWebhookDeliveryMs,
  recordWebhookDelivery,
  type WebhookDelivery,
} from "./registry/webhook-delivery.ts";
export {
  createWebhook,
  deleteWebhook,
  getWebhook,
  getWebhookSecret,
  listWebhooks,
  updateWebhook,
  type Webhook,
} from "./registry/webhook.ts";
export type {
  Endpoint,
  EndpointAction,
  EndpointKey,
  EndpointOptions,
  EndpointState,
  EndpointStrategy,
} from "./serving/endpoint.ts";
export {
  countEndpoints,
  type EndpointHistoryEntry,
  getEndpoint,
  listEndpointHistory,
  listEndpoints,
} from "./serving/list-endpoints.ts";
export {
  getPrediction,
  listPredictions,
  type PredictionQuery,
  scanPredictions,
  type ScannedPrediction,
} from "./serving/list-predictions.ts";
export type { Prediction, PredictionArm } from "./serving/prediction.ts";
export {
  countWindows,
  listChangedHours,
  listPredictionTotals,
  type PredictionTotal,
  type WindowCount,
} from "./serving/prediction-count.ts";
export { type LabelReport, type NewLabel, recordLabels } from "./serving/record-labels.ts";
export { type NewPrediction, recordPredictions } from "./serving/record-predictions.ts";
export {
  type ArmFigures,
  beginTrial,
  changeTrialFigures,
  type EndpointTrial,
  getOpenTrial,
  countTrials,
  listTrials,
  type TrialComparison,
  type TrialFigures,
  type TrialOutcome,
} from "./serving/trial.ts";
export { type EndpointChange, saveEndpoint } from "./serving/save-endpoint.ts";
export * from "./pipeline/index.ts";
export {
  createExperiment,
  deleteExperimentTag,
  type ExperimentChange,
  type NewExperiment,
  renameExperiment,
  setExperimentStage,
  setExperimentTag,
} from "./tracking/change-experiment.ts";
export {
  createRun,
  deleteRunTag,
  type NewRun,
  type RunChange,
  setRunStage,
  setRunTags,
  updateRun,
} from "./tracking/change-run.ts";
export { type Experiment, findExperiment } from "./tracking/experiment.ts";
export { hydrateRuns } from "./tracking/hydrate-runs.ts";
export { logMetrics, logParams, type ParamConflict } from "./tracking/log-run.ts";
export { getMetricAtSteps, getMetricHistory, getMetricSteps, type HistoryPosition } from "./tracking/metric-history.ts";
export {
  ATTEMPT_TAG,
  findRun,
  findRunOfAttempt,
  isRunOfAttempt,
  type MetricPoint,
  type Run,
  type RunDataset,
  type RunInfo,
  type RunModel,
} from "./tracking/run.ts";
export { type DatasetSummary, logDatasets, logRunModels, summarizeDatasets } from "./tracking/run-inputs.ts";
export { type ExperimentCondition, type ExperimentQuery, searchExperiments } from "./tracking/search-experiments.ts";
export { type RunCondition, type RunOrder, type RunQuery, searchRuns } from "./tracking/search-runs.ts";
export type { LifecycleStage, RunStatus, StoredInteger } from "./tracking/tables.ts";
export { getDatasetOrder, recordDatasetOrder } from "./features/dataset-order.ts";
export { type FeatureViewState, listFeatureViewStates, setFeatureViewState } from "./features/feature-view-state.ts";
export {
  deleteOldOnlineFeatures,
  getFirstOnlineFeature,
  getOnlineFeatures,
  type OnlineFeature,
  putOnlineFeatures,
} from "./features/online-feature.ts";
