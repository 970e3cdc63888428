export {
  type AttemptCredential,
  getAttemptCredential,
  listAttemptSteps,
  setAttemptTokenHash,
} from "./attempt-token.ts";
export {
  appendBackfillEvent,
  type Backfill,
  type BackfillCounts,
  type BackfillPartition,
  countBackfillPartitions,
  findBackfill,
  insertBackfill,
  listBackfillPartitions,
  listBackfills,
  listOpenBackfills,
  listRunsOfBackfill,
  lockBackfill,
  moveBackfillPartitions,
  setBackfillPartition,
  setBackfillStatus,
} from "./backfill.ts";
export { listPartitionSteps, listStepStates, type PartitionSteps, type StepState } from "./state-grid.ts";
export { listCachedKeys, listPartitionRuns, medianPartitionRun, type PartitionRun } from "./partition-runs.ts";
export { type CacheEntry, getCacheEntry, getLatestCacheEntry, putCacheEntry } from "./cache-entry.ts";
export {
  type Claim,
  type ClaimedStepRun,
  claimStepRuns,
  hasClaimable,
  nextReadyTime,
  readAsClaimed,
  takeOverAttempt,
} from "./claim-step-runs.ts";
export { findFailedStepRun, isRunAcknowledged, listRunningStepRuns, listUnsettledFailures } from "./current-state.ts";
export {
  advanceDeadline,
  type AskedRun,
  type Deadline,
  deleteLate,
  findRunSince,
  findStanding,
  insertLate,
  type Late,
  listDeadlines,
  listLate,
  listRunsAskedFor,
  type SavedDeadline,
} from "./deadline.ts";
export { databaseNow } from "./database-time.ts";
export { type AttemptEnd, endAttempt, type HeldAttempt, holdAttempt } from "./end-attempt.ts";
export { isStopped, type StepRunEnd } from "./end-step-run.ts";
export {
  advanceSchedule,
  findMergeableRun,
  findTriggeredPipelines,
  listDueSchedules,
  listSchedules,
} from "./find-triggered-pipelines.ts";
export {
  findLastTraining,
  isAnyAlertOpen,
  type LastTraining,
  linkAlertsToRun,
  listAttemptSpans,
  listRetrainingEvents,
  listRetrainingPipelines,
  listRunModels,
  listRunTimes,
  lockPipeline,
  readPipelinesMark,
  RETRAINING,
  type RetrainingCause,
  type RetrainingEvent,
  type RetrainingReason,
} from "./retraining.ts";
export { expandItems } from "./expand-items.ts";
export { listStepResults, putStepResult, type StepResult } from "./step-result.ts";
export { findWaitingStepRun } from "./find-waiting-step-run.ts";
export { changeGate, type GateChange, getGate } from "./gate.ts";
export { insertPipelineRun, type NewPipelineRun, type NewRunStep, type NewStepRun } from "./insert-pipeline-run.ts";
export { countStepRunsOf, findLatestStepRuns, type LatestStepRun, nameStepRuns } from "./latest-step-runs.ts";
export { keepLeases, type LeaseKeeper } from "./lease-keeper.ts";
export {
  type EngineInstance,
  type ForeignAttempt,
  listCancelledAttempts,
  listEndedAttempts,
  listForeignAttempts,
  listOtherEngines,
  registerEngine,
  renewLeases,
  retireEngine,
  setAttemptTrackingRun,
} from "./lease.ts";
export {
  findPipelineRun,
  findPipelineRuns,
  findRunAhead,
  countPipelineRunsUpTo,
  listPipelineRuns,
  listPipelines,
  type PipelineRun,
  type PipelineSummary,
} from "./list-pipeline-runs.ts";
export {
  type Attempt,
  countStepRuns,
  findLatestStepRun,
  findStepRun,
  listAllStepRuns,
  listAttempts,
  listRunSteps,
  listStepAssets,
  listStepRuns,
  type StepRun,
  type StoredError,
} from "./list-step-runs.ts";
export { appendLogChunks, listLogChunks, type LogChunk } from "./log-chunk.ts";
export {
  deleteLogChunks,
  deleteLogChunksOf,
  listLogChunkSizes,
  listLogParts,
  listLooseLogs,
  type LogPart,
  type LogPlace,
  type LogRange,
  type LogSegment,
  type LooseLog,
  measureLog,
  measureLooseLogs,
  putLogSegments,
  type StoredLogSegment,
} from "./log-segment.ts";
export { type DeclaredPool, listPools, type PoolHolder, type PoolState, savePools } from "./pool.ts";
export { listQueue, type WorkQueue } from "./list-queue.ts";
export { listTestedStepRuns, type TestResults } from "./test-results.ts";
export { explainWaits, type Holder, type WaitReason } from "./wait-reason.ts";
export { isPaused, listPauses, pausePipeline, type PipelinePause, unpausePipeline } from "./pipeline-pause.ts";
export {
  claimSensor,
  listNextSensors,
  listSensors,
  type SavedSensor,
  type Sensor,
  type SensorLook,
  settleSensor,
} from "./sensor.ts";
export { type Resume, resumePipelineRun } from "./resume-pipeline-run.ts";
export {
  getPipelineDefinition,
  type NewPipeline,
  removePipelinesExcept,
  type SavedSchedule,
  savePipeline,
} from "./save-pipeline.ts";
export { admitPipelineRuns } from "./settle-pipeline-run.ts";
export {
  getRunInput,
  getRunOutcomes,
  getRunOutput,
  getStepFacts,
  listFactsOfMakers,
  putStepInputs,
  putStepOutputs,
  setStepProgress,
} from "./step-assets.ts";
export { listAssetsOf, listAttemptsOf, listLatestStepRuns, type StepAsset, sumOutputs } from "./step-runs-in-bulk.ts";
export { interruptPipelineRun, requestCancel } from "./stop-pipeline-run.ts";
export {
  type AttemptStatus,
  type BackfillPartitionStatus,
  type BackfillStatus,
  type PipelineRunStatus,
  type StepRunStatus,
  type TriggerKind,
} from "./tables.ts";
