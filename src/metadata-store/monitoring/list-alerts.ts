import type { ReadTransaction } from "../database.ts";
import type { EndpointKey } from "../serving/endpoint.ts";
import { type Alert, type AlertState, toAlert } from "./alert.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

export interface AlertQuery {
  readonly project: string;
  readonly environment?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly monitor?: string | undefined;
  readonly states?: readonly AlertState[] | undefined;
  /** Last id of the page before. */
  readonly before?: string | undefined;
  readonly limit?: number | undefined;
}

/** Alerts, newest first. */
export async function listAlerts(transaction: ReadTransaction, query: AlertQuery): Promise<readonly Alert[]> {
  let select = transaction.selectFrom("alert").selectAll().where("project", "=", query.project);
  if (query.environment !== undefined) select = select.where("environment", "=", query.environment);
  if (query.endpoint !== undefined) select = select.where("endpoint", "=", query.endpoint);
  if (query.monitor !== undefined) select = select.where("monitor", "=", query.monitor);
  if (query.states !== undefined) select = select.where("state", "in", query.states);
  if (query.before !== undefined) select = select.where("id", "<", query.before);
  const rows = await select
    .orderBy("id", "desc")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toAlert);
}

/** One alert of a project; undefined when there is none. */
export async function getAlert(
  transaction: ReadTransaction,
  of: { readonly project: string; readonly id: string },
): Promise<Alert | undefined> {
  const row = await transaction
    .selectFrom("alert")
    .selectAll()
    .where("id", "=", of.id)
    .where("project", "=", of.project)
    .executeTakeFirst();
  return row === undefined ? undefined : toAlert(row);
}

/** How many alerts an endpoint has raised. */
export async function countAlerts(transaction: ReadTransaction, key: EndpointKey): Promise<number> {
  const { count } = await transaction
    .selectFrom("alert")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("endpoint", "=", key.endpoint)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Open alerts of a project by environment and endpoint; an endpoint without any is left out. */
export async function countOpenAlerts(
  transaction: ReadTransaction,
  query: { readonly project: string },
): Promise<readonly { readonly environment: string; readonly endpoint: string; readonly count: number }[]> {
  const rows = await transaction
    .selectFrom("alert")
    .select((select) => ["environment", "endpoint", select.fn.countAll<number>().as("count")])
    .where("project", "=", query.project)
    .where("state", "=", "open")
    .groupBy(["environment", "endpoint"])
    .execute();
  return rows.map((row) => ({ environment: row.environment, endpoint: row.endpoint, count: Number(row.count) }));
}
