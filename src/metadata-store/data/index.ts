export { hasAssetVersion } from "./has-asset-version.ts";
export {
  type CapturedFile,
  clearCapturedFiles,
  listCapturedFiles,
  moveCapturedFile,
  recordCapturedFiles,
  removeCapturedFiles,
  setCapturedFileState,
} from "./captured-file.ts";
export {
  beginDatasetWrite,
  commitDatasetWrite,
  type DatasetWriteKey,
  type DatasetWriteRecord,
  endDatasetWrite,
  extendDatasetWrite,
  getDatasetWrite,
  listOpenDatasetWrites,
  lockDataset,
} from "./dataset-write.ts";
export {
  closeQuarantine,
  getQuarantineBatch,
  listOpenQuarantine,
  listQuarantineBatches,
  listQuarantineRows,
  type NewQuarantineBatch,
  type QuarantineBatch,
  type QuarantineRow,
  recordQuarantineBatch,
  setQuarantineRows,
  summarizeQuarantine,
} from "./quarantine.ts";
export {
  clearIntervals,
  endRestatements,
  getIntervalLedger,
  listRestatements,
  recordIntervalLedger,
  recordRestatement,
  type Restatement,
} from "./interval-ledger.ts";
export {
  acceptPushedBatch,
  type AcceptedBatch,
  askForPushedEvents,
  forgetPushedEvents,
  listPushedBatches,
  type NewPushedBatch,
  type PushedBatch,
  type PushedEvent,
  sumPushedEvents,
  takePushedBatches,
  type WaitingEvents,
} from "./pushed-events.ts";
export type { CapturedFileState, QuarantineRowState } from "./tables.ts";
