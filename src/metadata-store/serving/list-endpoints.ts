import type { ReadTransaction } from "../database.ts";
import { type Endpoint, type EndpointAction, type EndpointKey, type EndpointStrategy, toEndpoint } from "./endpoint.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/**
 * Endpoints by environment and name; of every project when none is named. `after` is the `[environment, name]` that
 * ended the page before.
 */
export async function listEndpoints(
  transaction: ReadTransaction,
  query: {
    readonly project?: string;
    readonly environment?: string;
    readonly after?: readonly [string, string];
    readonly limit?: number;
  } = {},
): Promise<readonly Endpoint[]> {
  let select = transaction.selectFrom("endpoint").selectAll();
  if (query.project !== undefined) select = select.where("project", "=", query.project);
  if (query.environment !== undefined) select = select.where("environment", "=", query.environment);
  const { after } = query;
  if (after !== undefined) {
    select = select.where((where) =>
      where.or([
        where("environment", ">", after[0]),
        where.and([where("environment", "=", after[0]), where("name", ">", after[1])]),
      ]),
    );
  }
  const rows = await select
    .orderBy("environment")
    .orderBy("name")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toEndpoint);
}

/** @returns undefined when there is no such endpoint */
export async function getEndpoint(transaction: ReadTransaction, key: EndpointKey): Promise<Endpoint | undefined> {
  const row = await transaction
    .selectFrom("endpoint")
    .selectAll()
    .where("project", "=", key.project)
    .where("environment", "=", key.environment)
    .where("name", "=", key.endpoint)
    .executeTakeFirst();
  return row === undefined ? undefined : toEndpoint(row);
}

/** One line of an endpoint's history. */
export interface EndpointHistoryEntry {
  readonly id: string;
  readonly action: EndpointAction;
  readonly modelVersionId: string;
  readonly previousVersionId: string | undefined;
  readonly strategy: EndpointStrategy;
  readonly actor: string;
  readonly atMs: number;
  readonly operationId: string;
}

/** Changes of one endpoint, newest first. `before` is the last id of the page before. */
export async function listEndpointHistory(
  transaction: ReadTransaction,
  query: EndpointKey & { readonly before?: string; readonly limit?: number },
): Promise<readonly EndpointHistoryEntry[]> {
  let select = transaction
    .selectFrom("endpoint_change")
    .selectAll()
    .where("project", "=", query.project)
    .where("environment", "=", query.environment)
    .where("endpoint", "=", query.endpoint);
  if (query.before !== undefined) select = select.where("id", "<", query.before);
  const rows = await select
    .orderBy("id", "desc")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map((row) => ({
    id: row.id,
    action: row.action,
    modelVersionId: row.model_version_id,
    previousVersionId: row.previous_version_id ?? undefined,
    strategy: JSON.parse(row.strategy) as EndpointStrategy,
    actor: row.actor,
    atMs: row.at_ms,
    operationId: row.operation_id,
  }));
}

/** How many endpoints a project has. */
export async function countEndpoints(transaction: ReadTransaction, project: string): Promise<number> {
  const { count } = await transaction
    .selectFrom("endpoint")
    .select((select) => select.fn.countAll<number>().as("count"))
    .where("project", "=", project)
    .executeTakeFirstOrThrow();
  return Number(count);
}
