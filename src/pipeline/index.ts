export { parseReason, type ReasonClause } from "./plan/reason.ts";
export {
  type ConcurrencyDefinition,
  digestOfDefinition,
  type ParamDefinition,
  type PipelineDefinition,
  type RetryDefinition,
  type ScheduleDefinition,
  type StepDefinition,
  type TriggerDefinition,
} from "./define/definition.ts";
export { jsonSchemas } from "./define/json-schemas.ts";
export { assertValid, type LoadedProject, loadProjectPipelines } from "./define/load-project.ts";
export type { ProjectFiles } from "./define/project-files.ts";
export { nextTicks } from "./define/schedule-expression.ts";
export { cancelPipelineRun } from "./engine/change-run.ts";
export { createEngine, type Engine, type EngineOptions, type SubmitRequest } from "./engine/engine.ts";
export type { Selection } from "./engine/expand-run.ts";
export type { RunAhead } from "./engine/runs-ahead.ts";
export { createTreeStorage } from "./engine/tree-storage.ts";
export { commandFailed } from "./errors.ts";
export type { Executor, ProcessHandle, ProcessResult, ProcessSpec, PythonEnvironment } from "./executor.ts";
export { type GateKey, openGate, refuseGate } from "./gate.ts";
export { plan, type Plan, type PlannedAction, type PlannedStep, type PlanRequest, why, type Why } from "./plan/plan.ts";
export {
  digestOfRecipe,
  formatRecipe,
  parseRecipe,
  parseStepRecipe,
  type Recipe,
  recipeOf,
  releaseRecipe,
  type StepRecipe,
} from "./plan/recipe.ts";
export type { EnginePorts, TrackingRun } from "./ports.ts";
export { findAbandonedRuns } from "./query/abandoned-run.ts";
export { followLog, type LogPage, type LogPiece, readLog } from "./query/log.ts";
export {
  getPipeline,
  getPipelineRun,
  getStepRun,
  listPipelineRuns,
  listPipelines,
  type PipelineDetail,
  type PipelineRunDetail,
  type StepRunDetail,
} from "./query/pipeline-run.ts";
export type { RunProgress } from "./query/run-progress.ts";
export { registerPipelines } from "./register-pipelines.ts";
export type {
  AnalysisContext,
  AssetStorage,
  AttemptContext,
  LocatedAsset,
  MadeVersion,
  Problem,
  PublishedOutput,
  StepAnalysis,
  StepInput,
  StepKind,
  StepOutcome,
} from "./step-kind.ts";
export { type FiredTrigger, fireTrigger } from "./trigger.ts";
// Words of the step-kind interface that are defined a layer below; step kinds in `executors` speak of them too.
export { ASSET_KINDS, type AssetKind, type WriteTransaction } from "#metadata-store";
