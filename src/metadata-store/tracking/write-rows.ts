import { CompiledQuery } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { isSqlite } from "../dialect.ts";

/** Statements exist for these numbers of rows only, so that few are prepared. */
const ROWS_PER_STATEMENT = [256, 64, 16, 4, 1];

/** One kind of insertion. `tail` follows the values: `on conflict …`, `returning …`. */
export interface RowInsertion {
  readonly into: string;
  readonly columns: readonly string[];
  readonly tail: string;
}

const statements = new Map<RowInsertion, Map<string, string>>();

/**
 * Inserts many rows with few statements; SQL text is built once per number of rows. For hot paths: elsewhere use
 * Kysely's builder.
 *
 * @param values row by row, each as long as `columns`
 * @returns what the tail returns
 */
export async function insertRows<Row = never>(
  transaction: ReadTransaction,
  insertion: RowInsertion,
  values: readonly unknown[],
): Promise<readonly Row[]> {
  const width = insertion.columns.length;
  const returned: Row[] = [];
  for (let start = 0; start < values.length;) {
    const left = (values.length - start) / width;
    const rows = ROWS_PER_STATEMENT.find((size) => size <= left) ?? 1;
    const end = start + rows * width;
    const { rows: answer } = await transaction.executeQuery<Row>(
      CompiledQuery.raw(statementFor(insertion, rows, isSqlite(transaction)), values.slice(start, end)),
    );
    for (const row of answer) returned.push(row);
    start = end;
  }
  return returned;
}

/** Runs one statement whose text does not change; `?` stands for each parameter. */
export async function runStatement<Row>(
  transaction: ReadTransaction,
  text: string,
  parameters: readonly unknown[],
): Promise<readonly Row[]> {
  const { rows } = await transaction.executeQuery<Row>(
    CompiledQuery.raw(isSqlite(transaction) ? text : numberPlaceholders(text), [...parameters]),
  );
  return rows;
}

const numberedTexts = new Map<string, string>();

function numberPlaceholders(text: string): string {
  const known = numberedTexts.get(text);
  if (known !== undefined) return known;
  let number = 0;
  const numbered = text.replace(/\?/g, () => `$${++number}`);
  numberedTexts.set(text, numbered);
  return numbered;
}

function statementFor(insertion: RowInsertion, rows: number, sqlite: boolean): string {
  const texts = statements.get(insertion) ?? new Map<string, string>();
  statements.set(insertion, texts);
  const key = `${rows}${sqlite ? "?" : "$"}`;
  const known = texts.get(key);
  if (known !== undefined) return known;
  let number = 0;
  const row = (): string => `(${insertion.columns.map(() => (sqlite ? "?" : `$${++number}`)).join(",")})`;
  const text = `insert into ${insertion.into} (${insertion.columns.join(",")}) values ${Array.from({ length: rows }, row).join(",")} ${insertion.tail}`;
  texts.set(key, text);
  return text;
}
