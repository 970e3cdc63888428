import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";
import { type MeasuredColumn, type MeasuredKind, MEASURED_KINDS } from "./measured-column.ts";

/** Columns in one statement: thousands of expressions are planned slowly. */
const COLUMNS_AT_ONCE = 256;

/**
 * Temporary table of a kind's values with their counts, over all columns of the kind: `place`, the value as `v`, its
 * count `n`.
 */
export function tableOf(kind: MeasuredKind): string {
  return `"__profile_${kind}"`;
}

const LAYOUT: Readonly<Record<MeasuredKind, string>> = {
  whole: "place INTEGER, v BIGINT, n BIGINT",
  real: "place INTEGER, v DOUBLE, t VARCHAR, n BIGINT",
  // Two texts are the same when their first characters and their hashes are.
  text: "place INTEGER, v VARCHAR, h UBIGINT, length BIGINT, n BIGINT",
};

export async function createFrequencies(connection: AnalyticsConnection): Promise<void> {
  await connection.run(
    MEASURED_KINDS.map((kind) => `create or replace temp table ${tableOf(kind)} (${LAYOUT[kind]})`).join("; "),
  );
}

export async function dropFrequencies(connection: AnalyticsConnection): Promise<void> {
  await connection.run(MEASURED_KINDS.map((kind) => `drop table if exists ${tableOf(kind)}`).join("; "));
}

/** Counts the values of many columns of a small relation in one pass per kind. */
export async function countTogether(
  connection: AnalyticsConnection,
  relation: string,
  columns: readonly MeasuredColumn[],
): Promise<void> {
  for (const kind of MEASURED_KINDS) {
    const ofKind = columns.filter((column) => column.kind === kind);
    for (let start = 0; start < ofKind.length; start += COLUMNS_AT_ONCE) {
      const group = ofKind.slice(start, start + COLUMNS_AT_ONCE);
      const list = (of: (column: MeasuredColumn) => string | number): string => `unnest([${group.map(of).join(", ")}])`;
      const place = `${list(({ place: number }) => number)} as place`;
      const inner = {
        whole: `select ${place}, ${list(({ value }) => value)} as v from ${relation}`,
        real: `select ${place}, ${list(({ value }) => value)} as v, ${list(({ text }) => text)} as t from ${relation}`,
        text: `select ${place}, ${list(({ text }) => text)} as v, ${list(({ value }) => `hash(${value})`)} as h, ${list(({ length }) => length)} as length from ${relation}`,
      }[kind];
      await connection.run(`insert into ${tableOf(kind)} select *, count(*) as n from (${inner}) group by all`);
    }
  }
}

/** Counts one column's values in a large relation, in place of what was counted of it before. */
export async function countAlone(
  connection: AnalyticsConnection,
  relation: string,
  { kind, name, place, value, text, length }: MeasuredColumn,
): Promise<void> {
  const shown = { whole: value, real: `${value}, ${text}`, text: `${text}, hash(${value}), ${length}` }[kind];
  const column = quoteName(name);
  await connection.run(`delete from ${tableOf(kind)} where place = ${place};
    insert into ${tableOf(kind)} select ${place}, ${shown}, n from (select ${column}, count(*) as n from ${relation} group by ${column})`);
}

/** Different values, and values that came once, of each column. */
export async function countDistinct(
  connection: AnalyticsConnection,
): Promise<ReadonlyMap<number, { readonly values: number; readonly once: number }>> {
  const selects = MEASURED_KINDS.map(
    (kind) =>
      `select place, count(v) as "values", count(v) filter (where n = 1) as once from ${tableOf(kind)} group by place`,
  );
  const rows = await connection.rows(selects.join(" union all "));
  return new Map(
    rows.map((row) => [Number(row["place"]), { values: Number(row["values"]), once: Number(row["once"]) }]),
  );
}
