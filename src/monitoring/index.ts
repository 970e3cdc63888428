export { type ColumnSample, type DriftMethod, type DriftScore, scoreDrift } from "./drift-method.ts";
export { toColumnSample, type WatchedType } from "./column-sample.ts";
export { readExplanation } from "./explanation.ts";
export type { EvaluationReport, EvaluationRequest } from "./evaluation.ts";
export { type LabelBatch, parseLabelBatch } from "./label-batch.ts";
export { type MonitorFile, monitorFileSchema, type MonitorRule, type WindowSize } from "./monitor-file.ts";
export { type MonitorDeclarations, readMonitorDeclarations } from "./monitor-set.ts";
export type { Monitor } from "./monitor-set.ts";
export { readWatchedSeries, type WatchedSeries } from "./watched-series.ts";
export type { AlertRoutes } from "./alert-routes.ts";
export { kindOf as kindOfObjective, type SeenRequest } from "./objective-rule.ts";
export type { ObjectiveState } from "./objectives.ts";
export { createMonitoring, type Monitoring, type MonitoringOptions } from "./monitoring.ts";
export {
  createMonitoringCalls,
  type MonitoringRequest,
  type MonitoringResponse,
  type MonitoringCall,
} from "./routes.ts";
