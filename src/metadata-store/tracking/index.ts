export {
  createExperiment,
  deleteExperimentTag,
  type ExperimentChange,
  type NewExperiment,
  renameExperiment,
  setExperimentStage,
  setExperimentTag,
} from "./change-experiment.ts";
export {
  createRun,
  deleteRunTag,
  type NewRun,
  type RunChange,
  setRunStage,
  setRunTags,
  updateRun,
} from "./change-run.ts";
export { type Experiment, findExperiment } from "./experiment.ts";
export { hydrateRuns } from "./hydrate-runs.ts";
export { logMetrics, logParams, type ParamConflict } from "./log-run.ts";
export { getMetricAtSteps, getMetricHistory, getMetricSteps, type HistoryPosition } from "./metric-history.ts";
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
} from "./run.ts";
export { type DatasetSummary, logDatasets, logRunModels, summarizeDatasets } from "./run-inputs.ts";
export { type ExperimentCondition, type ExperimentQuery, searchExperiments } from "./search-experiments.ts";
export { type RunCondition, type RunOrder, type RunQuery, searchRuns } from "./search-runs.ts";
export type { LifecycleStage, RunStatus, StoredInteger } from "./tables.ts";
