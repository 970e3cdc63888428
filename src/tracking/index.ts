export { type ArtifactFolder, createArtifactFolder } from "./artifact-folder.ts";
export { localPath } from "./artifact-location.ts";
export { artifactSegments, hasNul, hasParentSegment } from "./artifact-path.ts";
export { artifactLocationForeign } from "./errors.ts";
export { createArtifactCalls, filesField, toFile } from "./mlflow-rest/artifacts.ts";
export {
  callMethodWrong,
  callMissing,
  experimentMissing,
  parameterInvalid,
  parameterMissing,
  parameterWrongType,
  requestInvalid,
} from "./errors.ts";
export { type MlflowErrorBody, toMlflowError } from "./mlflow-rest/error-code.ts";
export { readJson, wireDouble, wireInteger, writeJson } from "./mlflow-rest/json.ts";
export { MlflowMessage } from "./mlflow-rest/message.ts";
export { assertKeyName, assertLength } from "./mlflow-rest/name-rules.ts";
export { readPageToken, readPosition, writePageToken } from "./mlflow-rest/page-token.ts";
export type {
  CallingAttempt,
  MlflowCaller,
  MlflowFile,
  MlflowHandler,
  MlflowRequest,
  MlflowResponse,
  MlflowCall,
} from "./mlflow-rest/call.ts";
export { type AttemptScope, createAttemptScope } from "./mlflow-rest/attempt-scope.ts";
export type { Int64, WireObject, WireValue } from "./mlflow-rest/wire-value.ts";
export { readOrders } from "./search/order-by.ts";
export type { Comparator, Condition, OrderKey } from "./search/filter.ts";
export {
  type LoggedModelEntity,
  parseLoggedModelFilter,
  parseLoggedModelOrderField,
} from "./search/logged-model-filter.ts";
export {
  type ModelEntity,
  parseModelVersionFilter,
  parseModelVersionOrder,
  parseRegisteredModelFilter,
  parseRegisteredModelOrder,
} from "./search/model-filter.ts";
export { type ExperimentEntity, parseExperimentFilter, parseExperimentOrder } from "./search/experiment-filter.ts";
export { parseRunFilter, parseRunOrder, type RunEntity } from "./search/run-filter.ts";
export { appendPath } from "./artifact-uri.ts";
export { createTrackingCalls } from "./mlflow-rest/tracking-calls.ts";
export type { TrackingCallsOptions } from "./mlflow-rest/tracking-call.ts";
export { createTracking, type NewStepRun, type OpenedRun, type Tracking, type TrackingOptions } from "./tracking.ts";
