export { type AdoptDeclaration, type AdoptKindOptions, createAdoptKind } from "./adopt-kind.ts";
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
export type { ColumnBatch, DatasetReader, RunReader, Scorer } from "./ports.ts";
export {
  decideRequirement,
  type MetricReference,
  parseRequirement,
  type Requirement,
  type RequirementResult,
} from "./requirement.ts";
export { SPLIT_COLUMN, TEST_SPLIT, toLabels } from "./test-data.ts";
export { createTestKind, type TestDeclaration, type TestKindOptions } from "./test-kind.ts";
export type { RuleResult, SegmentResult, TestRules, TestSample, Verdict } from "./verdict.ts";
