import { parameterInvalid } from "../errors.ts";
import { type Token, tokenize } from "./lexer.ts";

export type PhraseKind =
  | "identifier"
  | "string"
  | "integer"
  | "float"
  | "list"
  | "comparator"
  | "keyword"
  | "order"
  | "operation"
  | "comparison"
  | "other";

/** One word, or several that belong together. */
export interface Phrase {
  readonly kind: PhraseKind;
  /** As it stands in the filter. */
  readonly text: string;
  /** Of a comparison. `right` is absent for `IS NULL` and `IS NOT NULL`. */
  readonly left?: Phrase;
  readonly comparator?: string;
  readonly right?: Phrase;
}

interface Spaced {
  readonly phrase: Phrase;
  /** White space before it. */
  readonly gap: string;
}

/**
 * The phrases of each statement (`;` ends one), in the order and with the grouping that MLflow's SQL parser gives them.
 */
export function readStatements(text: string): readonly (readonly Phrase[])[] {
  assertReadable(text);
  const statements: Token[][] = [];
  let open: Token[] = [];
  for (const token of tokenize(text)) {
    open.push(token);
    if (token.text === ";" && token.kind === "punctuation") {
      statements.push(open);
      open = [];
    }
  }
  if (open.some((token) => token.kind !== "space")) statements.push(open);
  return statements.map((tokens) => joinLists(group(tokens)).map((spaced) => spaced.phrase));
}

const LONGEST_FILTER = 16 * 1024;
const LONGEST_WITH_VALUES = 1024 * 1024;
/** A quoted value with the comma behind it: long lists of them are no work. */
const QUOTED_VALUE = /'[^']*'\s*,?\s*|"[^"]*"\s*,?\s*/g;

/** @throws TRACKING_PARAMETER_INVALID */
export function assertReadable(text: string): void {
  if (text.length <= LONGEST_FILTER) return;
  if (text.length <= LONGEST_WITH_VALUES && text.replace(QUOTED_VALUE, "").length <= LONGEST_FILTER) return;
  throw parameterInvalid({
    message: `The filter or order has ${text.length} characters. At most ${LONGEST_FILTER} are read beside quoted values, and ${LONGEST_WITH_VALUES} with them. Split it across several searches.`,
  });
}

function group(tokens: readonly Token[]): Spaced[] {
  let phrases = joinPeriods(joinParentheses(tokens));
  phrases = joinOrders(phrases);
  phrases = joinInfix(
    phrases,
    (phrase) => phrase.text !== "," && phrase.kind === "other" && /^[-+/@#%^&|*]|^->/.test(phrase.text),
    "operation",
  );
  phrases = joinInfix(phrases, (phrase) => phrase.kind === "comparator", "comparison");
  return joinAliases(phrases);
}

const KIND_OF_TOKEN: Readonly<Record<string, PhraseKind>> = {
  name: "identifier",
  string: "string",
  integer: "integer",
  float: "float",
  comparison: "comparator",
  keyword: "keyword",
  order: "order",
};

function joinParentheses(tokens: readonly Token[]): Spaced[] {
  const ends = closings(tokens);
  const result: Spaced[] = [];
  let gap = "";
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (token === undefined) break;
    if (token.kind === "space") {
      gap = token.text;
      continue;
    }
    const end = ends.get(index) ?? -1;
    const phrase: Phrase =
      end < 0
        ? { kind: KIND_OF_TOKEN[token.kind] ?? "other", text: token.text }
        : { kind: "list", text: textOf(tokens.slice(index, end + 1)) };
    if (end >= 0) index = end;
    result.push({ phrase, gap });
    gap = "";
  }
  return result;
}

/**
 * Where each parenthesis closes that does, by where it opens. One pass: looking ahead from each would take a quadratic
 * time.
 */
function closings(tokens: readonly Token[]): ReadonlyMap<number, number> {
  const open: number[] = [];
  const ends = new Map<number, number>();
  for (const [index, { kind, text }] of tokens.entries()) {
    if (kind !== "punctuation") continue;
    if (text === "(") open.push(index);
    const start = text === ")" ? open.pop() : undefined;
    if (start !== undefined) ends.set(start, index);
  }
  return ends;
}

function textOf(tokens: readonly Token[]): string {
  return tokens.map((token) => token.text).join("");
}

function merge(kind: PhraseKind, parts: readonly Spaced[], members: Omit<Phrase, "kind" | "text"> = {}): Spaced {
  // Added, not joined: a long chain of merges must not copy its text at each of them.
  const text = parts.reduce((whole, part, index) => whole + (index === 0 ? "" : part.gap) + part.phrase.text, "");
  return { phrase: { kind, text, ...members }, gap: parts[0]?.gap ?? "" };
}

/** `a.b.c` is one identifier; a dot that nothing fits behind belongs to what stands before it. */
function joinPeriods(phrases: readonly Spaced[]): Spaced[] {
  const result: Spaced[] = [];
  for (let index = 0; index < phrases.length; index++) {
    const current = phrases[index];
    if (current === undefined) break;
    const before = result.at(-1);
    if (current.phrase.text !== "." || current.phrase.kind !== "other" || before?.phrase.kind !== "identifier") {
      result.push(current);
      continue;
    }
    const next = phrases[index + 1];
    const fits = next !== undefined && (next.phrase.kind === "identifier" || next.phrase.kind === "string");
    result[result.length - 1] = merge("identifier", fits ? [before, current, next] : [before, current]);
    if (fits) index++;
  }
  return result;
}

function joinOrders(phrases: readonly Spaced[]): Spaced[] {
  const result: Spaced[] = [];
  for (const current of phrases) {
    const before = result.at(-1);
    const ordered =
      before !== undefined &&
      (before.phrase.kind === "identifier" || before.phrase.kind === "integer" || before.phrase.kind === "float");
    if (current.phrase.kind === "order" && ordered) result[result.length - 1] = merge("identifier", [before, current]);
    else result.push(current);
  }
  return result;
}

function joinInfix(
  phrases: readonly Spaced[],
  isMiddle: (phrase: Phrase) => boolean,
  kind: "operation" | "comparison",
): Spaced[] {
  const result: Spaced[] = [];
  for (let index = 0; index < phrases.length; index++) {
    const current = phrases[index];
    if (current === undefined) break;
    const left = result.at(-1);
    const right = phrases[index + 1];
    if (
      !isMiddle(current.phrase) ||
      left === undefined ||
      right === undefined ||
      !isOperand(left.phrase) ||
      !isOperand(right.phrase)
    ) {
      result.push(current);
      continue;
    }
    const members =
      kind === "comparison" ? { left: left.phrase, comparator: current.phrase.text, right: right.phrase } : {};
    result[result.length - 1] = merge(kind, [left, current, right], members);
    index++;
  }
  return result;
}

function isOperand(phrase: Phrase): boolean {
  if (phrase.kind === "keyword") return phrase.text.toUpperCase() === "NULL";
  return ["identifier", "string", "integer", "float", "list", "operation"].includes(phrase.kind);
}

/** SQL's `expression name`: what is followed by a name takes it as its alias, and is no condition any more. */
function joinAliases(phrases: readonly Spaced[]): Spaced[] {
  const result: Spaced[] = [];
  for (const current of phrases) {
    const before = result.at(-1);
    const named =
      before !== undefined &&
      ["identifier", "list", "operation", "comparison", "integer", "float"].includes(before.phrase.kind);
    if (current.phrase.kind === "identifier" && named)
      result[result.length - 1] = merge("identifier", [before, current]);
    else result.push(current);
  }
  return result;
}

function joinLists(phrases: readonly Spaced[]): Spaced[] {
  const result: Spaced[] = [];
  for (let index = 0; index < phrases.length; index++) {
    const current = phrases[index];
    if (current === undefined) break;
    const left = result.at(-1);
    const right = phrases[index + 1];
    if (current.phrase.text !== "," || left === undefined || right === undefined) {
      result.push(current);
      continue;
    }
    result[result.length - 1] = merge("other", [left, current, right]);
    index++;
  }
  return result;
}

/** Turns `x IN (…)`, `x NOT IN (…)`, `x IS NULL` and `x IS NOT NULL` into comparisons. */
export function joinWordComparisons(phrases: readonly Phrase[]): readonly Phrase[] {
  const result: Phrase[] = [];
  for (let index = 0; index < phrases.length;) {
    const [first, second, third, fourth] = phrases.slice(index, index + 4);
    if (first === undefined) break;
    const joined = first.kind === "identifier" ? wordComparison(first, second, third, fourth) : undefined;
    if (joined !== undefined) {
      result.push(joined.phrase);
      index += joined.length;
      continue;
    }
    // MLflow takes four words at a time here, so that a comparison among them stays what it is.
    const taken = first.kind === "identifier" ? phrases.slice(index, index + 4) : [first];
    result.push(...taken);
    index += taken.length;
  }
  return result;
}

function wordComparison(
  left: Phrase,
  second: Phrase | undefined,
  third: Phrase | undefined,
  fourth: Phrase | undefined,
): { readonly phrase: Phrase; readonly length: number } | undefined {
  const word = (phrase: Phrase | undefined): string =>
    phrase?.kind === "keyword" ? phrase.text.toUpperCase().replace(/\s+/g, " ") : "";
  const text = [left, second, third, fourth]
    .map((phrase) => phrase?.text ?? "")
    .join(" ")
    .trim();
  if (word(second) === "IN" && third?.kind === "list")
    return { phrase: { kind: "comparison", text, left, comparator: "IN", right: third }, length: 3 };
  if (word(second) === "IS" && word(third) === "NULL")
    return { phrase: { kind: "comparison", text, left, comparator: "IS NULL" }, length: 3 };
  if (word(second) === "IS" && word(third) === "NOT NULL")
    return { phrase: { kind: "comparison", text, left, comparator: "IS NOT NULL" }, length: 3 };
  if (word(second) === "NOT" && word(third) === "IN" && fourth?.kind === "list") {
    return { phrase: { kind: "comparison", text, left, comparator: "NOT IN", right: fourth }, length: 4 };
  }
  return undefined;
}
