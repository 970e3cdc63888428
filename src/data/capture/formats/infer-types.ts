import type { AnalyticsConnection } from "../../analytics/analytics.ts";
import { quoteName } from "../../analytics/sql-text.ts";
import { guessFormats } from "./guess-formats.ts";
import type { SourceColumn } from "./source-rows.ts";

/** Rows of each file whose values say its columns' types. */
export const SAMPLE_ROWS = 100_000;
/** Rows that rule out most types, so that the many need not be tried on all. */
const FIRST_ROWS = 32;
/** Columns in one statement: thousands of expressions are planned slowly. */
const COLUMNS_AT_ONCE = 256;

/**
 * In order of preference, with SQL that is true for a text of the type. A number with a leading zero is a code, not a
 * number. Most whole numbers are written again as they were read, which is told at a fraction of the cost of a regular
 * expression; signs need it. All terms of an AND or OR are evaluated for every value, the branches of a CASE are not.
 */
const CANDIDATES: readonly (readonly [string, (v: string) => string])[] = [
  ["BIGINT", (v) => `try_cast(${v} as BIGINT)::VARCHAR = ${v}`],
  [
    "BIGINT",
    (v) =>
      `case when regexp_full_match(${v}, '[+-]?(0|[1-9][0-9]{0,18})') then try_cast(${v} as BIGINT) is not null end`,
  ],
  // What begins with another digit than 0, or with a letter, has no leading zero.
  [
    "DOUBLE",
    (v) =>
      `case when case when ${v} >= '1' then true else not regexp_matches(${v}, '^[+-]?0[0-9]') end then try_cast(${v} as DOUBLE) is not null end`,
  ],
  ["BOOLEAN", (v) => `lower(${v}) in ('true', 'false')`],
  ["DATE", (v) => `case when length(${v}) = 10 then try_cast(${v} as DATE)::VARCHAR = ${v} end`],
  [
    "TIMESTAMP WITH TIME ZONE",
    (v) =>
      `case when regexp_matches(${v}, '^\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}') then try_cast(${v} as TIMESTAMPTZ) is not null end`,
  ],
];

/**
 * The type that every sampled text of a column can be read as; VARCHAR when there is none or no value. With `guesses`
 * also numbers and dates that are written in another way, and how.
 *
 * @param table SQL of a relation with `__record`
 */
export async function inferTextTypes(
  connection: AnalyticsConnection,
  table: string,
  names: readonly string[],
  {
    value = quoteName,
    guesses = false,
  }: { readonly value?: (name: string) => string; readonly guesses?: boolean } = {},
): Promise<readonly SourceColumn[]> {
  const columns: TextColumns = { connection, table, values: names.map(value) };
  const texts = await firstTexts(columns);
  const types = await castTypes(columns, texts.map(candidatesLeft));
  const untyped = names.flatMap((name, column) =>
    guesses && !types.has(column) ? [{ name, value: value(name), texts: texts[column] ?? [] }] : [],
  );
  const guessed = await guessFormats(connection, sampleOf(table), untyped);
  return names.map((name, column) => {
    const { isWhole, ...written } = guessed.get(name) ?? {};
    const type = CANDIDATES[types.get(column) ?? -1]?.[0] ?? "VARCHAR";
    if (isWhole === undefined) return { name, type };
    return isWhole ? { name, type, ...written } : { name, type, nearly: written };
  });
}

/** Place of the column → of the candidate that every sampled text can be cast to. */
async function castTypes(columns: TextColumns, left: readonly number[][]): Promise<ReadonlyMap<number, number>> {
  const types = new Map<number, number>();
  const open = new Set(left.flatMap((candidates, column) => (candidates.length > 0 ? [column] : [])));
  // The best type that is left of each column is tried on all sampled rows, then the next one where it fails.
  while (open.size > 0) {
    for (const [candidate = 0, places] of Map.groupBy(open, (column) => left[column]?.[0])) {
      const tested = await testColumns(columns, places, candidate);
      for (const column of places) {
        const { values = 0, holds = false } = tested.get(column) ?? {};
        if (holds) types.set(column, candidate);
        else left[column]?.shift();
        if (holds || values === 0 || left[column]?.length === 0) open.delete(column);
      }
    }
  }
  return types;
}

function sampleOf(table: string): string {
  return `(select * from ${table} where "__record" < ${SAMPLE_ROWS})`;
}

interface TextColumns {
  readonly connection: AnalyticsConnection;
  readonly table: string;
  readonly values: readonly string[];
}

/** What every text looks like that passes the test of the candidate in the same place. */
const LOOKS: readonly RegExp[] = [
  /^-?\d+$/,
  /^[+-]?\d+$/,
  // A cast that fails costs ten that do not: neither dates nor words that only consist of such characters.
  /^(?![+-]?0\d)\s*[+-]{0,2}([\d._]+(e[+-]?[\d_]+)?|inf(inity)?|nan)\s*$/i,
  /^(true|false)$/i,
  /^[\d-]{10}$/,
  /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/,
];

/** Per column the texts of the first rows; they are looked at here, which costs no plan. */
async function firstTexts({ connection, table, values }: TextColumns): Promise<readonly (readonly string[])[]> {
  if (values.length === 0) return [];
  const list = values.map((value, column) => `${value} as v${column}`).join(", ");
  const first = await connection.columns(`select ${list} from (select * from ${table} limit ${FIRST_ROWS})`);
  return values.map((_, column) => {
    const found = first.values[`v${column}`];
    return (found?.kind === "text" ? found.values : []).filter((text) => text !== null);
  });
}

/** The candidates that the first texts do not rule out. */
function candidatesLeft(texts: readonly string[]): number[] {
  return [...CANDIDATES.keys()].filter((candidate) => texts.every((text) => LOOKS[candidate]?.test(text) === true));
}

interface Tested {
  readonly values: number;
  /** True when there are values and each of them is of the type. */
  readonly holds: boolean;
}

async function testColumns(
  { connection, table, values }: TextColumns,
  columns: readonly number[],
  candidate: number,
): Promise<ReadonlyMap<number, Tested>> {
  const tested = new Map<number, Tested>();
  for (let start = 0; start < columns.length; start += COLUMNS_AT_ONCE) {
    const group = columns.slice(start, start + COLUMNS_AT_ONCE);
    const tests = group.map(
      (column) =>
        // A FILTER would cost three times as much as the test itself.
        `count(v${column}) as n${column}, count(case when ${CANDIDATES[candidate]?.[1](`v${column}`)} then 1 end) as t${column}`,
    );
    const [row] = await connection.rows(
      `select ${tests.join(", ")} from (select ${group.map((column) => `${values[column]} as v${column}`).join(", ")} from ${table} where "__record" < ${SAMPLE_ROWS})`,
    );
    for (const column of group) {
      const values = Number(row?.[`n${column}`]);
      tested.set(column, { values, holds: values > 0 && Number(row?.[`t${column}`]) === values });
    }
  }
  return tested;
}
