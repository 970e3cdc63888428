export { backUpPlatform, checkStoreBackup, restoreProjectStore } from "./back-up.ts";
export { assertAdministrator } from "./assert-administrator.ts";
export {
  captureAgain,
  discardHeldRows,
  dropProjectDataset,
  restateProjectDataset,
  restoreProjectDataset,
} from "./change-dataset.ts";
export { createUserWithToken } from "./create-user.ts";
export { findPartitions } from "./find-partitions.ts";
export { type Debugged, type DebugPlace, debugStepRun } from "./debug-step.ts";
export { exportPackagedCode } from "./export-packaged-code.ts";
export { exportModelPackage } from "./export-model-package.ts";
export {
  examineExecutors,
  type ExaminedExecutor,
  type TriedExecutor,
  tryExecutor,
  type UnplacedStep,
} from "./examine-executors.ts";
export type { HealthCheck } from "./health.ts";
export { findWorkflows, mirrorFolderOf, workflowCannotRun, workflowUnknown } from "./workflows.ts";
export { lintProject, lintWithoutConfig } from "./lint-project.ts";
export { openPlatform, openStorePlatform, type PlatformOptions } from "./open-platform.ts";
export { describeOrigin, explainStep, planPipeline } from "./plan-pipeline.ts";
export type { Platform, StorePlatform } from "./platform.ts";
export { pushEvents } from "./push-events.ts";
export { pushFeatures } from "./push-features.ts";
export { runWorkerHere, toMemoryBytes } from "./run-worker.ts";
export { rotateSecrets } from "./rotate-secrets.ts";
export { replayDataset } from "./replay-dataset.ts";
export { exportEvents, proveByKey, provePlatformEvent, verifyPlatformAudit } from "./audit.ts";
export {
  compareNotebookFiles,
  type NotebookComparison,
  type NotebookReview,
  reviewNotebookFile,
} from "./review-notebook.ts";
export { importMlflowStore, purgeTracking } from "./tracking-upkeep.ts";
export { scanDataset } from "./scan-dataset.ts";
export { type TestedModelResult, testModels } from "./test-models.ts";
export { type UnpackedModel, unpackModelPackage } from "./unpack-model-package.ts";
export { type Collected, collectPlatformGarbage } from "./collect-garbage.ts";
export { compactProjectDatasets, vacuumProjectDatasets } from "./vacuum-datasets.ts";
export { scoreWithModel } from "./score-model.ts";
export { isTableFile } from "#data";
export type { TableScored } from "#serving";
export { verifyPlatformStore } from "./verify-project.ts";
export type { Identity, Role } from "#access";
export type { RunAhead, RunProgress } from "#engine";
export { examineProject } from "./doctor/doctor.ts";
export type { Finding } from "./doctor/finding.ts";
