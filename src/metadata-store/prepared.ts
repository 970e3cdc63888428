import type { CompiledQuery, QueryResult } from "kysely";
import type { ReadTransaction } from "./database.ts";
import { isSqlite } from "./dialect.ts";

/** Stands for a value while a statement is compiled. */
class Slot {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A statement that can be compiled. */
interface Compilable<Row> {
  compile(by: ReadTransaction): CompiledQuery<Row>;
}

/**
 * A statement whose text is always the same: it is built and compiled once per dialect, and each run only puts its
 * values in. Building costs several times what such a statement takes to run.
 *
 * @param build must not look at the facts: each of them is passed on as a value, and only as one
 */
export function prepare<Facts extends object, Row>(
  build: (transaction: ReadTransaction, facts: Facts) => Compilable<Row>,
): (transaction: ReadTransaction, facts: Facts) => Promise<QueryResult<Row>> {
  let sqlite: CompiledQuery<Row> | undefined;
  let postgres: CompiledQuery<Row> | undefined;
  const compile = (transaction: ReadTransaction, facts: Facts): CompiledQuery<Row> =>
    build(transaction, new Proxy(facts, { get: (_, name) => new Slot(String(name)) })).compile(transaction);

  return (transaction, facts) => {
    const compiled = isSqlite(transaction)
      ? (sqlite ??= compile(transaction, facts))
      : (postgres ??= compile(transaction, facts));
    const parameters = compiled.parameters.map((value): unknown =>
      value instanceof Slot ? Reflect.get(facts, value.name) : value,
    );
    return transaction.executeQuery({ ...compiled, parameters });
  };
}
