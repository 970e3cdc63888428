export { importSourceUnreadable } from "./errors.ts";
export { openMlflowDatabase, toLoggedModelStatus, toStage } from "./mlflow-database.ts";
export type {
  LeftBehind,
  MlflowSource,
  SourceExperiment,
  SourceLoggedModel,
  SourceModelVersion,
  SourceRegisteredModel,
  SourceRun,
} from "./mlflow-source.ts";
export { importExperiment, importLoggedModel, importRegisteredModel, importRun } from "./write-imported.ts";
