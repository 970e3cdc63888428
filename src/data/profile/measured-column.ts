import type { Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";

/**
 * How a column's values are counted: whole numbers (also booleans, and times in microseconds), floating point, or text.
 */
export const MEASURED_KINDS = ["whole", "real", "text"] as const;
export type MeasuredKind = (typeof MEASURED_KINDS)[number];

/** A column and how its values are measured. */
export interface MeasuredColumn extends Column {
  /** Its number in the table, from 0. */
  readonly place: number;
  readonly kind: MeasuredKind;
  readonly sense: "number" | "time" | "boolean" | "text" | "nested";
  /** SQL of its value: BIGINT, DOUBLE, or the value itself. */
  readonly value: string;
  /** SQL of its value's text, where `value` says less than the text does. */
  readonly text: string;
  /** SQL of its value's length: characters, bytes or elements; NULL for numbers. */
  readonly length: string;
}

const WHOLE = /^(TINYINT|SMALLINT|INTEGER|BIGINT)$/;
const SHOWN_CHARACTERS = 200;

export function measureColumn({ name, type }: Column, place: number): MeasuredColumn {
  const column = quoteName(name);
  const number = { name, type, place, text: "NULL::VARCHAR", length: "NULL::BIGINT" };
  if (WHOLE.test(type)) return { ...number, kind: "whole", sense: "number", value: `${column}::BIGINT` };
  if (type === "BOOLEAN") return { ...number, kind: "whole", sense: "boolean", value: `${column}::INTEGER::BIGINT` };
  // Infinite times are the outermost whole numbers.
  if (/^(DATE|TIMESTAMP.*)$/.test(type)) {
    const beyond = `case when ${column} > '2000-01-01'::${type} then ${INFINITE_TIME} else -${INFINITE_TIME} end`;
    return {
      ...number,
      kind: "whole",
      sense: "time",
      value: `case when ${column} is null then null when isfinite(${column}) then epoch_us(${column}) else ${beyond} end`,
    };
  }
  if (type === "DOUBLE") return { ...number, kind: "real", sense: "number", value: column };
  // A decimal of many digits is more than its DOUBLE.
  if (/^(FLOAT$|DECIMAL)/.test(type))
    return { ...number, kind: "real", sense: "number", value: `${column}::DOUBLE`, text: `${column}::VARCHAR` };
  const isText = type === "VARCHAR";
  const length = isText
    ? `length(${column})`
    : type === "BLOB"
      ? `octet_length(${column})`
      : type.endsWith("[]")
        ? `len(${column})`
        : type.startsWith("MAP(")
          ? `cardinality(${column})::BIGINT`
          : "NULL::BIGINT";
  return {
    name,
    type,
    place,
    kind: "text",
    sense: isText || type === "BLOB" ? "text" : "nested",
    value: column,
    text: `left(${column}::VARCHAR, ${SHOWN_CHARACTERS})`,
    length,
  };
}

export const INFINITE_TIME = "9223372036854775807";

/** SQL condition, over `v`, that a counted value is a finite number. */
export function isFinite(kind: MeasuredKind): string {
  return kind === "real"
    ? "v is not null and isfinite(v)"
    : `v is not null and v not in (${INFINITE_TIME}, -${INFINITE_TIME})`;
}
