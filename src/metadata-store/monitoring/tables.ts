import type { CountSpan } from "./objective-count.ts";
import type { AlertEvent, AlertState, DeliveryState } from "./alert.ts";

export interface MonitoringTables {
  monitor: {
    project: string;
    environment: string;
    /** `<endpoint>.<monitor>`: the subject that pipelines subscribe to. */
    name: string;
    endpoint: string;
    /** JSON: the monitor as declared. */
    declaration: string;
    /** The file that declares it. */
    file: string;
    updated_at_ms: number;
  };
  monitor_window: {
    project: string;
    environment: string;
    endpoint: string;
    /** `hour`, `day` or `week` */
    size: string;
    start_ms: number;
    end_ms: number;
    predictions: number;
    labelled: number;
    /** How often labels of the window were replaced by different ones. */
    corrections: number;
    /** JSON: predictions by model version id. */
    versions: string;
    /** The model version whose reference was compared with. */
    reference_version_id: string | null;
    /** The window's end lies behind: no prediction is expected any more. */
    closed: number;
    evaluated_at_ms: number;
  };
  monitor_score: {
    project: string;
    environment: string;
    endpoint: string;
    size: string;
    start_ms: number;
    /** `drift`, `prediction_drift`, `null_share`, `roc_auc`, `estimated_roc_auc`, … */
    metric: string;
    /** Column, or empty. */
    subject: string;
    /** `column=value`, or empty for all rows. */
    segment: string;
    value: number | null;
    baseline: number | null;
    threshold: number | null;
    /** 1 drifted or out of bounds, 0 not, null when nothing was decided. */
    breached: number | null;
    n: number;
    n_reference: number | null;
    /** JSON: method and its parameters. */
    method: string;
  };
  alert: {
    id: string;
    project: string;
    environment: string;
    endpoint: string;
    monitor: string;
    metric: string;
    subject: string;
    segment: string;
    state: AlertState;
    value: number;
    threshold: number;
    /** First and latest window that breached. */
    window_start_ms: number;
    window_end_ms: number;
    last_window_start_ms: number;
    windows: number;
    n: number;
    model_version_id: string | null;
    message: string;
    opened_at_ms: number;
    changed_at_ms: number;
    changed_by: string;
    /** JSON: ids of the pipeline runs it triggered. */
    triggered: string;
    /** JSON: why it opened; its shape belongs to `monitoring`. */
    explanation: string | null;
    close_reason: string | null;
  };
  objective_count: {
    project: string;
    environment: string;
    endpoint: string;
    objective: string;
    span: CountSpan;
    /** Start of the minute or hour, epoch ms. */
    start_ms: number;
    good: number;
    total: number;
  };
  /** What is told of an alert, one row per receiver. */
  alert_notice: {
    alert_id: string;
    event: AlertEvent;
    /** An address. */
    target: string;
    state: DeliveryState;
    attempts: number;
    next_at_ms: number;
    last_error: string | null;
    delivered_at_ms: number | null;
  };
}
