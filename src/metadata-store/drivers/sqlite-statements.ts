import type { DatabaseSync, StatementSync } from "node:sqlite";

const CACHED_STATEMENTS = 500;

/** What a statement did. */
export interface StatementResult {
  readonly rows: Record<string, unknown>[];
  /** Of a statement that answers no rows. */
  readonly changed?: { readonly changes: bigint; readonly lastInsertRowid: bigint };
}

interface Prepared {
  readonly statement: StatementSync;
  readonly answersRows: boolean;
}

/**
 * Runs statements on one connection, each prepared once.
 *
 * @param options.rowByRow gives the thread's owner a chance to end it between two rows; all at once is quicker
 */
export function createStatements(
  database: DatabaseSync,
  options: { readonly rowByRow?: boolean } = {},
): (sql: string, parameters: readonly unknown[]) => StatementResult {
  const all = options.rowByRow === true ? collect : takeAll;
  const statements = new Map<string, Prepared>();

  function prepare(sql: string): Prepared {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    // Asked once: describing the columns takes longer than most statements run.
    const prepared = { statement, answersRows: statement.columns().length > 0 };
    if (statements.size >= CACHED_STATEMENTS) {
      const oldest = statements.keys().next().value;
      if (oldest !== undefined) statements.delete(oldest);
    }
    statements.set(sql, prepared);
    return prepared;
  }

  return (sql, parameters) => {
    const { statement, answersRows } = prepare(sql);
    if (answersRows) return { rows: readAll(statement, parameters as never[], all) };
    const { changes, lastInsertRowid } = statement.run(...(parameters as never[]));
    return { rows: [], changed: { changes: BigInt(changes), lastInsertRowid: BigInt(lastInsertRowid) } };
  };
}

function takeAll(statement: StatementSync, parameters: never[]): Record<string, unknown>[] {
  return statement.all(...parameters);
}

function collect(statement: StatementSync, parameters: never[]): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = [];
  for (const row of statement.iterate(...parameters)) rows.push(row);
  return rows;
}

/** Integers beyond 2^53 come back as bigint, all others as number: node:sqlite would throw. */
function readAll(statement: StatementSync, parameters: never[], all: typeof takeAll): Record<string, unknown>[] {
  try {
    return all(statement, parameters);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_OUT_OF_RANGE") throw error;
    statement.setReadBigInts(true);
    try {
      return all(statement, parameters).map(narrowIntegers);
    } finally {
      statement.setReadBigInts(false);
    }
  }
}

function narrowIntegers(row: Record<string, unknown>): Record<string, unknown> {
  for (const [key, value] of Object.entries(row)) {
    if (typeof value === "bigint" && value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER)
      row[key] = Number(value);
  }
  return row;
}
