import type { WriteTransaction } from "#metadata-store";
import {
  type Alert,
  changeAlert,
  linkTriggeredRuns,
  listAlerts,
  listWindows,
  type MonitorWindow,
  openAlert,
} from "#metadata-store/monitoring";
import type { EndpointKey } from "#metadata-store/serving";
import { fireTrigger } from "#engine";
import type { EvaluationReport } from "./evaluation.ts";
import { type Judgement, judgeWindow } from "./judge.ts";
import { toTarget } from "./alert-channel.ts";
import type { Monitor, MonitorSet } from "./monitor-set.ts";

interface Judging {
  readonly set: MonitorSet;
  readonly window: MonitorWindow;
  readonly key: EndpointKey;
  readonly atMs: number;
  /** Why each breach happened, by {@link nameOfBreach}. */
  readonly explanations: ReadonlyMap<string, string> | undefined;
  /** Routes that are told where the file has no `notify`. */
  readonly routes: readonly string[];
}

/** Judges a closed window: closes what is settled, opens what breaches, and starts what subscribes to it. */
export async function judge(transaction: WriteTransaction, judging: Judging): Promise<EvaluationReport> {
  const { set, window, key } = judging;
  const longest = set.monitors.reduce((most, monitor) => Math.max(most, monitor.rule.consecutive), 1);
  const earlier =
    longest === 1
      ? []
      : (await listWindows(transaction, { ...key, size: set.window, toMs: window.startMs, limit: longest - 1 })).filter(
          (one) => one.closed,
        );
  const opened: Alert[] = [];
  let closed = 0;
  for (const monitor of set.monitors) {
    const judgements = judgeWindow(monitor.rule, window, set);
    closed += await closeSettled(transaction, monitor, judgements, judging);
    const before = earlier.slice(1 - monitor.rule.consecutive).map((one) => judgeWindow(monitor.rule, one, set));
    const lasting =
      monitor.rule.consecutive === 1
        ? judgements
        : judgements.filter(
            (judgement) =>
              before.length >= monitor.rule.consecutive - 1 &&
              before.every((one) => one.some((other) => other.breached && isSameSeries(judgement, other))),
          );
    opened.push(
      ...(await openBreaches(
        transaction,
        monitor,
        lasting.filter((judgement) => judgement.breached),
        judging,
      )),
    );
  }
  return { windows: 1, opened, closed };
}

/** Who is told of the alerts of a file. */
function targetsOf({ notify }: MonitorSet, routes: readonly string[]): readonly string[] {
  return (notify ?? routes).map((entry) => (typeof entry === "string" ? toTarget(entry) : entry.webhook));
}

/** Names a breach of a monitor within one window. */
export function nameOfBreach(monitor: string, { metric, subject, segment }: Judgement): string {
  return JSON.stringify([monitor, metric, subject, segment]);
}

/** Whether two values are of the same metric, column and segment. */
export function isSameSeries(
  left: Pick<Judgement, "metric" | "subject" | "segment">,
  right: Pick<Judgement, "metric" | "subject" | "segment">,
): boolean {
  return left.metric === right.metric && left.subject === right.subject && left.segment === right.segment;
}

/** Closes open alerts of a monitor whose value came back, or whose model no longer answers. */
async function closeSettled(
  transaction: WriteTransaction,
  monitor: Monitor,
  judgements: readonly Judgement[],
  { key, window, atMs }: Judging,
): Promise<number> {
  const open = await listAlerts(transaction, {
    project: key.project,
    environment: key.environment,
    monitor: monitor.name,
    states: ["open", "acknowledged"],
    limit: 1000,
  });
  let closed = 0;
  for (const alert of open) {
    if (window.startMs <= alert.lastWindowStartMs) continue;
    const replaced =
      window.referenceVersionId !== undefined &&
      alert.modelVersionId !== undefined &&
      window.referenceVersionId !== alert.modelVersionId;
    const settled = judgements.some((judgement) => !judgement.breached && isSameSeries(judgement, alert));
    if (!replaced && !settled) continue;
    const reason = replaced ? "another model version answers" : "the value is back within its bounds";
    await changeAlert(transaction, {
      project: key.project,
      id: alert.id,
      state: "closed",
      actor: "engine",
      atMs,
      reason,
    });
    closed++;
  }
  return closed;
}

async function openBreaches(
  transaction: WriteTransaction,
  monitor: Monitor,
  breaches: readonly Judgement[],
  { key, window, set, atMs, explanations, routes }: Judging,
): Promise<Alert[]> {
  const opened: Alert[] = [];
  for (const breach of breaches) {
    const result = await openAlert(transaction, {
      ...key,
      monitor: monitor.name,
      metric: breach.metric,
      subject: breach.subject,
      segment: breach.segment,
      value: breach.value,
      threshold: breach.threshold,
      windowStartMs: window.startMs,
      windowEndMs: window.endMs,
      n: breach.n,
      modelVersionId: window.referenceVersionId,
      message: breach.message,
      explanation: explanations?.get(nameOfBreach(monitor.name, breach)),
      atMs,
      targets: targetsOf(set, routes),
    });
    if (result.opened) opened.push(result.alert);
  }
  if (opened.length === 0) return [];
  const cause = {
    environment: key.environment,
    endpoint: key.endpoint,
    monitor: monitor.name,
    windowStartMs: window.startMs,
    windowEndMs: window.endMs,
    alerts: opened.map(({ id, metric, subject, value, threshold }) => ({ id, metric, subject, value, threshold })),
  };
  const runs = await fireTrigger(transaction, {
    project: key.project,
    on: "alert",
    subject: monitor.name,
    cause,
    atMs,
    actor: "engine",
  });
  for (const alert of opened) await linkTriggeredRuns(transaction, alert.id, runs);
  return opened.map((alert) => ({ ...alert, triggered: runs }));
}
