import type { Alert, Monitor } from "#api";
import type { Platform } from "#app";
import { changeAlert, findPipelineRun, listAlerts, listMonitors, listWindows, type Alert as StoredAlert, type ReadTransaction, type StoredMonitor } from "#metadata-store";
import type { ApiHandlers } from "../api/mount-api.ts";
import { toPage } from "../api/paging.ts";
import { resourceMissing } from "../errors.ts";

/** Monitors and the alerts they raise. */
export function createAlertHandlers({ store, project, clock }: Platform): Pick<ApiHandlers, "listMonitors" | "listAlerts" | "acknowledgeAlert"> {
  return {
    listMonitors: ({ query }) =>
      store.read(async (transaction) => {
        const found = await listMonitors(transaction, { project, after: query.after, limit: query.limit + 1 });
        const shown = await Promise.all(found.map((monitor) => toMonitor(transaction, monitor)));
        return toPage(shown.flat(), { limit: query.limit, cursor: ({ name }) => name, show: (monitor) => monitor });
      }),
    listAlerts: ({ query }) =>
      store.read(async (transaction) => {
        const found = await listAlerts(transaction, { project, before: query.after, limit: query.limit + 1, ...(query.state === undefined ? {} : { states: [query.state] }) });
        const shown = await Promise.all(found.map((alert) => toAlert(transaction, alert)));
        return toPage(shown, { limit: query.limit, cursor: ({ id }) => id, show: (alert) => alert });
      }),
    acknowledgeAlert: async ({ params, identity }) => {
      const changed = await store.write((transaction) => changeAlert(transaction, { project, id: params.id, state: "acknowledged", atMs: clock.now(), actor: identity.name }));
      if (changed === undefined) throw resourceMissing({ kind: "alert", key: params.id });
      return { id: params.id };
    },
  };
}

/** An alert with the pipeline runs it started. */
export async function toAlert(transaction: ReadTransaction, alert: StoredAlert): Promise<Alert> {
  const runs = await Promise.all(alert.triggered.map((id) => findPipelineRun(transaction, id)));
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
    triggered: runs.flatMap((run) => (run === undefined ? [] : [{ pipelineRunId: run.id, pipeline: run.pipeline, status: run.status }])),
  };
}

interface DeclaredMonitor {
  readonly window?: string;
  readonly description?: string;
}

/** A declared monitor as one row per metric that the newest window measured against a threshold. */
export async function toMonitor(transaction: ReadTransaction, monitor: StoredMonitor): Promise<readonly Monitor[]> {
  const declaration = monitor.declaration as DeclaredMonitor;
  const window = declaration.window ?? "week";
  const key = { project: monitor.project, environment: monitor.environment, endpoint: monitor.endpoint };
  const [latest] = await listWindows(transaction, { ...key, size: window, limit: 1 });
  const open = await listAlerts(transaction, { project: monitor.project, environment: monitor.environment, monitor: monitor.name, states: ["open", "acknowledged"], limit: 1 });
  const common = { name: monitor.name, subject: monitor.endpoint, environment: monitor.environment, window, description: declaration.description };
  const measured = (latest?.scores ?? []).filter((score) => score.threshold !== undefined && score.value !== undefined);
  if (latest === undefined || measured.length === 0) return [{ ...common, metric: monitor.name.split(".").at(-1) ?? "", threshold: 0, alertWhen: "above", state: "no_data" }];
  return measured.map((score) => ({
    ...common,
    metric: score.metric,
    column: score.subject === "" ? undefined : score.subject,
    segment: score.segment === "" ? undefined : score.segment,
    threshold: score.threshold ?? 0,
    alertWhen: score.breached === (score.value ?? 0) < (score.threshold ?? 0) ? "below" : "above",
    state: score.breached === true || open.some((alert) => alert.metric === score.metric) ? "alert" : "ok",
    lastValue: score.value,
    lastAtMs: latest.endMs,
  }));
}
