import type { Monitor } from "#api";
import { type Monitor as DeclaredMonitor, readWatchedSeries, type WatchedSeries } from "#monitoring";
import type { ReadTransaction } from "#metadata-store";
import {
  listAlerts,
  listWindows,
  type Alert as StoredAlert,
  type MonitorWindow,
  type StoredMonitor,
} from "#metadata-store/monitoring";

/** Nearly always the last window, or the one before, could be judged. */
const FIRST_LOOK = 2;
/** Windows that are looked through for one that could be judged: labels may come weeks later. */
const MOST_WINDOWS = 20;
const ALERTS_A_PAGE = 1000;

/**
 * Declared monitors as one row per series that each watches, with what its newest judged window says, and its open
 * alerts. What several of them look at is read once.
 *
 * @param known windows of one endpoint that were read before, with their size, oldest first
 */
export async function toMonitors(
  transaction: ReadTransaction,
  monitors: readonly StoredMonitor[],
  known?: { readonly size: string; readonly windows: readonly MonitorWindow[] },
): Promise<readonly Monitor[]> {
  const alerts = Map.groupBy(await openAlerts(transaction, monitors), nameOf);
  const windows = createWindowReader(transaction, known);
  const shown: Monitor[] = [];
  for (const monitor of monitors) {
    const declared = monitor.declaration as DeclaredMonitor;
    // oxlint-disable-next-line no-await-in-loop -- the windows of one monitor often serve the next
    const series = await watchedSeries(monitor, (count) => windows(monitor, declared.window, count));
    shown.push(...toRows(monitor, series, alerts.get(nameOf({ ...monitor, monitor: monitor.name })) ?? []));
  }
  return shown;
}

function nameOf({ environment, monitor }: { readonly environment: string; readonly monitor: string }): string {
  return JSON.stringify([environment, monitor]);
}

/** Every alert of these monitors that nobody closed, however many. */
async function openAlerts(
  transaction: ReadTransaction,
  monitors: readonly StoredMonitor[],
): Promise<readonly StoredAlert[]> {
  const [first] = monitors;
  if (first === undefined) return [];
  const isOne = monitors.every(
    ({ environment, endpoint }) => environment === first.environment && endpoint === first.endpoint,
  );
  const scope = {
    project: first.project,
    ...(isOne ? { environment: first.environment, endpoint: first.endpoint } : {}),
  };
  const found: StoredAlert[] = [];
  for (let before: string | undefined; ; before = found.at(-1)?.id) {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const page = await listAlerts(transaction, {
      ...scope,
      states: ["open", "acknowledged"],
      before,
      limit: ALERTS_A_PAGE,
    });
    found.push(...page);
    if (page.length < ALERTS_A_PAGE) return found;
  }
}

type WindowReader = (of: StoredMonitor, size: string, count: number) => Promise<readonly MonitorWindow[]>;

/** Reads the newest windows of an endpoint once for all its monitors. */
function createWindowReader(
  transaction: ReadTransaction,
  known: { readonly size: string; readonly windows: readonly MonitorWindow[] } | undefined,
): WindowReader {
  const read = new Map<string, Promise<readonly MonitorWindow[]>>();
  return async ({ project, environment, endpoint }, size, count) => {
    if (known?.size === size) return known.windows.slice(-count);
    const name = JSON.stringify([environment, endpoint, size, count]);
    const windows = read.get(name) ?? listWindows(transaction, { project, environment, endpoint, size, limit: count });
    read.set(name, windows);
    return windows;
  };
}

async function watchedSeries(
  monitor: StoredMonitor,
  newest: (count: number) => Promise<readonly MonitorWindow[]>,
): Promise<readonly WatchedSeries[]> {
  const declared = monitor.declaration as DeclaredMonitor;
  const series = readWatchedSeries(declared, await newest(FIRST_LOOK));
  return series.some(({ atMs }) => atMs !== undefined)
    ? series
    : readWatchedSeries(declared, await newest(MOST_WINDOWS));
}

function toRows(
  monitor: StoredMonitor,
  watched: readonly WatchedSeries[],
  open: readonly StoredAlert[],
): readonly Monitor[] {
  const declared = monitor.declaration as DeclaredMonitor;
  const series = watched.filter(
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
