import type { Alert, Monitor } from "#api";
import type { Platform } from "#app";
import { type Monitor as DeclaredMonitor, readWatchedSeries, type WatchedSeries } from "#monitoring";
import {
  changeAlert,
  findPipelineRuns,
  listAlerts,
  listMonitors,
  listWindows,
  type PipelineRun,
  type Alert as StoredAlert,
  type ReadTransaction,
  type StoredMonitor,
} from "#metadata-store";
import type { ApiHandlers } from "../api/mount-api.ts";
import { parseCursor, toPage, ULID } from "../api/paging.ts";
import { resourceMissing } from "../errors.ts";

/** Monitors and the alerts they raise. */
export function createAlertHandlers({
  store,
  project,
  clock,
}: Platform): Pick<ApiHandlers, "listMonitors" | "listAlerts" | "acknowledgeAlert"> {
  return {
    listMonitors: ({ query }) =>
      store.read(async (transaction) => {
        const found = await listMonitors(transaction, { project, after: query.after, limit: query.limit + 1 });
        // A page holds whole monitors, each with all that it watches.
        const { items, next } = toPage(found, {
          limit: query.limit,
          cursor: ({ name }) => name,
          show: (monitor) => monitor,
        });
        return {
          items: (await Promise.all(items.map((monitor) => toMonitor(transaction, monitor)))).flat(),
          ...(next === undefined ? {} : { next }),
        };
      }),
    listAlerts: ({ query }) =>
      store.read(async (transaction) => {
        const found = await listAlerts(transaction, {
          project,
          before: parseCursor(query.after, ULID)?.[0],
          limit: query.limit + 1,
          ...(query.state === undefined ? {} : { states: [query.state] }),
        });
        const shown = await toAlerts(transaction, found);
        return toPage(shown, { limit: query.limit, cursor: ({ id }) => id, show: (alert) => alert });
      }),
    acknowledgeAlert: async ({ params, identity }) => {
      const changed = await store.write((transaction) =>
        changeAlert(transaction, {
          project,
          id: params.id,
          state: "acknowledged",
          atMs: clock.now(),
          actor: identity.name,
        }),
      );
      if (changed === undefined) throw resourceMissing({ kind: "alert", key: params.id });
      return { id: params.id };
    },
  };
}

/** Alerts with the pipeline runs they started. */
export async function toAlerts(
  transaction: ReadTransaction,
  alerts: readonly StoredAlert[],
): Promise<readonly Alert[]> {
  const runs = new Map(
    (
      await findPipelineRuns(
        transaction,
        alerts.flatMap(({ triggered }) => triggered),
      )
    ).map((run) => [run.id, run]),
  );
  return alerts.map((alert) => toAlert(alert, runs));
}

function toAlert(alert: StoredAlert, runs: ReadonlyMap<string, PipelineRun>): Alert {
  return {
    id: alert.id,
    monitor: alert.monitor,
    subject: alert.endpoint,
    environment: alert.environment,
    metric: alert.metric,
    column: alert.subject === "" ? undefined : alert.subject,
    segment: alert.segment === "" ? undefined : alert.segment,
    value: alert.value,
    threshold: alert.threshold,
    alertWhen: alert.value < alert.threshold ? "below" : "above",
    windowStartMs: alert.windowStartMs,
    windowEndMs: alert.windowEndMs,
    atMs: alert.openedAtMs,
    state: alert.state,
    closedAtMs: alert.state === "closed" ? alert.changedAtMs : undefined,
    triggered: alert.triggered.flatMap((id) => {
      const run = runs.get(id);
      return run === undefined ? [] : [{ pipelineRunId: id, pipeline: run.pipeline, status: run.status }];
    }),
  };
}

/** Windows that are looked through for one that could be judged: labels may come weeks later. */
const MOST_WINDOWS = 20;

/**
 * A declared monitor as one row per series that it watches, with what its newest judged window says, and its open
 * alerts.
 */
export async function toMonitor(transaction: ReadTransaction, monitor: StoredMonitor): Promise<readonly Monitor[]> {
  const declared = monitor.declaration as DeclaredMonitor;
  const windows = await listWindows(transaction, {
    project: monitor.project,
    environment: monitor.environment,
    endpoint: monitor.endpoint,
    size: declared.window,
    limit: MOST_WINDOWS,
  });
  const open = await listAlerts(transaction, {
    project: monitor.project,
    environment: monitor.environment,
    monitor: monitor.name,
    states: ["open", "acknowledged"],
    limit: 1000,
  });
  const series = readWatchedSeries(declared, windows).filter(
    ({ value, metric }) => value !== undefined || !open.some((alert) => alert.metric.startsWith(metric)),
  );
  const isOf = (alert: StoredAlert, one: WatchedSeries): boolean =>
    alert.metric === one.metric && alert.subject === one.subject && alert.segment === one.segment;
  const unseen = open.filter((alert) => !series.some((one) => isOf(alert, one)));
  const shown = [
    ...series.map((one) => ({ ...one, alert: open.some((alert) => isOf(alert, one)) })),
    ...unseen.map(({ metric, subject, segment, threshold, value, windowEndMs }) => ({
      metric,
      subject,
      segment,
      threshold,
      value,
      atMs: windowEndMs,
      side: value < threshold ? ("below" as const) : ("above" as const),
      alert: true,
    })),
  ];
  return shown.map(({ metric, subject, segment, threshold, side, value, atMs, alert }) => ({
    name: monitor.name,
    subject: monitor.endpoint,
    environment: monitor.environment,
    window: declared.window,
    description: declared.rule.description,
    metric,
    column: subject === "" ? undefined : subject,
    segment: segment === "" ? undefined : segment,
    threshold,
    alertWhen: side,
    state: alert ? "alert" : value === undefined ? "no_data" : "ok",
    lastValue: value,
    lastAtMs: atMs,
  }));
}
