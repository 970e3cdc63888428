import { newId } from "#base";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { appendEvent } from "../event/append-event.ts";
import { type Alert, toAlert } from "./alert.ts";
import { queueNotices } from "./notice.ts";

/** One breach, found in one window. */
export interface Breach {
  readonly project: string;
  readonly environment: string;
  readonly endpoint: string;
  readonly monitor: string;
  readonly metric: string;
  readonly subject: string;
  readonly segment: string;
  readonly value: number;
  readonly threshold: number;
  readonly windowStartMs: number;
  readonly windowEndMs: number;
  readonly n: number;
  readonly modelVersionId: string | undefined;
  readonly message: string;
  readonly atMs: number;
  /** JSON: why it opens. */
  readonly explanation?: string | undefined;
  /** Who is told: webhook addresses. */
  readonly targets: readonly string[];
}

/**
 * Opens an alert for a breach, or adds the window to the one that is open for the same monitor, metric, column and
 * segment.
 * A window that already breached adds nothing. Appends `alert.opened` and the pending deliveries of a new alert.
 */
export async function openAlert(
  transaction: WriteTransaction,
  breach: Breach,
): Promise<{ readonly alert: Alert; readonly opened: boolean }> {
  const same = transaction
    .selectFrom("alert")
    .selectAll()
    .where("project", "=", breach.project)
    .where("environment", "=", breach.environment)
    .where("monitor", "=", breach.monitor)
    .where("metric", "=", breach.metric)
    .where("subject", "=", breach.subject)
    .where("segment", "=", breach.segment);
  const known = await same
    .where("last_window_start_ms", ">=", breach.windowStartMs)
    .where("window_start_ms", "<=", breach.windowStartMs)
    .limit(1)
    .executeTakeFirst();
  if (known !== undefined) return { alert: toAlert(known), opened: false };
  const open = await same.where("state", "!=", "closed").orderBy("id", "desc").limit(1).executeTakeFirst();
  if (open !== undefined) {
    const changed = {
      value: breach.value,
      threshold: breach.threshold,
      n: breach.n,
      message: breach.message,
      windows: open.windows + 1,
      last_window_start_ms: Math.max(open.last_window_start_ms, breach.windowStartMs),
    };
    await transaction.updateTable("alert").set(changed).where("id", "=", open.id).execute();
    return { alert: toAlert({ ...open, ...changed }), opened: false };
  }
  const row = {
    id: newId(breach.atMs),
    project: breach.project,
    environment: breach.environment,
    endpoint: breach.endpoint,
    monitor: breach.monitor,
    metric: breach.metric,
    subject: breach.subject,
    segment: breach.segment,
    state: "open" as const,
    value: breach.value,
    threshold: breach.threshold,
    window_start_ms: breach.windowStartMs,
    window_end_ms: breach.windowEndMs,
    last_window_start_ms: breach.windowStartMs,
    windows: 1,
    n: breach.n,
    model_version_id: breach.modelVersionId ?? null,
    message: breach.message,
    opened_at_ms: breach.atMs,
    changed_at_ms: breach.atMs,
    changed_by: "engine",
    triggered: "[]",
    explanation: breach.explanation ?? null,
    close_reason: null,
  };
  await transaction.insertInto("alert").values(row).execute();
  await queueNotices(transaction, { alertId: row.id, event: "opened", targets: breach.targets, atMs: breach.atMs });
  await appendEvent(transaction, {
    atMs: breach.atMs,
    project: breach.project,
    type: "alert.opened",
    subjectKind: "alert",
    subject: breach.monitor,
    actor: "engine",
    data: {
      id: row.id,
      environment: breach.environment,
      metric: breach.metric,
      subject: breach.subject,
      segment: breach.segment,
      value: breach.value,
      threshold: breach.threshold,
    },
  });
  return { alert: toAlert(row), opened: true };
}

/**
 * Whether an alert of a series is open, or one holds this window: a breach of it opens no other. One of another model
 * version is closed when this one's windows are judged.
 */
export async function isAlertKnown(
  transaction: ReadTransaction,
  series: Pick<
    Breach,
    "project" | "environment" | "monitor" | "metric" | "subject" | "segment" | "windowStartMs" | "modelVersionId"
  >,
): Promise<boolean> {
  const { modelVersionId } = series;
  const row = await transaction
    .selectFrom("alert")
    .select("id")
    .where("project", "=", series.project)
    .where("environment", "=", series.environment)
    .where("monitor", "=", series.monitor)
    .where("metric", "=", series.metric)
    .where("subject", "=", series.subject)
    .where("segment", "=", series.segment)
    .where((is) =>
      is.or([
        is.and([
          is("state", "!=", "closed"),
          is.or([
            is("model_version_id", "is", null),
            modelVersionId === undefined
              ? is("model_version_id", "is not", null)
              : is("model_version_id", "=", modelVersionId),
          ]),
        ]),
        is.and([
          is("last_window_start_ms", ">=", series.windowStartMs),
          is("window_start_ms", "<=", series.windowStartMs),
        ]),
      ]),
    )
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Remembers which pipeline runs an alert started. */
export async function linkTriggeredRuns(
  transaction: WriteTransaction,
  alertId: string,
  pipelineRunIds: readonly string[],
): Promise<void> {
  await transaction
    .updateTable("alert")
    .set({ triggered: JSON.stringify(pipelineRunIds) })
    .where("id", "=", alertId)
    .execute();
}
