import type { AnalyticsConnection, Column } from "../../analytics/analytics.ts";
import { formatOfColumn } from "../../contract/value-format.ts";

/** A way in which numbers, dates and times are written that a cast does not read. */
interface Guess {
  /** As a contract would name it. */
  readonly format: string;
  readonly type: string;
  /** What every text looks like that is so written. */
  readonly looks: RegExp;
  /** SQL that reads a text; NULL where it is not so written. */
  read(value: string): string;
  /** SQL that is true for a text that can be read in no other way; without it any text will do. */
  readonly proves: ((value: string) => string) | undefined;
}

function guess(format: string, type: string, looks: RegExp, proves?: (value: string) => string): Guess {
  const known = formatOfColumn(format, type);
  return { format, type, looks, read: (value) => known?.read(value) ?? "NULL", proves };
}

const matches = (value: string, pattern: string): string => `regexp_matches(trim(${value}), '${pattern}')`;

/** `1,234` may be either: another value has to say which. A whole part that begins with 0 is a code. */
const NUMBERS: readonly Guess[] = [
  guess("#.##0,00", "DOUBLE", /^\s*[+-]?(?:[1-9]\d{0,2}(?:\.\d{3})+|0|[1-9]\d*)(?:,\d+)?\s*$/, (value) =>
    matches(value, "(?:,\\d{1,2}|,\\d{4,}|\\.\\d{3},\\d+|\\.\\d{3}\\.\\d{3}|(?:^|[+-])0,\\d+|\\d{4},\\d+)$"),
  ),
  guess("#,##0.00", "DOUBLE", /^\s*[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|0|[1-9]\d*)(?:\.\d+)?\s*$/, (value) =>
    matches(value, "(?:,\\d{3}\\.\\d+|\\d,\\d{3},\\d{3}.*)$"),
  ),
];

const TIMES = ["", " HH:mm", " HH:mm:ss"] as const;

function looksLike(format: string): RegExp {
  const pattern = format
    .replaceAll(/[.]/g, "\\.")
    .replaceAll(/yyyy|dd?|MM?|HH|mm|ss/g, (letters) => (letters.length === 1 ? "\\d{1,2}" : `\\d{${letters.length}}`));
  return new RegExp(`^\\s*${pattern}\\s*$`);
}

function datesOf(day: string, month: string): readonly Guess[] {
  return TIMES.flatMap((time) => {
    const type = time === "" ? "DATE" : "TIMESTAMP WITH TIME ZONE";
    const of = (format: string, other?: string): Guess => {
      const another = other === undefined ? undefined : formatOfColumn(other + time, type);
      const proves = another === undefined ? undefined : (value: string) => `(${another.read(value)}) is null`;
      return guess(format + time, type, looksLike(format + time), proves);
    };
    const between = (separator: string): readonly Guess[] => {
      const dayFirst = [day, month, "yyyy"].join(separator);
      const monthFirst = [month, day, "yyyy"].join(separator);
      return [of(dayFirst, monthFirst), of(monthFirst, dayFirst)];
    };
    // Nobody writes the month first between full stops.
    return [
      ...between("/"),
      ...between("-"),
      of([day, month, "yyyy"].join(".")),
      of(["yyyy", month, day].join("/")),
      of(["yyyy", month, day].join(".")),
    ];
  });
}

const GUESSES: readonly Guess[] = [...NUMBERS, ...datesOf("dd", "MM"), ...datesOf("d", "M")];

/** In one statement: thousands of expressions are planned slowly. */
const GUESSES_AT_ONCE = 128;
/** Single mistakes go to the quarantine: so many of the values tell how a column is written that a contract types. */
const NEARLY_ALL = 0.95;
/** Of the first texts, of which there are few. */
const MOST = 0.8;
const COLUMNS_AT_ONCE = 256;

interface TextColumn {
  readonly name: string;
  /** SQL of its values. */
  readonly value: string;
  readonly texts: readonly string[];
}

/** How a column is written. */
interface Written extends Pick<Column, "type" | "format"> {
  /** False when a few of its values are written otherwise. */
  readonly isWhole: boolean;
}

/**
 * How the texts of columns are written, where all of them, or nearly, are so and at least one leaves no doubt; columns
 * that say nothing stay as they are.
 *
 * @param columns those that no cast reads, with their SQL and their first texts
 * @param sample SQL of the rows to look at
 */
export async function guessFormats(
  connection: AnalyticsConnection,
  sample: string,
  columns: readonly TextColumn[],
): Promise<ReadonlyMap<string, Written>> {
  const texts = await laterTexts(connection, sample, columns);
  const open = columns.flatMap(({ name, value }, index) => {
    const seen = texts[index] ?? [];
    const guesses = seen.length === 0 ? [] : GUESSES.filter(({ looks }) => mostLook(seen, looks));
    return guesses.map((one) => ({ name, value, one }));
  });
  const found = new Map<string, Written>();
  for (let start = 0; start < open.length; start += GUESSES_AT_ONCE)
    await countGuesses(connection, sample, open.slice(start, start + GUESSES_AT_ONCE), found);
  return found;
}

function mostLook(texts: readonly string[], looks: RegExp): boolean {
  return texts.filter((text) => looks.test(text)).length >= MOST * texts.length;
}

/** The first texts of each column; of one that has none there, any that comes later. */
async function laterTexts(
  connection: AnalyticsConnection,
  sample: string,
  columns: readonly TextColumn[],
): Promise<readonly (readonly string[])[]> {
  const found = columns.map(({ texts }) => texts);
  const empty = columns.flatMap(({ texts, value }, index) => (texts.length === 0 ? [{ index, value }] : []));
  for (let start = 0; start < empty.length; start += COLUMNS_AT_ONCE) {
    const some = empty.slice(start, start + COLUMNS_AT_ONCE);
    const select = some.map(({ value }, index) => `any_value(${value}) as v${index}`).join(", ");
    const [row] = await connection.rows(`select ${select} from ${sample}`);
    for (const [index, column] of some.entries()) {
      const text = row?.[`v${index}`];
      if (typeof text === "string") found[column.index] = [text];
    }
  }
  return found;
}

async function countGuesses(
  connection: AnalyticsConnection,
  sample: string,
  open: readonly { readonly name: string; readonly value: string; readonly one: Guess }[],
  found: Map<string, Written>,
): Promise<void> {
  const counts = open.flatMap(({ value, one }, index) => [
    `count(${value}) as n${index}`,
    `count(case when ${one.type === "DOUBLE" ? `not ${matches(value, "^[+-]?0[0-9]")} and ` : ""}(${one.read(value)}) is not null then 1 end) as t${index}`,
    `count(case when (${one.read(value)}) is not null and ${one.proves?.(value) ?? `${value} is not null`} then 1 end) as e${index}`,
  ]);
  const [row] = await connection.rows(`select ${counts.join(", ")} from ${sample}`);
  for (const [index, { name, one }] of open.entries()) {
    const [values = 0, read = 0, proofs = 0] = ["n", "t", "e"].map((letter) => Number(row?.[`${letter}${index}`]));
    if (found.get(name)?.isWhole === true || read < NEARLY_ALL * values || proofs === 0) continue;
    if (read === values || !found.has(name))
      found.set(name, { type: one.type, format: one.format, isWhole: read === values });
  }
}
