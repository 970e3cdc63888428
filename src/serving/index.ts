export type { Endpoints, PredictAnswer, PredictRequest } from "./endpoints.ts";
export type { ModelHandle, ModelOutput, ModelRuntime } from "./model-runtime.ts";
export type { PythonServing } from "./runtime/python/python-runtime.ts";
export type { OnlineFeatures, TrainingNulls } from "./ports.ts";
export type { ServingRequest, ServingResponse } from "./protocols/exchange.ts";
export { createScoreKind, type ScoreDeclaration } from "./score-kind.ts";
export { createServingCalls, type ServingCall } from "./routes.ts";
export { type InputColumns, sourceOfRecords, type RowSource } from "./row-source.ts";
export { createServing, type Serving, type ServingOptions } from "./serving.ts";
