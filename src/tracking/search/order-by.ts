import { refuse } from "./filter.ts";
import { readStatements } from "./phrase.ts";

/** Each may cost a join, of which a database has a limit. */
const MOST_ORDER_KEYS = 50;

/** Reads the entries of an order_by. @throws TRACKING_PARAMETER_INVALID, also for more than 50 */
export function readOrders<Entry, Key>(entries: readonly Entry[], parse: (entry: Entry) => Key): readonly Key[] {
  if (entries.length > MOST_ORDER_KEYS)
    refuse(`An order takes at most ${MOST_ORDER_KEYS} keys. Got ${entries.length}.`);
  return entries.map(parse);
}

/**
 * Splits one order_by entry into what to sort by and the direction.
 *
 * @throws TRACKING_PARAMETER_INVALID
 */
export function readOrderBy(entry: string): { readonly identifier: string; readonly ascending: boolean } {
  const unreadable = (): never => refuse(`Invalid order_by clause '${entry}'. Could not be parsed.`);
  const statements = readStatements(entry);
  const phrases = statements[0] ?? unreadable();
  const [first, second] = phrases;
  if (statements.length !== 1 || first === undefined) return unreadable();
  const isTimestamp = first.kind === "keyword" && first.text.toLowerCase() === "timestamp";
  if (isTimestamp && phrases.length === 2 && second?.kind === "order")
    return { identifier: "timestamp", ascending: isAscending(second.text) };
  if (phrases.length !== 1 || (first.kind !== "identifier" && !isTimestamp)) return unreadable();
  return readDirection(entry, isTimestamp ? "timestamp" : first.text.trim(), splitWords(first.text) ?? []);
}

function readDirection(
  entry: string,
  whole: string,
  words: readonly string[],
): { readonly identifier: string; readonly ascending: boolean } {
  const [identifier, direction] = words;
  if (identifier === undefined || words.length > 2)
    return refuse(`Invalid order_by clause '${entry}'. Could not be parsed.`);
  if (direction === undefined) return { identifier: whole, ascending: true };
  if (!/^(asc|desc)$/i.test(direction)) refuse(`Invalid ordering key in order_by clause '${entry}'.`);
  return { identifier, ascending: isAscending(direction) };
}

function isAscending(word: string): boolean {
  return word.toLowerCase() === "asc";
}

/**
 * Words as a shell splits them: quotes (and back quotes) hold a word together and are taken off. Undefined when one
 * stays open.
 */
function splitWords(text: string): readonly string[] | undefined {
  const words: string[] = [];
  const pattern = /\s+|((?:"[^"]*"|`[^`]*`|'[^']*'|[^\s"'`])+)/gy;
  let position = 0;
  while (position < text.length) {
    pattern.lastIndex = position;
    const match = pattern.exec(text);
    if (match === null) return undefined;
    position += match[0].length;
    if (match[1] !== undefined) words.push(match[1].replace(/["'`]/g, ""));
  }
  return words;
}
