export { type DatabaseFacts, readDatabaseFacts } from "./database-facts.ts";
export { deleteLogs, deletePredictions } from "./expire.ts";
export { deleteRuns, type RunsPlace } from "./delete-runs.ts";
export { type ExpiredVersion, expireVersions } from "./expire-versions.ts";
export { digestsIn, listNamedDigests } from "./named-digests.ts";
export { holdUpkeep } from "./one-at-a-time.ts";
export {
  countLogsIn,
  listHeldObjects,
  listLogBlobs,
  listLogGaps,
  listModelSources,
  listVersionsAfter,
} from "./stored-bytes.ts";
