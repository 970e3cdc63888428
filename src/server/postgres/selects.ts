/* oxlint-disable no-await-in-loop -- what one connection asks is answered in its order */
import type { Identity } from "#access";
import type { Platform } from "#app";
import {
  type Analytics,
  type AnalyticsConnection,
  type DatasetSummary,
  analyseSql,
  listDatasets,
  openSqlSession,
  prepareSelect,
  type TextRows,
} from "#data";
import { createCatalog, isCatalogTable, toCatalogSql } from "./catalog.ts";

const DATASETS_IN_A_PAGE = 1_000;
/** How old the system catalogs may be. */
const CATALOG_MS = 5_000;
const MENTIONS_CATALOG =
  /\bpg_\w+|\binformation_schema\b|\bversion\s*\(|\bcurrent_\w+|\bhas_\w+_privilege|\bsession_user\b/i;

/** A prepared SELECT, over datasets or over the system catalogs. */
export interface OpenSelect {
  readonly parameterTypes: readonly string[];
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  run(parameters: readonly (string | null)[], signal?: AbortSignal): AsyncGenerator<TextRows, void, undefined>;
  close(): void;
}

/** What one connection may ask. */
export interface Selects {
  prepare(sql: string, declared: readonly (string | undefined)[]): Promise<OpenSelect>;
  close(): void;
}

/** @param settings what SHOW and `pg_settings` say */
export function openSelects(
  platform: Platform,
  facts: {
    readonly identity: Identity;
    readonly version: string;
    readonly settings: ReadonlyMap<string, string>;
    readonly memoryBytes: number | undefined;
    readonly rows: number;
  },
): Selects {
  const { project, store, analytics } = platform;
  const datasets = openSqlSession(platform, { project, memoryBytes: facts.memoryBytes, rows: facts.rows });
  let catalog: { readonly madeAtMs: number; readonly connection: AnalyticsConnection } | undefined;

  async function catalogConnection(): Promise<AnalyticsConnection> {
    if (catalog !== undefined && Date.now() - catalog.madeAtMs < CATALOG_MS) return catalog.connection;
    const found: DatasetSummary[] = [];
    for (let after: string | undefined; ;) {
      const page = await listDatasets(
        { store },
        { project, limit: DATASETS_IN_A_PAGE, ...(after === undefined ? {} : { after }) },
      );
      found.push(...page);
      after = page.at(-1)?.name;
      if (page.length < DATASETS_IN_A_PAGE) break;
    }
    const connection = await analytics.sandbox({ files: [] }, (prepared) =>
      createCatalog(prepared, {
        database: project,
        user: facts.identity.name,
        version: facts.version,
        settings: facts.settings,
        datasets: found,
      }),
    );
    catalog?.connection.close();
    catalog = { madeAtMs: Date.now(), connection };
    return connection;
  }

  return {
    async prepare(sql, declared) {
      if (!MENTIONS_CATALOG.test(sql) || !(await asksCatalog(analytics, toCatalogSql(sql))))
        return datasets.prepare(sql, declared);
      return prepareSelect(await catalogConnection(), toCatalogSql(sql), { declared });
    },
    close() {
      datasets.close();
      catalog?.connection.close();
    },
  };
}

/** Of datasets and catalogs together nothing is asked; what DuckDB cannot read as one SELECT the catalogs refuse. */
async function asksCatalog(analytics: Analytics, sql: string): Promise<boolean> {
  const { tables } = await analyseSql(analytics, sql, { schemas: ["public"] });
  return tables.every(({ name }) => isCatalogTable(name));
}
