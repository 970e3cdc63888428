import type { Selectable } from "kysely";
import type { MonitoringTables } from "./tables.ts";

/** `open` until someone acknowledges it; `closed` when the value came back, the model changed or someone closed it. */
export const ALERT_STATES = ["open", "acknowledged", "closed"] as const;
export type AlertState = (typeof ALERT_STATES)[number];

/** What is told of an alert. */
export const ALERT_EVENTS = ["opened", "closed"] as const;
export type AlertEvent = (typeof ALERT_EVENTS)[number];

export const DELIVERY_STATES = ["pending", "delivered", "failed"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

/** A monitor that crossed its threshold. */
export interface Alert {
  /** ULID; the same in every delivery of this alert. */
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  readonly endpoint: string;
  /** `<endpoint>.<monitor>` */
  readonly monitor: string;
  readonly metric: string;
  /** Column, or empty. */
  readonly subject: string;
  /** `column=value`, or empty. */
  readonly segment: string;
  readonly state: AlertState;
  /** Value of the latest window that breached. */
  readonly value: number;
  readonly threshold: number;
  /** The window that opened it, epoch ms. */
  readonly windowStartMs: number;
  readonly windowEndMs: number;
  /** Start of the latest window that breached. */
  readonly lastWindowStartMs: number;
  /** How many windows breached while it was open. */
  readonly windows: number;
  readonly n: number;
  readonly modelVersionId: string | undefined;
  readonly message: string;
  readonly openedAtMs: number;
  readonly changedAtMs: number;
  readonly changedBy: string;
  /** Pipeline runs that it triggered. */
  readonly triggered: readonly string[];
  /** JSON: why it opened, as `monitoring` wrote it; alerts of earlier versions have none. */
  readonly explanation: string | undefined;
  /** Why it closed; undefined while it is open. */
  readonly closeReason: string | undefined;
}

export function toAlert(row: Selectable<MonitoringTables["alert"]>): Alert {
  return {
    id: row.id,
    project: row.project,
    environment: row.environment,
    endpoint: row.endpoint,
    monitor: row.monitor,
    metric: row.metric,
    subject: row.subject,
    segment: row.segment,
    state: row.state,
    value: row.value,
    threshold: row.threshold,
    windowStartMs: row.window_start_ms,
    windowEndMs: row.window_end_ms,
    lastWindowStartMs: row.last_window_start_ms,
    windows: row.windows,
    n: row.n,
    modelVersionId: row.model_version_id ?? undefined,
    message: row.message,
    openedAtMs: row.opened_at_ms,
    changedAtMs: row.changed_at_ms,
    changedBy: row.changed_by,
    triggered: JSON.parse(row.triggered) as string[],
    explanation: row.explanation ?? undefined,
    closeReason: row.close_reason ?? undefined,
  };
}
