export {
  BINARY_METRICS,
  evaluate,
  evaluateAll,
  isLowerBetter,
  type MetricName,
  MULTICLASS_METRICS,
  pickRows,
  REGRESSION_METRICS,
  type ScoredSample,
  type Segment,
  segmentsOf,
} from "./evaluation.ts";
export type { ModelColumnType, ModelDescription, ModelTask } from "./model-description.ts";
export { createModelStorage, locateModel, type ModelStorageOptions } from "./model-storage.ts";
export { type ModelContent, type ModelRecord, readModelContent, type RecordedInput } from "./model-version.ts";
export type { ColumnBatch, DatasetReader, RunReader, Scorer, TableExporter } from "./ports.ts";
export { type ExportedModel, exportModel, type ExportRequest } from "./package/export-model.ts";
export { readPackage, unpackPackage, type VerifiedPackage } from "./package/read-package.ts";
export {
  decideRequirement,
  type MetricReference,
  parseRequirement,
  type Requirement,
  type RequirementResult,
} from "./requirement.ts";
export { SPLIT_COLUMN, TEST_SPLIT, toLabels } from "./test-data.ts";
export { CHAMPION_ALIAS, createTestKind, type TestDeclaration, type TestKindOptions } from "./test-kind.ts";
export type { RuleResult, SegmentResult, TestRules, TestSample, Verdict } from "./verdict.ts";
export { createRegistryCalls } from "./mlflow-rest/create-registry-calls.ts";
export type { RegistryCallsOptions } from "./mlflow-rest/registry-context.ts";
export { isPublicAddress } from "./public-address.ts";
export type { Promotion, PromotionCheck } from "./ports.ts";
export {
  createWebhookSender,
  type WebhookAnswer,
  type WebhookSender,
  type WebhookSenderOptions,
} from "./webhook-sender.ts";
export { type ImportOptions, type ImportProgress, type ImportReport, importMlflow } from "./import/import-mlflow.ts";
export type { ArtifactCounts } from "./import/imported-artifacts.ts";
export { purgeDeleted, type PurgeOptions, type PurgeReport } from "./purge-deleted.ts";
