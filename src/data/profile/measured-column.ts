import type { Column } from "../analytics/analytics.ts";
import { quoteName } from "../analytics/sql-text.ts";

/**
 * How a column's values are counted: whole numbers (also booleans, and times in microseconds), floating point, or text.
 */
export type MeasuredKind = "whole" | "real" | "text";

/** A column and how its values are measured. */
export interface MeasuredColumn extends Column {
  /** Its number in the table, from 0. */
  readonly place: number;
  readonly kind: MeasuredKind;
  readonly sense: "number" | "time" | "boolean" | "text" | "nested";
  /** SQL of its value: BIGINT, DOUBLE, or the value itself. */
  readonly value: string;
  /** SQL of its value as DOUBLE, infinite times as infinities; of texts and nested values there is none. */
  readonly number: string | undefined;
  /** SQL of its value's text, where a DOUBLE says less than the text does. */
  readonly text: string;
  /** True where a DOUBLE says less than the value of many digits; of others only beyond 2^53. */
  readonly isTexted: boolean;
  /** SQL of its value's length: characters, bytes or elements; NULL for numbers. */
  readonly length: string;
  /** SQL of a text that tells its values apart; see {@link shownKey}. */
  readonly key: string;
}

const WHOLE = /^(TINYINT|SMALLINT|INTEGER|BIGINT)$/;
const SHOWN_CHARACTERS = 200;

export function measureColumn({ name, type }: Column, place: number): MeasuredColumn {
  const column = quoteName(name);
  const number = { name, type, place, text: "NULL::VARCHAR", length: "NULL::BIGINT", isTexted: false, key: "NULL" };
  if (WHOLE.test(type))
    return { ...number, kind: "whole", sense: "number", value: `${column}::BIGINT`, number: `${column}::DOUBLE` };
  if (type === "BOOLEAN")
    return {
      ...number,
      kind: "whole",
      sense: "boolean",
      value: `${column}::INTEGER::BIGINT`,
      number: `${column}::INTEGER::DOUBLE`,
    };
  if (/^(DATE|TIMESTAMP.*)$/.test(type)) {
    const timed = (finite: string, infinite: string): string =>
      // What all rows take comes first: a CASE looks at no other branch then.
      `case when isfinite(${column}) then ${finite} when ${column} is null then null when ${column} > '2000-01-01'::${type} then ${infinite} else -${infinite} end`;
    return {
      ...number,
      kind: "whole",
      sense: "time",
      // Infinite times are the outermost whole numbers.
      value: timed(`epoch_us(${column})`, INFINITE_TIME),
      number: timed(`epoch_us(${column})::DOUBLE`, "'inf'::DOUBLE"),
    };
  }
  if (type === "DOUBLE") return { ...number, kind: "real", sense: "number", value: column, number: column };
  // A decimal of many digits is more than its DOUBLE.
  if (/^(FLOAT|DECIMAL\(\d+,\s*\d+\))$/.test(type))
    return {
      ...number,
      kind: "real",
      sense: "number",
      value: `${column}::DOUBLE`,
      number: `${column}::DOUBLE`,
      text: `${column}::VARCHAR`,
      isTexted: true,
    };
  return textColumn({ name, type }, place);
}

function textColumn({ name, type }: Column, place: number): MeasuredColumn {
  const column = quoteName(name);
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
  const cut = `left(${column}::VARCHAR, ${SHOWN_CHARACTERS}) || chr(0) || hash(${column}) || chr(0) || coalesce((${length})::VARCHAR, '')`;
  return {
    name,
    type,
    place,
    kind: "text",
    sense: isText || type === "BLOB" ? "text" : "nested",
    value: column,
    number: undefined,
    text: `left(${column}::VARCHAR, ${SHOWN_CHARACTERS})`,
    isTexted: false,
    length,
    // No text has fewer bytes than characters, and bytes need not be counted.
    key: isText
      ? `case when strlen(${column}) <= ${SHOWN_CHARACTERS} then ${column} when length(${column}) > ${SHOWN_CHARACTERS} then ${cut} else ${column} end`
      : cut,
  };
}

/** What a key says of its value: the text that is shown of it, and its length; undefined where it has none. */
export function shownKey(
  { type }: Pick<MeasuredColumn, "type">,
  key: string,
): { readonly text: string; readonly length: number | undefined } {
  // A text that is not cut is its own key, whatever characters it has.
  if (type === "VARCHAR" && (key.length <= SHOWN_CHARACTERS || characters(key) <= SHOWN_CHARACTERS))
    return { text: key, length: characters(key) };
  const end = key.lastIndexOf("\0");
  const length = key.slice(end + 1);
  return {
    text: key.slice(0, key.lastIndexOf("\0", end - 1)),
    length: length === "" ? undefined : Number(length),
  };
}

function characters(text: string): number {
  let count = 0;
  // A pair of surrogates is one character.
  for (let index = 0; index < text.length; index++) if ((text.charCodeAt(index) & 0xfc00) !== 0xdc00) count++;
  return count;
}

export const INFINITE_TIME = "9223372036854775807";
