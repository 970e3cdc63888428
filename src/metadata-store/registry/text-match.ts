import { type Expression, type RawBuilder, type SqlBool, sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { isSqlite } from "../dialect.ts";

export const TEXT_COMPARATORS = ["=", "!=", "LIKE", "ILIKE", "IN", "NOT IN"] as const;
export type TextComparator = (typeof TEXT_COMPARATORS)[number];
export const NUMBER_COMPARATORS = ["=", "!=", ">", ">=", "<", "<="] as const;
export type NumberComparator = (typeof NUMBER_COMPARATORS)[number];

/** A comparison with text; `IN` and `NOT IN` take a list. */
export interface TextTest {
  readonly comparator: TextComparator;
  readonly value: string | readonly string[];
}

/**
 * `LIKE` that tells case apart on both databases, `ILIKE` that does not; wildcards `%` and `_`, no escape character.
 * SQLite has only one of the two: `GLOB` takes the part of the other.
 */
export function textMatches(
  transaction: ReadTransaction,
  text: Expression<unknown>,
  test: TextTest,
): RawBuilder<SqlBool> {
  const { comparator, value } = test;
  switch (comparator) {
    case "IN":
    case "NOT IN": {
      const values = typeof value === "string" ? [value] : value;
      return comparator === "IN" ? sql`${text} in (${sql.join(values)})` : sql`${text} not in (${sql.join(values)})`;
    }
    case "=":
      return sql`${text} = ${single(value)}`;
    case "!=":
      return sql`${text} <> ${single(value)}`;
    case "LIKE":
      return isSqlite(transaction)
        ? sql`${text} glob ${toGlob(single(value))}`
        : sql`${text} like ${single(value)} escape ''`;
    case "ILIKE":
      return isSqlite(transaction)
        ? sql`lower(${text}) like lower(${single(value)})`
        : sql`${text} ilike ${single(value)} escape ''`;
  }
}

/** A comparison with a number. */
export function numberMatches(
  number: Expression<unknown>,
  comparator: NumberComparator,
  value: number,
): RawBuilder<SqlBool> {
  return sql`${number} ${sql.raw(comparator === "!=" ? "<>" : comparator)} ${value}`;
}

function toGlob(pattern: string): string {
  return pattern.replace(/[*?[]/g, "[$&]").replaceAll("%", "*").replaceAll("_", "?");
}

function single(value: string | readonly string[]): string {
  return typeof value === "string" ? value : (value[0] ?? "");
}
