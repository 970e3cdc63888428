export { missingFile } from "./missing-file.ts";
export { type DeadlineDefinition, toDailySchedule } from "./define/deadlines.ts";
export { findStep, indexOf } from "./define/definition-index.ts";
export {
  type ConcurrencyDefinition,
  digestOfDefinition,
  digestOfWork,
  type ForEachDefinition,
  MOST_ITEMS,
  type ParamDefinition,
  type PipelineDefinition,
  type RetryDefinition,
  type ScheduleDefinition,
  type SensorDefinition,
  type StepDefinition,
  type TriggerDefinition,
} from "./define/definition.ts";
export { PULL_REQUEST_ACTIONS, type PullRequestAction, USUAL_PULL_REQUEST_ACTIONS } from "./define/definition.ts";
export { parseExpression, pathsOf, type Scope, STATUS, type StatusFunction } from "./define/expression.ts";
export { findExpressions, holds, interpolate, parseCondition, stepsReadBy, toText } from "./define/interpolate.ts";
export { jsonSchemas } from "./define/json-schemas.ts";
export {
  assertValid,
  createAnalysisContext,
  type LoadedProject,
  loadProjectPipelines,
  type PipelineSource,
} from "./define/load-project.ts";
export {
  RETRAINING_TRIGGERS,
  type RetrainingDefinition,
  type RetrainingLimit,
  type RetrainingTrigger,
} from "./define/retraining.ts";
export { describeSensor, digestOfSensor } from "./define/sensors.ts";
export type { Observation, Seen, Sensing } from "./sensing.ts";
export type { Pools } from "./define/pools.ts";
export { ownConditionOf } from "./define/own-condition.ts";
export type { KnownExecutor } from "./define/placement.ts";
export { createProjectFiles, type ProjectFiles, readProjectFile } from "./define/project-files.ts";
export { parsePlace, type Place } from "./define/network.ts";
export { nextTick, nextTicks } from "./define/schedule-expression.ts";
export { knowKinds, type KnownKinds } from "./define/step-kinds.ts";
export { commandFailed, partitionMissing, pipelineUnknown, stepUnknown } from "./errors.ts";
export { type CacheKey, explainDifference } from "./plan/cache-key.ts";
export { plan, type Plan, type PlannedAction, type PlannedStep, type PlanRequest, why, type Why } from "./plan/plan.ts";
export {
  askCache,
  type PreparedStep,
  prepareStep,
  type ReadSources,
  readSources,
  reasonNotToCache,
  toCacheKey,
} from "./plan/prepare-step.ts";
export {
  assertPartition,
  choosePartitions,
  type KnownPartitions,
  listPartitions,
  newestPartitions,
  type Partition,
  partitionEnvironment,
  partitionOf,
  partitionRange,
  partitionScope,
  type PartitionWrite,
  toPartitionWrite,
} from "./plan/partition.ts";
export { keyProblem, type PartitionsDefinition } from "./define/partitions.ts";
export { parseReason, type ReasonClause } from "./plan/reason.ts";
export {
  combineRecipes,
  digestOfRecipe,
  formatRecipe,
  parseRecipe,
  parseStepRecipe,
  type Recipe,
  type RecipeInput,
  recipeOf,
  releaseRecipe,
  type StepRecipe,
} from "./plan/recipe.ts";
export { checkParams, reasonToRunAgain, type Selection, selectSteps } from "./plan/selection.ts";
export { assertInside } from "./own-folder.ts";
export {
  environmentOfPreview,
  environmentOfProject,
  homeProject,
  isPreviewEnvironment,
  type Preview,
  previewOf,
  previewSuffix,
  projectOfPreview,
} from "./preview.ts";
export { describeResources, hasRoomFor, MEMORY, type Resources, toBytes } from "./resources.ts";
export {
  isAtLeast,
  ISOLATION_LEVELS,
  type ExceededLimit,
  type IsolationDemand,
  type ProcessLimits,
  type IsolationLevel,
  type ProcessResult,
  type ProcessSpec,
  type PythonEnvironment,
  SHORTEST_SECRET,
  type WheelDigests,
} from "./process.ts";
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
export { ASSET_KINDS, type AssetKind, type WriteTransaction } from "#metadata-store";
export type { PartitionMade, PastResult, PastRuns, PastStepRun } from "./plan/past-runs.ts";
