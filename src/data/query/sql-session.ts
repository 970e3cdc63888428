import { nearestName } from "#base";
import { type AssetVersion, getAssetVersion, listAssets, type MetadataStore } from "#metadata-store";
import type { Analytics, AnalyticsConnection, Column } from "../analytics/analytics.ts";
import type { TextRows } from "../analytics/prepared-select.ts";
import type { Datasets, QueryResult } from "../dataset.ts";
import { asSubquery } from "../dataset-tables.ts";
import { datasetUnknown, queryFailed } from "../errors.ts";
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
   * Rows as they are computed. Parameters are in PostgreSQL's text form. One at a time per session.
   *
   * @throws DATA_QUERY_FAILED, DATA_QUERY_CANCELLED, DATA_MEMORY_EXHAUSTED
   */
  stream(parameters: readonly (string | null)[], signal?: AbortSignal): AsyncGenerator<TextRows, void, undefined>;
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
  { project, memoryBytes }: { readonly project: string; readonly memoryBytes?: number | undefined },
): SqlSession {
  /** The last sandbox: tools ask the same tables again and again. */
  let kept: { readonly key: string; readonly connection: AnalyticsConnection } | undefined;
  let using = 0;
  const waste = new Set<AnalyticsConnection>();

  async function sandboxOf(tables: ReadonlyMap<string, AssetVersion>): Promise<AnalyticsConnection> {
    const key = [...tables]
      .map(([name, { id }]) => JSON.stringify([name, id]))
      .toSorted((left, right) => (left < right ? -1 : 1))
      .join();
    if (kept?.key === key) return kept.connection;
    const connection = await datasets.sandbox({ tables, memoryBytes });
    if (kept !== undefined) {
      if (using === 0) kept.connection.close();
      else waste.add(kept.connection);
    }
    kept = { key, connection };
    return connection;
  }
  function release(): void {
    using--;
    if (using > 0) return;
    for (const connection of waste) connection.close();
    waste.clear();
  }

  return {
    async prepare(sql, declared = []) {
      const tables = await readTables({ store, analytics }, project, sql);
      const connection = await sandboxOf(tables);
      const text = asSubquery(sql).slice(1, -1);
      const select = await prepareSelect(connection, text, declared);
      using++;
      let closed = false;
      return {
        ...select,
        sources: sourcesOf(tables),
        close() {
          if (closed) return;
          closed = true;
          select.close();
          release();
        },
      };
    },
    close() {
      kept?.connection.close();
      for (const connection of waste) connection.close();
    },
  };
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
  declared: readonly (string | undefined)[],
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
  const prepared = await connection.prepare(castParameters(sql, types));
  return {
    parameterTypes: types,
    columns,
    async *stream(parameters, signal) {
      const stopWatching = connection.interruptOn(signal);
      try {
        yield* prepared.stream(parameters);
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
