export type {
  Endpoint,
  EndpointAction,
  EndpointKey,
  EndpointOptions,
  EndpointState,
  EndpointStrategy,
  PredictionLogOptions,
} from "./endpoint.ts";
export {
  countEndpoints,
  type EndpointHistoryEntry,
  getEndpoint,
  listEndpointHistory,
  listEndpoints,
} from "./list-endpoints.ts";
export {
  getPrediction,
  listPredictions,
  type PredictionQuery,
  scanPredictions,
  type ScannedPrediction,
} from "./list-predictions.ts";
export { countLabels, listLabelled, type TrialArmKey } from "./list-outcomes.ts";
export type { Prediction, PredictionArm } from "./prediction.ts";
export {
  countWindows,
  listChangedHours,
  listPredictionTotals,
  type PredictionTotal,
  type WindowCount,
} from "./prediction-count.ts";
export {
  claimPredictionHistory,
  getPredictionHistory,
  holdPredictionHistory,
  listPredictingEndpoints,
  listPredictionHistories,
  noteClearedHistory,
  type PredictionHistory,
  releasePredictionHistory,
  showPredictionHistory,
} from "./prediction-history.ts";
export {
  clearMoved,
  deleteMovedLabels,
  getMovedLabels,
  listKnownTargets,
  listMovable,
  listMovedLabels,
  listUnlabelledHours,
  measureMovable,
  type MovedLabel,
  scanMovedLabels,
} from "./moved-predictions.ts";
export { type LabelReport, type LabelTarget, type NewLabel, type Outcome, recordLabels } from "./record-labels.ts";
export { type NewPrediction, recordPredictions } from "./record-predictions.ts";
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
} from "./trial.ts";
export { type EndpointChange, saveEndpoint } from "./save-endpoint.ts";
