import type { AnalyticsConnection, Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";

const SAMPLE_ROWS = 100_000;
/** In order of preference. A number with a leading zero is a code, not a number. */
const CANDIDATES: readonly (readonly [string, string])[] = [
  ["BIGINT", "regexp_full_match(v, '[+-]?(0|[1-9][0-9]{0,18})') and try_cast(v as BIGINT) is not null"],
  ["DOUBLE", "not regexp_matches(v, '^[+-]?0[0-9]') and try_cast(v as DOUBLE) is not null"],
  ["BOOLEAN", "lower(v) in ('true', 'false')"],
  ["DATE", "regexp_full_match(v, '\\d{4}-\\d{2}-\\d{2}') and try_cast(v as DATE) is not null"],
  ["TIMESTAMP WITH TIME ZONE", "regexp_matches(v, '^\\d{4}-\\d{2}-\\d{2}[T ]\\d{2}:\\d{2}') and try_cast(v as TIMESTAMPTZ) is not null"],
];

/** The type that every sampled text of a column can be read as; VARCHAR when there is none or no value. */
export async function inferTextTypes(connection: AnalyticsConnection, table: string, names: readonly string[], value: (name: string) => string = quoteName): Promise<readonly Column[]> {
  const columns: Column[] = [];
  for (const name of names) {
    const tests = CANDIDATES.map(([, condition], index) => `bool_and(${condition}) as t${index}`);
    const [row] = await connection.rows(`select ${tests.join(", ")} from (select ${value(name)} as v from ${table} limit ${SAMPLE_ROWS}) where v is not null`);
    const found = CANDIDATES.findIndex((_, index) => row?.[`t${index}`] === true);
    columns.push({ name, type: CANDIDATES[found]?.[0] ?? "VARCHAR" });
  }
  return columns;
}
