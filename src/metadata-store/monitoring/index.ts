export type { Alert, AlertEvent, AlertState, DeliveryState } from "./alert.ts";
export { changeAlert } from "./change-alert.ts";
export { type AlertNotice, claimAlertNotices, listNotices, nextAlertNoticeMs, saveNotice } from "./notice.ts";
export { type AlertQuery, countAlerts, countOpenAlerts, getAlert, listAlerts } from "./list-alerts.ts";
export { listMonitors, replaceMonitors, type StoredMonitor } from "./monitor.ts";
export {
  addObjectiveCounts,
  type CountSpan,
  type ObjectiveCount,
  removeObjectiveCounts,
  sumObjectiveCounts,
} from "./objective-count.ts";
export { type Breach, isAlertKnown, linkTriggeredRuns, openAlert } from "./open-alert.ts";
export {
  countMonitorWindows,
  listWindowFacts,
  listWindows,
  type MonitorScore,
  type MonitorWindow,
  saveWindow,
  type WindowFacts,
} from "./window.ts";
