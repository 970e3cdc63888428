import type { AnalyticsConnection, Column } from "../../analytics/analytics.ts";
import { quoteName, quoteText } from "../../analytics/sql-text.ts";
import type { TestRows } from "./unit-test-file.ts";

/** The rows of a test cannot be rows of the dataset that they are given for. */
export class UnfitRows extends Error {
  override readonly name = "UnfitRows";
}

/** A cell as text, as DuckDB writes it. */
export type TextCell = string | null;

const EXACT_NUMBER = /^(U?TINYINT|U?SMALLINT|U?INTEGER|U?BIGINT|U?HUGEINT|DECIMAL.*)$/;
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/;

/** Types of columns that no dataset says: what the values look like, as a capture would read them. */
export function guessColumns(rows: TestRows): readonly Column[] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return names.map((name) => ({
    name,
    type: guessType(rows.flatMap((row) => ((row[name] ?? null) === null ? [] : [row[name]]))),
  }));
}

function guessType(values: readonly unknown[]): string {
  const all = (test: (value: unknown) => boolean): boolean => values.length > 0 && values.every(test);
  if (all(Number.isSafeInteger)) return "BIGINT";
  if (all((value) => typeof value === "number")) return "DOUBLE";
  if (all((value) => typeof value === "boolean")) return "BOOLEAN";
  if (all((value) => typeof value === "string" && DATE.test(value))) return "DATE";
  if (all((value) => typeof value === "string" && TIMESTAMP.test(value))) return "TIMESTAMP WITH TIME ZONE";
  return "VARCHAR";
}

/**
 * Makes a temporary table of rows.
 *
 * @param what names the rows in messages: `given rides`
 * @throws UnfitRows naming the first value that is none of its column's type
 */
export async function createRows(
  connection: AnalyticsConnection,
  table: string,
  of: { readonly rows: TestRows; readonly columns: readonly Column[]; readonly what: string },
): Promise<void> {
  const { rows, columns, what } = of;
  for (const column of new Set(rows.flatMap((row) => Object.keys(row))))
    if (!columns.some(({ name }) => sameName(name, column)))
      throw new UnfitRows(`${what} has no column "${column}"; it has ${columns.map(({ name }) => name).join(", ")}`);
  if (columns.length === 0) throw new UnfitRows(`${what}: nothing says which columns there are; name them in columns`);
  const given = quoteName(`${table}_given`);
  const texts = columns.map(({ name }) => `${quoteName(name)} VARCHAR`).join(", ");
  await connection.run(`create temp table ${given} ("__row" BIGINT, ${texts})`);
  for (const [index, row] of rows.entries()) {
    const values = columns.map(({ name }) => textOfCell(cellOf(row, name)));
    await connection.run(
      `insert into ${given} values (${[index, ...columns.map((_, place) => `$${place + 1}`)].join(", ")})`,
      values,
    );
  }
  for (const { name, type } of columns) {
    const [bad] = await connection.rows(
      `select "__row" as row, ${quoteName(name)} as value from ${given} where ${unfit(quoteName(name), type)} order by 1 limit 1`,
    );
    if (bad !== undefined)
      throw new UnfitRows(
        `${what}, row ${Number(bad["row"]) + 1}: ${JSON.stringify(bad["value"])} is no ${type} (column ${name})`,
      );
  }
  const typed = columns.map(({ name, type }) => `${reading(quoteName(name), type)} as ${quoteName(name)}`);
  await connection.run(
    `create temp table ${quoteName(table)} as select ${typed.join(", ")} from ${given} order by "__row"; drop table ${given}`,
  );
}

function sameName(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function cellOf(row: TestRows[number], column: string): unknown {
  return Object.entries(row).find(([name]) => sameName(name, column))?.[1] ?? null;
}

function textOfCell(value: unknown): TextCell {
  if (value === null) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Lists and structs are written as JSON. */
function reading(text: string, type: string): string {
  return /\[\d*\]$|^(STRUCT|MAP)\b/.test(type)
    ? `try_cast(try_cast(${text} as JSON) as ${type})`
    : `try_cast(${text} as ${type})`;
}

/** A cast would round, or forget the time of a day. */
function unfit(text: string, type: string): string {
  const value = reading(text, type);
  const exact = EXACT_NUMBER.test(type)
    ? ` or try_cast(${text} as DECIMAL(38, 15)) <> try_cast(${value} as DECIMAL(38, 15))`
    : type === "DATE"
      ? ` or try_cast(${text} as TIMESTAMP) <> ${value}`
      : "";
  return `${text} is not null and (${value} is null${exact})`;
}

/** Rows of a relation as text, in its order. */
export async function textRows(
  connection: AnalyticsConnection,
  relation: string,
  columns: readonly string[],
  limit: number,
): Promise<readonly (readonly TextCell[])[]> {
  const list = columns.map((name, index) => `${quoteName(name)}::VARCHAR as c${index}`);
  const rows = await connection.rows(`select ${list.join(", ")} from ${relation} limit ${limit}`);
  return rows.map((row) =>
    columns.map((_, index) => {
      const value = row[`c${index}`];
      return typeof value === "string" ? value : null;
    }),
  );
}

/** True where a query gives no value twice as a key, and always one. */
export async function keyProblem(
  connection: AnalyticsConnection,
  relation: string,
  keys: readonly string[],
): Promise<string | undefined> {
  const list = keys.map(quoteName).join(", ");
  const [found] = await connection.rows(
    `select [${keys.map((key) => `${quoteText(`${key} = `)} || coalesce(${quoteName(key)}::VARCHAR, 'null')`).join(", ")}] as shown from ${relation} group by ${list} having count(*) > 1 or ${keys.map((key) => `${quoteName(key)} is null`).join(" or ")} limit 1`,
  );
  if (found === undefined) return undefined;
  const shown = found["shown"];
  return `the query gives a key twice, or a row without one: ${Array.isArray(shown) ? shown.join(", ") : ""}`;
}
