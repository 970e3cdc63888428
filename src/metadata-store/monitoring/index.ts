export type { Alert, AlertState, DeliveryState } from "./alert.ts";
export { changeAlert } from "./change-alert.ts";
export {
  type AlertDelivery,
  claimAlertDeliveries,
  listDeliveries,
  nextAlertDeliveryMs,
  saveDelivery,
} from "./delivery.ts";
export { type AlertQuery, countAlerts, countOpenAlerts, listAlerts } from "./list-alerts.ts";
export { listMonitors, replaceMonitors, type StoredMonitor } from "./monitor.ts";
export { type Breach, linkTriggeredRuns, openAlert } from "./open-alert.ts";
export {
  countMonitorWindows,
  listWindowFacts,
  listWindows,
  type MonitorScore,
  type MonitorWindow,
  saveWindow,
  type WindowFacts,
} from "./window.ts";
