export {
  type Analytics,
  type AnalyticsConnection,
  type AppendedColumn,
  type AnalyticsOptions,
  type Column,
  createAnalytics,
  type SandboxAccess,
} from "./analytics/analytics.ts";
export type { ColumnBatch, ColumnValues } from "./analytics/columns.ts";
export type { JsonCell, Row } from "./analytics/rows.ts";
export { quoteList, quoteName, quoteText } from "./analytics/sql-text.ts";
export type {
  DatasetContent,
  Datasets,
  DatasetSnapshot,
  DatasetWrite,
  QuarantineSummary,
  QueryResult,
  WriteDisposition,
} from "./dataset.ts";
export { createDatasets } from "./datasets.ts";
export { compactDatasets, type DatasetCompaction } from "./compact-datasets.ts";
export { type DatasetVacuum, vacuumDatasets } from "./vacuum-datasets.ts";
export { captureFileUnknown, datasetNotIncremental } from "./errors.ts";
export { askToRestate, type RestatementRequest } from "./restate-dataset.ts";
export { askForCapture, dropDataset, restoreDataset } from "./change-dataset.ts";
export type { DatasetsDependencies } from "./dataset-tables.ts";
export type { ColumnProfile, Profile } from "./profile/profile.ts";
export type { CaptureDeclaration } from "./capture/capture-declaration.ts";
export { type CaptureKindDependencies, createCaptureKind } from "./capture/capture-kind.ts";
export { createEventBuffer, type EventBuffer, type PushAnswer, type PushRequest } from "./push/event-buffer.ts";
export { type PushSettings, pushSettingsOf } from "./push/push-declaration.ts";
export { pushNotDeclared } from "./push-errors.ts";
export { findPersonalData, type PersonalColumn } from "./contract/personal-data.ts";
export { contractInputs, describeContract, modelContractProblems, treatedColumnsOf } from "./contract/step-contract.ts";
export { declaredWrite } from "./write-declaration.ts";
export { type Contract, readContract } from "./contract/contract.ts";
export type { ColumnLineage, LineageInput } from "./transform/column-lineage.ts";
export { createSqlKind, type SqlDeclaration, type SqlKindDependencies } from "./transform/sql-kind.ts";
export { type RunScript, scriptTestProblems, testScriptStep } from "./transform/test-script-step.ts";
export { testSqlStep } from "./transform/test-sql-step.ts";
export { describeResult } from "./transform/unit-tests/describe-result.ts";
export type { UnitTestResult } from "./transform/unit-tests/run-unit-tests.ts";
export { type ExpectedVersion, listTables, type TableDamage, verifyTable } from "./delta/verify-table.ts";
export { createLogTables, type LogFile, type LogTables, type LogVersion } from "./delta/log-table.ts";
export { tableAt } from "./delta/table.ts";
export { describeStandaloneTable, type StandaloneTable } from "./delta/standalone-table.ts";
export {
  type DatasetDetails,
  type DatasetQueryDependencies,
  type DatasetSummary,
  getDatasetDetails,
  listDatasets,
  type QuarantineTotals,
  readProfile,
} from "./dataset-queries.ts";
export { createSensing, type SensingDependencies } from "./sensing/sensing.ts";
export { createDatasetStorage, type DatasetStorageDependencies } from "./dataset-storage.ts";
export {
  discardHeld,
  discardQuarantine,
  type QuarantineDependencies,
  type QuarantinedRow,
  readQuarantine,
  replayQuarantine,
  type ReplayResult,
} from "./contract/quarantine.ts";
export {
  type Dashboard,
  dashboardJsonSchema,
  type DashboardTile,
  readDashboard,
  type ReadDashboard,
} from "./deliver/dashboard.ts";
export {
  checkTableFile,
  isTableFile,
  openTableFile,
  reading as readingTableFile,
  type TableFile,
  writeTableFile,
} from "./deliver/table-file.ts";
export { createPublishKind, type PublishDeclaration, type PublishKindDependencies } from "./deliver/publish-kind.ts";
export { type DashboardReport, getDashboard } from "./deliver/report.ts";
export {
  openSqlSession,
  queryDatasets,
  prepareSelect,
  type DatasetSelect,
  type QuerySource,
  type SqlSession,
} from "./query/sql-session.ts";
export type { TextRows } from "./analytics/prepared-select.ts";
export { analyseSql } from "./transform/sql-text-analysis.ts";
