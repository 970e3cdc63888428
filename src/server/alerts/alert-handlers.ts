import type { Alert, AlertDetail, AlertNotice } from "#api";
import type { Platform } from "#app";
import type { ReadTransaction } from "#metadata-store";
import {
  changeAlert,
  getAlert,
  listAlerts,
  listMonitors,
  listNotices,
  type Alert as StoredAlert,
} from "#metadata-store/monitoring";
import { readExplanation } from "#monitoring";
import { findPipelineRuns, type PipelineRun } from "#metadata-store/engine";
import type { ApiHandlers } from "../api/api-mounts.ts";
import { parseCursor, toPage, ULID } from "../api/paging.ts";
import { resourceMissing } from "../errors.ts";
import { toMonitors } from "./monitor-view.ts";

type StoredNotice = Awaited<ReturnType<typeof listNotices>>[number];

/** Monitors and the alerts they raise. */
export function createAlertHandlers({
  store,
  project,
  clock,
  monitoring,
}: Platform): Pick<ApiHandlers, "listMonitors" | "listAlerts" | "getAlert" | "testAlertRoute" | "acknowledgeAlert"> {
  return {
    listMonitors: ({ query }) =>
      store.read(async (transaction) => {
        const [name, environment] = parseCursor(query.after, /^(.+)\/([^/]+)$/) ?? [];
        const after = name === undefined || environment === undefined ? undefined : { name, environment };
        const found = await listMonitors(transaction, { project, after, limit: query.limit + 1 });
        // A page holds whole monitors, each with all that it watches.
        const { items, next } = toPage(found, {
          limit: query.limit,
          cursor: (monitor) => `${monitor.name}/${monitor.environment}`,
          show: (monitor) => monitor,
        });
        return {
          items: await toMonitors(transaction, items),
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
    getAlert: ({ params }) =>
      store.read(async (transaction) => {
        const alert = await getAlert(transaction, { project, id: params.id });
        const [shown] = alert === undefined ? [] : await toAlerts(transaction, [alert]);
        if (alert === undefined || shown === undefined) throw resourceMissing({ kind: "alert", key: params.id });
        const notices = await listNotices(transaction, alert.id);
        return {
          ...shown,
          rows: alert.n,
          windows: alert.windows,
          closeReason: alert.closeReason,
          explanation: readExplanation(alert.explanation),
          notices: notices.map(toNotice),
        } satisfies AlertDetail;
      }),
    testAlertRoute: async ({ params }) => ({ tests: await monitoring.testRoute({ project, name: params.name }) }),
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

/** Without secrets: the host of an address, the name of a route. */
function toNotice({ target, state, deliveredAtMs, lastError, ...notice }: StoredNotice): AlertNotice {
  const [, route] = /^route:(.*)$/.exec(target) ?? [];
  return {
    ...notice,
    target: route ?? URL.parse(target)?.host ?? target,
    // Who is told again and again was told.
    state: state === "pending" && deliveredAtMs !== undefined && lastError === undefined ? "delivered" : state,
    deliveredAtMs,
    lastError,
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
    environment: alert.environment === "" ? undefined : alert.environment,
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
    message: alert.message,
    closedAtMs: alert.state === "closed" ? alert.changedAtMs : undefined,
    triggered: alert.triggered.flatMap((id) => {
      const run = runs.get(id);
      return run === undefined ? [] : [{ pipelineRunId: id, pipeline: run.pipeline, status: run.status }];
    }),
  };
}
