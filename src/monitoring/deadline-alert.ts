import type { WriteTransaction } from "#metadata-store";
import { changeAlert, listAlerts, openAlert } from "#metadata-store/monitoring";

const METRIC = "deadline";

/** What did not end in time: a pipeline run, a step of one, or a day without a run. Times are epoch milliseconds. */
export interface LateFacts {
  readonly project: string;
  readonly pipeline: string;
  /** Empty: the pipeline itself. */
  readonly step: string;
  /** Which run, or which day. */
  readonly subject: string;
  readonly fromMs: number;
  readonly dueAtMs: number;
  readonly atMs: number;
}

/** Opens the alert of a breach; undefined when it was known. Its monitor is `PIPELINE.deadline`. */
export async function openLate(
  transaction: WriteTransaction,
  { project, pipeline, step, subject, fromMs, dueAtMs, atMs, ...told }: LateFacts & { readonly message: string },
  targets: readonly string[],
): Promise<{ readonly id: string; readonly monitor: string } | undefined> {
  const { alert, opened } = await openAlert(transaction, {
    project,
    environment: "",
    endpoint: pipeline,
    monitor: `${pipeline}.${METRIC}`,
    metric: METRIC,
    subject: step,
    segment: subject,
    value: (atMs - fromMs) / 1000,
    threshold: (dueAtMs - fromMs) / 1000,
    windowStartMs: fromMs,
    windowEndMs: dueAtMs,
    n: 0,
    modelVersionId: undefined,
    message: told.message,
    atMs,
    targets,
  });
  return opened ? { id: alert.id, monitor: alert.monitor } : undefined;
}

/** Closes the alert of what has ended. */
export async function closeLate(
  transaction: WriteTransaction,
  { project, pipeline, step, subject, atMs, reason }: LateFacts & { readonly reason: string },
): Promise<void> {
  const monitor = `${pipeline}.${METRIC}`;
  const states = ["open", "acknowledged"] as const;
  for (const alert of await listAlerts(transaction, { project, environment: "", monitor, states, limit: 1000 }))
    if (alert.metric === METRIC && alert.subject === step && alert.segment === subject)
      await changeAlert(transaction, { project, id: alert.id, state: "closed", actor: "engine", atMs, reason });
}
