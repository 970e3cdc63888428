export type { BackfillPreview, BackfillRequest, Backfills, BackfillState } from "./backfills.ts";
export { cancelPipelineRun } from "./change-run.ts";
export type { DebugPlace, DebugRequest } from "./debug.ts";
export { createEngine, type Engine, type EngineOptions, type SubmitRequest } from "./engine.ts";
export type { Executor, ExecutorWorker, ProcessHandle } from "./executor.ts";
export { placeLost } from "./errors.ts";
export { executorOf } from "./place.ts";
export { type GateKey, openGate, refuseGate } from "./gate.ts";
export type { EnginePorts, TrackingRun } from "./ports.ts";
export { findAbandonedRuns } from "./query/abandoned-run.ts";
export { type LogStorage, sealLooseLogs } from "./seal-log.ts";
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
export { readRunNumber, readStepResults, type StepResult } from "./query/step-results.ts";
export { readTestHistory, type TestHistory } from "./query/test-history.ts";
export type { RunProgress } from "./query/run-progress.ts";
export { registerPipelines } from "./register-pipelines.ts";
export { registerPools } from "./register-pools.ts";
export type { RunAhead } from "./runs-ahead.ts";
export { createTreeStorage } from "./tree-storage.ts";
export { enqueuePipeline, type FiredTrigger, fireTrigger } from "./trigger.ts";
export { listRetrainings, type RetrainingDecision, type RetrainingState } from "./query/retrainings.ts";
export { findWeaklyMade, type WeaklyMade } from "./query/version-isolation.ts";
export { createPastRuns } from "./query/past-runs.ts";
