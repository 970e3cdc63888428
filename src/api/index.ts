export { type Action, ACTIONS } from "./action.ts";
export { listMissingRoutes, listRoutes, type NamedRoute } from "./all-routes.ts";
export { type ApiPart, apiRoutes, type ApiShapes } from "./api-routes.ts";
export { type MissingMlflowPart, missingMlflowRoutes } from "./missing-mlflow-routes.ts";
export { type MlflowRouteName, mlflowRoutes } from "./mlflow-routes.ts";
export { describeRoutes } from "./openapi.ts";
export { eventRoutes } from "./event-routes.ts";
export { SERVER_ROLES, type ServerRole } from "./server-role.ts";
export { workerRoutes } from "./worker-routes.ts";
export { descriptionRoutes, hookRoutes, operationRoutes } from "./operation-routes.ts";
export type {
  Alert,
  AlertAdvice,
  AlertCause,
  AlertColumn,
  AlertDetail,
  AlertExplanation,
  AlertNotice,
  AlertSegment,
  Monitor,
} from "./alert.ts";
export { alertExplanationSchema, columnShapeSchema } from "./schemas.ts";
export {
  APPROVAL_PAYLOAD_TYPE,
  type ApprovalStatement,
  formatApprovalStatement,
  keyProofText,
  preAuthEncoding,
  type SignedEnvelope,
} from "./approval-statement.ts";
export type { NewSigningKey, SigningKey, SigningKeys } from "./signing-key.ts";
export type { EnvironmentRules, RuleChange, RuleName, RulesVersion } from "./rules.ts";
export type { TestHistory, TestRun, UnsteadyTest } from "./test-history.ts";
export type { QueryAnswer } from "./query.ts";
export type { NamedRecipe, RecipeChange, RecipeDifference, RecipePart } from "./recipe.ts";
export type {
  Approval,
  ApprovalEvidence,
  ApprovalSubjectKind,
  Approvals,
  NewApproval,
  PendingApproval,
} from "./approval.ts";
export type { ApiAssetKind, AssetVersionSummary, StepReference, VersionReference } from "./asset.ts";
export type {
  PipelinePause,
  PipelineSchedule,
  RetrainingDecision,
  RetrainingLimit,
  RetrainingPolicy,
  RetrainingReason,
  SensorState,
} from "./pipeline.ts";
export type { Pool, QueuedWork, WaitReason, WorkHolder, WorkQueue } from "./queue.ts";
export { GRID_ID_LENGTH, GRID_LETTERS, type GridState } from "./grid-state.ts";
export type { StateGrid } from "./state-grid.ts";
export type { BackfillPreview, BackfillSummary, NewBackfill, PartitionState } from "./backfill.ts";
export type { Change } from "./change.ts";
export {
  type AddressParts,
  type CallName,
  type ClientRequest,
  type ClientResponse,
  createClient,
  type HttpCall,
  type QueryValues,
  type StreamName,
  toAddress,
} from "./client.ts";
export type { DashboardDetail, DashboardSummary, DashboardTile } from "./dashboard.ts";
export type {
  DiscardedQuarantine,
  QuarantineDiscard,
  ReplayedQuarantine,
  ColumnProfile,
  ContractSummary,
  DatasetColumn,
  DatasetCheck,
  DatasetDetail,
  DatasetRows,
  DatasetSummary,
  Histogram,
  QuarantineSummary,
  QuarantinedRow,
} from "./dataset.ts";
export type {
  EndpointBurn,
  EndpointDetail,
  EndpointObjective,
  EndpointPeriod,
  EndpointSummary,
  EndpointTrial,
  EndpointWindow,
  Retraining,
  TrialArm,
  TrialCheck,
  TrialEnd,
} from "./endpoint.ts";
export type { FeatureViewSummary } from "./feature-view.ts";
export type { LineageEdge, LineageGraph, LineageNode, LineageNodeKind } from "./lineage.ts";
export type {
  ModelColumn,
  ModelDeployment,
  ModelDetail,
  ModelSummary,
  ModelVersionRecord,
  ModelVersionSummary,
  ServedAt,
  Verdict,
  VerdictRule,
  VerdictState,
} from "./model.ts";
export type { NotebookCell, NotebookOutput, NotebookVersion } from "./notebook.ts";
export type {
  CodeStation,
  CodeStationName,
  FailedRun,
  Overview,
  Parcel,
  ProjectProblem,
  StoreDamage,
  Station,
  StationCount,
  StationName,
  StationState,
} from "./overview.ts";
export type { Page } from "./page.ts";
export { isPagePath, type PagePath } from "./page-paths.ts";
export type {
  Attempt,
  CacheReason,
  LogChunk,
  PipelineRunDetail,
  PipelineRunStatus,
  PipelineRunSummary,
  RunCause,
  StepCounts,
  StepRun,
  StepRunLog,
  StepRunStatus,
} from "./pipeline-run.ts";
export type {
  Load,
  NewPipelineRun,
  PipelineDetail,
  PipelineEdge,
  PipelineParam,
  PipelineStep,
  PipelineSummary,
  RecentRun,
  Trigger,
} from "./pipeline.ts";
export type { ChainLink, PredictionDetail, PredictionSummary } from "./prediction.ts";
export type { ApiProblem } from "./problem.ts";
export type {
  Environment,
  EnvironmentRollbackPlan,
  Preview,
  Release,
  ReleaseComparison,
  FileDifference,
  MetricDifference,
  ReleaseDifference,
  VersionDifference,
  ReleaseHead,
  ReleaseStatus,
  Rollback,
  UnisolatedRelease,
} from "./release.ts";
export type { ColumnShape, WindowReport, WindowScore } from "./window-report.ts";
export type { Session } from "./session.ts";
export type {
  Acknowledged,
  AlertsQuery,
  ChangesQuery,
  EndpointParams,
  WindowQuery,
  IdParams,
  LineageQuery,
  LogQuery,
  NameParams,
  NotebookQuery,
  PageQuery,
  PipelineRunsQuery,
  PredictionsQuery,
  QuarantineQuery,
  ReleasesQuery,
  RowsQuery,
  StepRunsQuery,
  VersionParams,
  VersionQuery,
} from "./requests.ts";
export { RESOURCES, type ResourceKind } from "./resource.ts";
export {
  addressesOf,
  addressOf,
  type Answered,
  type ErrorForm,
  HTTP_METHODS,
  type HttpMethod,
  isOpen,
  MLFLOW_PLACE_OF_PAGES,
  type Open,
  type Route,
  type RouteBody,
  type RouteSchemas,
  type RouteShape,
  SURFACE_PREFIXES,
  type Surface,
} from "./route.ts";
export { featureRoutes, monitoringRoutes, openaiRoutes, servingRoutes } from "./serving-routes.ts";
