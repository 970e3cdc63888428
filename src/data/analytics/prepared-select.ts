import type { DuckDBPreparedStatement } from "@duckdb/node-api";
import type { Column } from "./analytics.ts";
import { cellText } from "./cell-text.ts";

/** Some rows of a result: one array per column, in the text form of PostgreSQL; NULL is null. */
export interface TextRows {
  readonly rowCount: number;
  readonly columns: readonly (readonly (string | null)[])[];
}

/** One prepared statement of a connection. */
export interface PreparedSelect {
  /** DuckDB's names of what it takes for `$1` …; undefined where any type will do. */
  readonly parameterTypes: readonly (string | undefined)[];
  readonly columns: readonly Column[];
  /**
   * Runs it to its end, then hands its rows out in parts. DuckDB's streams are not used: one that fails or is stopped
   * halfway ends like one that is whole.
   *
   * @throws DATA_QUERY_FAILED, DATA_QUERY_CANCELLED
   */
  run(parameters: readonly (string | null)[]): AsyncGenerator<TextRows, void, undefined>;
  close(): void;
}

/** @param toError what a failure is told as */
export function openPrepared(statement: DuckDBPreparedStatement, toError: (error: unknown) => Error): PreparedSelect {
  return {
    parameterTypes: Array.from({ length: statement.parameterCount }, (_, index) => parameterType(statement, index + 1)),
    // Asked for late: a statement whose parameters have no types yet has none for its columns.
    get columns() {
      return Array.from({ length: statement.columnCount }, (_, index) => ({
        name: statement.columnName(index),
        type: statement.columnType(index).toString(),
      }));
    },
    async *run(parameters) {
      try {
        for (const [index, value] of parameters.entries())
          if (value === null) statement.bindNull(index + 1);
          else statement.bindVarchar(index + 1, value);
        const result = await statement.run();
        for (;;) {
          const chunk = await result.fetchChunk();
          if (chunk === null || chunk.rowCount === 0) return;
          const { rowCount } = chunk;
          yield {
            rowCount,
            columns: Array.from({ length: chunk.columnCount }, (_, index) => {
              const vector = chunk.getColumnVector(index);
              return Array.from({ length: rowCount }, (__, row) => cellText(vector.getItem(row)));
            }),
          };
        }
      } catch (error) {
        throw toError(error);
      }
    },
    close: () => statement.destroySync(),
  };
}

const ANY_TYPE: ReadonlySet<string> = new Set(["INVALID", "ANY", "SQLNULL", "UNKNOWN"]);

function parameterType(statement: DuckDBPreparedStatement, index: number): string | undefined {
  try {
    const type = statement.parameterType(index).toString();
    return ANY_TYPE.has(type) ? undefined : type;
  } catch {
    // DuckDB has no type for a parameter that anything could stand in.
    return undefined;
  }
}
