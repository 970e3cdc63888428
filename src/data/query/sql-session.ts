import { nearestName } from "#base";
import { type AssetVersion, getAssetVersion, listAssets, type MetadataStore } from "#metadata-store";
import type { Analytics, AnalyticsConnection, Column } from "../analytics/analytics.ts";
import type { TextRows } from "../analytics/prepared-select.ts";
import type { Datasets, QueryResult } from "../dataset.ts";
import { asSubquery } from "../dataset-tables.ts";
import { datasetUnknown, queryCancelled, queryFailed } from "../errors.ts";
import { analyseSql, type SqlTable } from "../transform/sql-text-analysis.ts";
import { castParameters, countParameters } from "./cast-parameters.ts";

const NAMES_SUGGESTED_FROM = 1_000;
const VERSIONED = /^(.+)@(\d+)$/;

/** A dataset version that a query reads. */
export interface QuerySource {
  readonly dataset: string;
  readonly version: number;
  readonly versionId: string;
}

/** A SELECT over datasets that is ready to run. */
export interface DatasetSelect {
  readonly sources: readonly QuerySource[];
  /** DuckDB's types of `$1` …. */
  readonly parameterTypes: readonly string[];
  readonly columns: readonly Column[];
  /**
   * All rows, in parts. Parameters are in PostgreSQL's text form. One at a time per session.
   *
   * @throws DATA_QUERY_FAILED, DATA_QUERY_CANCELLED, DATA_MEMORY_EXHAUSTED
   */
  run(parameters: readonly (string | null)[], signal?: AbortSignal): AsyncGenerator<TextRows, void, undefined>;
  close(): void;
}

/**
 * Read-only SQL over the datasets of a project, one caller's. A table is a dataset's name, alone or after `public`, and
 * means its latest version when the statement was prepared; `"flights@3"` is version 3.
 */
export interface SqlSession {
  /**
   * @param declared DuckDB's types of `$1` … where the caller knows them
   * @throws DATA_QUERY_FAILED with the place in the text, DATA_DATASET_UNKNOWN, and as `Datasets.snapshot`
   */
  prepare(sql: string, declared?: readonly (string | undefined)[]): Promise<DatasetSelect>;
  close(): void;
}

export interface SqlSessionDependencies {
  readonly store: MetadataStore;
  readonly analytics: Analytics;
  readonly datasets: Datasets;
}

export function openSqlSession(
  { store, analytics, datasets }: SqlSessionDependencies,
  facts: {
    readonly project: string;
    readonly memoryBytes?: number | undefined;
    /** An answer is computed to one row more than it may have. */
    readonly rows?: number | undefined;
  },
): SqlSession {
  const { project, memoryBytes } = facts;
  /** The last sandbox: tools ask the same tables again and again. */
  let kept: Sandbox | undefined;
  const open = new Set<Sandbox>();

  async function sandboxOf(tables: ReadonlyMap<string, AssetVersion>): Promise<Sandbox> {
    const key = [...tables]
      .map(([name, { id }]) => JSON.stringify([name, id]))
      .toSorted((left, right) => (left < right ? -1 : 1))
      .join();
    if (kept?.key === key) return kept;
    const before = kept;
    kept = { key, connection: await datasets.sandbox({ tables, memoryBytes }), users: 0 };
    open.add(kept);
    if (before !== undefined) closeUnused(before);
    return kept;
  }
  function closeUnused(sandbox: Sandbox): void {
    if (sandbox.users > 0 || sandbox === kept) return;
    sandbox.connection.close();
    open.delete(sandbox);
  }

  return {
    async prepare(sql, declared = []) {
      const tables = await readTables({ store, analytics }, project, sql);
      const sandbox = await sandboxOf(tables);
      const text = asSubquery(sql).slice(1, -1);
      const select = await prepareSelect(sandbox.connection, text, { declared, rows: facts.rows });
      sandbox.users++;
      let closed = false;
      return {
        ...select,
        sources: sourcesOf(tables),
        close() {
          if (closed) return;
          closed = true;
          select.close();
          sandbox.users--;
          closeUnused(sandbox);
        },
      };
    },
    close() {
      for (const { connection } of open) connection.close();
    },
  };
}

/** A connection that can read some versions, and how many statements are prepared on it. */
interface Sandbox {
  readonly key: string;
  readonly connection: AnalyticsConnection;
  users: number;
}

/**
 * Prepares one statement on a connection. Its parameters are cast to the types that the caller knows, or else to those
 * that DuckDB finds.
 *
 * @throws DATA_QUERY_FAILED
 */
export async function prepareSelect(
  connection: AnalyticsConnection,
  sql: string,
  { declared, rows }: { readonly declared: readonly (string | undefined)[]; readonly rows?: number | undefined },
): Promise<Omit<DatasetSelect, "sources">> {
  const found = await foundTypes(connection, sql);
  const types = Array.from(
    { length: Math.max(found.length, countParameters(sql)) },
    (_, index) => declared[index] ?? found[index] ?? guessedType(sql, index + 1),
  );
  // What DuckDB says of columns while parameters have no values is not always whole.
  const described = await connection.prepare(castParameters(sql, types, "NULL"));
  const { columns } = described;
  described.close();
  // Names of columns are those of the statement itself: around it, two that are alike would differ.
  const bounded = rows === undefined ? sql : `SELECT * FROM (\n${sql}\n) LIMIT ${rows + 1}`;
  const prepared = await connection.prepare(castParameters(bounded, types));
  return {
    parameterTypes: types,
    columns,
    async *run(parameters, signal) {
      const stopWatching = connection.interruptOn(signal);
      try {
        for await (const rows of prepared.run(parameters)) {
          if (signal?.aborted === true) throw queryCancelled({});
          yield rows;
        }
      } finally {
        stopWatching();
      }
    },
    close: () => prepared.close(),
  };
}

/** None where DuckDB needs the types to read the statement: what is wrong with it is told once they are there. */
async function foundTypes(connection: AnalyticsConnection, sql: string): Promise<readonly (string | undefined)[]> {
  if (countParameters(sql) === 0) return [];
  try {
    const plain = await connection.prepare(sql);
    const { parameterTypes } = plain;
    plain.close();
    return parameterTypes;
  } catch {
    return [];
  }
}

/** `= ANY($1)` takes a list. */
function guessedType(sql: string, number: number): string {
  return new RegExp(`\\b(?:any|all|some)\\s*\\(\\s*\\$${number}\\b`, "i").test(sql) ? "VARCHAR[]" : "VARCHAR";
}

/**
 * The rows of one SELECT over datasets, as JSON. `limit` at most 100,000.
 *
 * @throws as {@link SqlSession.prepare}, DATA_QUERY_CANCELLED, DATA_MEMORY_EXHAUSTED
 */
export async function queryDatasets(
  { store, analytics, datasets }: SqlSessionDependencies,
  query: {
    readonly project: string;
    readonly sql: string;
    readonly limit: number;
    readonly memoryBytes?: number | undefined;
    readonly signal?: AbortSignal;
  },
): Promise<QueryResult & { readonly sources: readonly QuerySource[] }> {
  const { sql, limit, memoryBytes, signal } = query;
  const tables = await readTables({ store, analytics }, query.project, sql);
  const result = await datasets.query({ sql, tables, limit, memoryBytes, ...(signal === undefined ? {} : { signal }) });
  return { ...result, sources: sourcesOf(tables) };
}

/** The datasets that a SELECT names. */
async function readTables(
  { store, analytics }: Pick<SqlSessionDependencies, "store" | "analytics">,
  project: string,
  sql: string,
): Promise<ReadonlyMap<string, AssetVersion>> {
  const analysis = await analyseSql(analytics, sql, { schemas: ["public"] });
  const [problem] = analysis.problems;
  if (problem !== undefined)
    throw queryFailed({ reason: `line ${problem.line}, column ${problem.column}: ${problem.message}`, sql });
  return findTables(store, project, analysis.tables);
}

function sourcesOf(tables: ReadonlyMap<string, AssetVersion>): readonly QuerySource[] {
  return [...tables.values()].map(({ asset, version, id }) => ({ dataset: asset, version, versionId: id }));
}

async function findTables(
  store: MetadataStore,
  project: string,
  named: readonly SqlTable[],
): Promise<ReadonlyMap<string, AssetVersion>> {
  const tables = new Map<string, AssetVersion>();
  for (const { name, line, column } of named) {
    const [, asset = name, version] = VERSIONED.exec(name) ?? [];
    const found = await findVersion(store, project, asset, version === undefined ? undefined : Number(version));
    if (found === undefined) {
      const names = await store.read((transaction) =>
        listAssets(transaction, { project, kind: "data", limit: NAMES_SUGGESTED_FROM }),
      );
      throw datasetUnknown({
        dataset: name,
        line,
        column,
        near: nearestName(
          asset,
          names.map(({ asset: each }) => each),
        ),
      });
    }
    tables.set(name, found);
  }
  return tables;
}

/** SQL folds names that stand without quotes: `FLIGHTS` means `flights`. */
async function findVersion(
  store: MetadataStore,
  project: string,
  name: string,
  version: number | undefined,
): Promise<AssetVersion | undefined> {
  for (const asset of new Set([name, name.toLowerCase()])) {
    const found = await store.read((transaction) =>
      getAssetVersion(transaction, { project, asset, ...(version === undefined ? {} : { version }) }),
    );
    if (found?.kind === "data" || found?.kind === "features") return found;
  }
  return undefined;
}
