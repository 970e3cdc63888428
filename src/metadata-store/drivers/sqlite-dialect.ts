import type { DatabaseSync } from "node:sqlite";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { ReadRouter } from "./read-router.ts";
import { createStatements } from "./sqlite-statements.ts";

/** Runs Kysely on one `node:sqlite` connection. Transactions are the caller's: see `sqlite.ts`. */
export function createSqliteDialect(database: DatabaseSync): Dialect {
  const connection = createConnection(database);
  const run = async (sql: string): Promise<void> => {
    await connection.executeQuery(CompiledQuery.raw(sql));
  };
  return dialectOf(connection, {
    beginTransaction: () => run("begin immediate"),
    commitTransaction: () => run("commit"),
    // A full disk has ended the transaction already.
    rollbackTransaction: async () => {
      if (database.isTransaction) await run("rollback");
    },
  });
}

/** Reads wait for no other one. */
class ReadingAdapter extends SqliteAdapter {
  override get supportsMultipleConnections(): boolean {
    return true;
  }
}

/** Runs the reads of Kysely where a router sends them. */
export function createReadingDialect(read: ReadRouter["read"]): Dialect {
  const refuse = async (): Promise<void> => {
    throw new Error("a read is no transaction");
  };
  return dialectOf(
    {
      executeQuery: async <Row>(query: CompiledQuery): Promise<QueryResult<Row>> => ({
        rows: (await read(query.sql, query.parameters)) as Row[],
      }),
      streamQuery,
    },
    { beginTransaction: refuse, commitTransaction: refuse, rollbackTransaction: refuse },
    new ReadingAdapter(),
  );
}

function dialectOf(
  connection: DatabaseConnection,
  transactions: Pick<Driver, "beginTransaction" | "commitTransaction" | "rollbackTransaction">,
  adapter: SqliteAdapter = new SqliteAdapter(),
): Dialect {
  return {
    createAdapter: () => adapter,
    createDriver: () => ({
      ...transactions,
      init: async () => {},
      acquireConnection: async () => connection,
      releaseConnection: async () => {},
      destroy: async () => {},
    }),
    createIntrospector: (kysely) => new SqliteIntrospector(kysely),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

function createConnection(database: DatabaseSync): DatabaseConnection {
  const run = createStatements(database);
  return {
    async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
      const { rows, changed } = run(query.sql, query.parameters);
      if (changed === undefined) return { rows: rows as Row[] };
      return { rows: [], numAffectedRows: changed.changes, insertId: changed.lastInsertRowid };
    },
    streamQuery,
  };
}

function streamQuery(): never {
  throw new Error("streaming is not used on SQLite");
}
