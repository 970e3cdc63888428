import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";

const SAMPLE_ROWS = 100_000;
/** Rows that rule out most types, so that the many need not be tried on all. */
const FIRST_ROWS = 128;

/**
 * In order of preference. A number with a leading zero is a code, not a number. Most whole numbers are written again as
 * they were read, which is told at a fraction of the cost of a regular expression; signs need it.
 */
const CANDIDATES: readonly (readonly [string, (v: string) => string])[] = [
  ["BIGINT", (v) => `try_cast(${v} as BIGINT)::VARCHAR = ${v}`],
  ["BIGINT", (v) => `regexp_full_match(${v}, '[+-]?(0|[1-9][0-9]{0,18})') and try_cast(${v} as BIGINT) is not null`],
  ["DOUBLE", (v) => `try_cast(${v} as DOUBLE) is not null and not regexp_matches(${v}, '^[+-]?0[0-9]')`],
  ["BOOLEAN", (v) => `lower(${v}) in ('true', 'false')`],
  ["DATE", (v) => `length(${v}) = 10 and try_cast(${v} as DATE)::VARCHAR = ${v}`],
  [
    "TIMESTAMP WITH TIME ZONE",
    (v) =>
      `regexp_matches(${v}, '^\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}') and try_cast(${v} as TIMESTAMPTZ) is not null`,
  ],
];

/** The type that every sampled text of a column can be read as; VARCHAR when there is none or no value. */
export async function inferTextTypes(
  connection: AnalyticsConnection,
  table: string,
  names: readonly string[],
  value: (name: string) => string = quoteName,
): Promise<readonly Column[]> {
  const test = (asked: Asked): Promise<ReadonlyMap<number, Tested>> =>
    testColumns(connection, { table, names, value }, asked);
  const first = await test({
    columns: names.map((_, column) => column),
    candidates: CANDIDATES.map((_, candidate) => candidate),
    rows: FIRST_ROWS,
  });
  const left = names.map((_, column) => [...(first.get(column)?.passed ?? [])]);
  const types = new Map<number, number>();
  const open = new Set(left.flatMap((candidates, column) => (candidates.length > 0 ? [column] : [])));
  // The best type that is left of each column is tried on all sampled rows, then the next one where it fails.
  while (open.size > 0) {
    for (const [candidate = 0, columns] of Map.groupBy(open, (column) => left[column]?.[0])) {
      const found = await test({ columns, candidates: [candidate], rows: SAMPLE_ROWS });
      for (const column of columns) {
        const tested = found.get(column);
        const holds = isOf(tested, candidate);
        if (holds) types.set(column, candidate);
        else left[column]?.shift();
        if (holds || (tested?.values ?? 0) === 0 || left[column]?.length === 0) open.delete(column);
      }
    }
  }
  return names.map((name, column) => ({ name, type: CANDIDATES[types.get(column) ?? -1]?.[0] ?? "VARCHAR" }));
}

function isOf(tested: Tested | undefined, candidate: number): boolean {
  return tested !== undefined && tested.values > 0 && tested.passed.includes(candidate);
}

interface TextColumns {
  readonly table: string;
  readonly names: readonly string[];
  readonly value: (name: string) => string;
}

interface Asked {
  /** Places in `names`, and in the candidates. */
  readonly columns: readonly number[];
  readonly candidates: readonly number[];
  readonly rows: number;
}

interface Tested {
  readonly values: number;
  /** Candidates that hold for every value. */
  readonly passed: readonly number[];
}

/** All columns as one long column: a statement of thousands of expressions costs more to plan than to run. */
async function testColumns(
  connection: AnalyticsConnection,
  { table, names, value }: TextColumns,
  { columns, candidates, rows }: Asked,
): Promise<ReadonlyMap<number, Tested>> {
  if (columns.length === 0) return new Map();
  const tests = candidates.map(
    (candidate) => `coalesce(bool_and(coalesce(${CANDIDATES[candidate]?.[1]("v")}, false)), true) as t${candidate}`,
  );
  const values = columns.map((column) => value(names[column] ?? ""));
  const found = await connection.rows(`select place, count(*) as n, ${tests.join(", ")} from (
    select unnest([${columns.join(", ")}]) as place, unnest([${values.join(", ")}]) as v from (select * from ${table} limit ${rows})) where v is not null group by place`);
  const tested = new Map(columns.map((column): [number, Tested] => [column, { values: 0, passed: candidates }]));
  for (const row of found)
    tested.set(Number(row["place"]), {
      values: Number(row["n"]),
      passed: candidates.filter((candidate) => row[`t${candidate}`] === true),
    });
  return tested;
}
