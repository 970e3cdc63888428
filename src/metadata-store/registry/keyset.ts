import { type Expression, type RawBuilder, type SqlBool, sql } from "kysely";

/** One column of an order. Its values are never null. */
export interface OrderColumn {
  readonly value: Expression<unknown>;
  readonly descending: boolean;
}

/** What a row's order columns hold: where the next page starts. */
export type Position = readonly (string | number)[];

/** `a desc, b asc`. */
export function orderList(columns: readonly OrderColumn[]): RawBuilder<unknown> {
  return sql.join(columns.map(({ value, descending }) => (descending ? sql`${value} desc` : sql`${value} asc`)));
}

/** True for rows behind a position: `a < x or (a = x and (b > y or …))`. */
export function isAfter(columns: readonly OrderColumn[], position: Position): RawBuilder<SqlBool> {
  return columns.reduceRight<RawBuilder<SqlBool>>(
    (rest, { value, descending }, index) => {
      const at = position[index] ?? "";
      const beyond = descending ? sql<SqlBool>`${value} < ${at}` : sql<SqlBool>`${value} > ${at}`;
      return index === columns.length - 1 ? beyond : sql<SqlBool>`(${beyond} or (${value} = ${at} and ${rest}))`;
    },
    sql<SqlBool>`1 = 0`,
  );
}

/** A JSON array's worth of selections `position_0`, `position_1`, … */
export function positionColumns(columns: readonly OrderColumn[]): RawBuilder<unknown> {
  return sql.join(columns.map(({ value }, index) => sql`${value} as ${sql.id(`position_${index}`)}`));
}

/** Reads back what {@link positionColumns} selected. */
export function positionOf(row: Readonly<Record<string, unknown>>, columns: readonly OrderColumn[]): Position {
  return columns.map((_, index) => row[`position_${index}`] as string | number);
}

/** Cuts the row that was fetched beyond the page; it tells whether there is a next one. */
export function cutPage<Row extends Readonly<Record<string, unknown>>>(
  rows: readonly Row[],
  limit: number,
  columns: readonly OrderColumn[],
): { readonly page: readonly Row[]; readonly next: Position | undefined } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { page, next: rows.length > limit && last !== undefined ? positionOf(last, columns) : undefined };
}
