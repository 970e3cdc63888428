export { purgeExperiment, purgeLoggedModel, purgeRun } from "./purge.ts";
export { listPurgeableExperiments, listPurgeableLoggedModels, listPurgeableRuns, type Purgeable } from "./purgeable.ts";
