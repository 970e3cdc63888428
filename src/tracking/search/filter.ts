import { parameterInvalid } from "../errors.ts";
import { joinWordComparisons, type Phrase, readStatements } from "./phrase.ts";

export const COMPARATORS = [
  "=",
  "!=",
  ">",
  ">=",
  "<",
  "<=",
  "LIKE",
  "ILIKE",
  "IN",
  "NOT IN",
  "IS NULL",
  "IS NOT NULL",
] as const;
export type Comparator = (typeof COMPARATORS)[number];

/** One condition of a filter; all of a filter's conditions must hold. */
export interface Condition<Entity extends string = string> {
  readonly entity: Entity;
  readonly key: string;
  readonly comparator: Comparator;
  /** A list for IN and NOT IN, absent for IS NULL and IS NOT NULL. */
  readonly value?: string | number | readonly string[];
}

/** One key of an order. */
export interface OrderKey<Entity extends string = string> {
  readonly entity: Entity;
  readonly key: string;
  readonly ascending: boolean;
}

export function refuse(message: string): never {
  throw parameterInvalid({ message });
}

/**
 * The comparisons of a filter, all of which must hold.
 *
 * @param quoted true where MLflow quotes the words it could not use in its message
 * @throws TRACKING_PARAMETER_INVALID
 */
export function readComparisons(filter: string, quoted: boolean): readonly Phrase[] {
  if (filter === "") return [];
  const statements = readStatements(filter);
  const [statement] = statements;
  if (statement === undefined) refuse(`Invalid filter '${filter}'. Could not be parsed.`);
  if (statements.length > 1)
    refuse(`Search filter contained multiple expression '${filter}'. Provide AND-ed expression list.`);
  const phrases = joinWordComparisons(statement);
  assertConditionCount(phrases);
  const unused = phrases.filter(
    (phrase) => phrase.kind !== "comparison" && !(phrase.kind === "keyword" && phrase.text.toUpperCase() === "AND"),
  );
  if (unused.length > 0)
    refuse(`Invalid clause(s) in filter string: ${unused.map(({ text }) => (quoted ? `'${text}'` : text)).join(", ")}`);
  const comparisons = phrases.filter((phrase) => phrase.kind === "comparison");
  for (const { left } of comparisons) {
    if (left?.kind !== "identifier") refuse(`Invalid comparison clause. Expected 'Identifier' found '${left?.text}'`);
  }
  return comparisons;
}

/** Each is a part of one SQL statement, of which databases limit the depth. */
const MOST_CONDITIONS = 200;

/** @throws TRACKING_PARAMETER_INVALID */
export function assertConditionCount(phrases: readonly Phrase[]): void {
  const count = phrases.filter((phrase) => phrase.kind === "comparison").length;
  if (count > MOST_CONDITIONS)
    refuse(
      `A filter takes at most ${MOST_CONDITIONS} conditions. Got ${count}. Use IN lists, or split it across several searches.`,
    );
}

/** The comparator in capitals. */
export function comparatorOf(comparison: Phrase): string {
  return (comparison.comparator ?? "").toUpperCase().replace(/\s+/g, " ");
}

/** `entity.key`, or a key alone. Quotes around either are taken off. */
export function splitIdentifier(text: string): { readonly entity: string | undefined; readonly key: string } {
  const dot = text.indexOf(".");
  if (dot < 0) return { entity: undefined, key: unquoteKey(text) };
  return { entity: trimBackticks(text.slice(0, dot)), key: unquoteKey(text.slice(dot + 1)) };
}

export function isQuoted(text: string, quote: string): boolean {
  return text.length >= 2 && text.startsWith(quote) && text.endsWith(quote);
}

export function trimBackticks(text: string): string {
  return isQuoted(text, "`") ? text.slice(1, -1) : text;
}

function unquoteKey(text: string): string {
  const plain = isQuoted(text, "'") || isQuoted(text, '"') ? text.slice(1, -1) : text;
  return trimBackticks(plain);
}

/** The text of a quoted value. Doubled quotes inside stay doubled, as in MLflow. */
export function quotedValue(value: Phrase, otherwise: (text: string) => never): string {
  if (value.kind !== "string" && value.kind !== "identifier") otherwise(value.text);
  if (isQuoted(value.text, "'") || isQuoted(value.text, '"')) return value.text.slice(1, -1);
  return refuse(
    `Parameter value is either not quoted or unidentified quote types used for string value ${value.text}. Use either single or double quotes.`,
  );
}

export function numericValue(value: Phrase, otherwise: (text: string) => never): number {
  if (value.kind !== "integer" && value.kind !== "float") otherwise(value.text);
  return Number(value.text);
}

/** The strings of `('a', 'b')`; a trailing comma is fine. */
export function listValue(list: Phrase): readonly string[] {
  const inside = list.text.slice(1, -1).trim();
  if (inside === "")
    refuse("While parsing a list in the query, expected a non-empty list of string values, but got empty list");
  if (!/^('([^'\\]|\\.)*'|"([^"\\]|\\.)*")(\s*,\s*('([^'\\]|\\.)*'|"([^"\\]|\\.)*"))*\s*,?$/.test(inside)) {
    refuse("While parsing a list in the query, expected a non-empty list of string values, but got ill-formed list.");
  }
  return [...inside.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1] ?? match[2] ?? "");
}

/** A set as Python prints it, sorted. */
export function pythonSet(values: Iterable<string>): string {
  return `{${[...values]
    .sort()
    .map((value) => `'${value}'`)
    .join(", ")}}`;
}
