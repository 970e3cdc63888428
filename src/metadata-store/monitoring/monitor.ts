import type { ReadTransaction, WriteTransaction } from "../database.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

/** A monitor as it is declared. */
export interface StoredMonitor {
  readonly project: string;
  readonly environment: string;
  /** `<endpoint>.<monitor>` */
  readonly name: string;
  readonly endpoint: string;
  readonly declaration: object;
  /** Project-relative. */
  readonly file: string;
  readonly updatedAtMs: number;
}

/** Makes the monitors of a project exactly these; alerts and windows stay. */
export async function replaceMonitors(
  transaction: WriteTransaction,
  project: string,
  monitors: readonly StoredMonitor[],
): Promise<void> {
  await transaction.deleteFrom("monitor").where("project", "=", project).execute();
  for (const monitor of monitors) {
    await transaction
      .insertInto("monitor")
      .values({
        project,
        environment: monitor.environment,
        name: monitor.name,
        endpoint: monitor.endpoint,
        declaration: JSON.stringify(monitor.declaration),
        file: monitor.file,
        updated_at_ms: monitor.updatedAtMs,
      })
      .execute();
  }
}

/** Monitors by name, at most 1,000. */
export async function listMonitors(
  transaction: ReadTransaction,
  query: {
    readonly project: string;
    readonly environment?: string | undefined;
    readonly endpoint?: string | undefined;
    /** The last monitor of the page before: a name may stand in several environments. */
    readonly after?: { readonly name: string; readonly environment: string } | undefined;
    readonly limit?: number | undefined;
  },
): Promise<readonly StoredMonitor[]> {
  let select = transaction.selectFrom("monitor").selectAll().where("project", "=", query.project);
  if (query.environment !== undefined) select = select.where("environment", "=", query.environment);
  if (query.endpoint !== undefined) select = select.where("endpoint", "=", query.endpoint);
  const { after } = query;
  if (after !== undefined)
    select = select.where((is) =>
      is.or([
        is("name", ">", after.name),
        is.and([is("name", "=", after.name), is("environment", ">", after.environment)]),
      ]),
    );
  const rows = await select
    .orderBy("name")
    .orderBy("environment")
    .limit(Math.min(query.limit ?? 1000, LARGEST_PAGE))
    .execute();
  return rows.map((row) => ({
    project: row.project,
    environment: row.environment,
    name: row.name,
    endpoint: row.endpoint,
    declaration: JSON.parse(row.declaration) as object,
    file: row.file,
    updatedAtMs: row.updated_at_ms,
  }));
}
