import { data, Evaluator, Lexer, Parser } from "@actions/expressions";
import { isEsteiraError, type Json, messageOf } from "#base";
import { expressionFailed } from "./errors.ts";
import { isList, isMap } from "./json.ts";

type Data = ReturnType<Evaluator["evaluate"]>;

/** What an expression may ask beside the functions that every expression has. */
export type ExpressionFunctions = Readonly<Record<string, (...values: readonly Json[]) => Json>>;

export interface ExpressionScope {
  /** `github`, `env`, `matrix`, …; a context that is not given is empty. */
  readonly contexts: Readonly<Record<string, Json | undefined>>;
  readonly functions?: ExpressionFunctions;
}

const CONTEXTS = [
  "github",
  "env",
  "vars",
  "job",
  "jobs",
  "steps",
  "runner",
  "secrets",
  "strategy",
  "matrix",
  "needs",
  "inputs",
] as const;
const STATUS_FUNCTIONS = ["success", "failure", "always", "cancelled"] as const;
const MOST_ARGUMENTS = 255;
const LONGEST = 21_000;

/**
 * The value of the inside of a `${{ … }}`, by GitHub's own rules and parser.
 *
 * @throws WORKFLOWS_EXPRESSION_FAILED
 */
export function evaluate(source: string, scope: ExpressionScope): Json {
  return fromData(evaluateData(source, scope));
}

function evaluateData(source: string, { contexts, functions = {} }: ExpressionScope): Data {
  if (source.length > LONGEST)
    throw expressionFailed({
      expression: `${source.slice(0, 80)}…`,
      reason: `it is longer than ${LONGEST} characters`,
    });
  const own = Object.entries(functions).map(([name, call]) => ({
    name,
    minArgs: 0,
    maxArgs: MOST_ARGUMENTS,
    call: (...values: Data[]) => toData(call(...values.map(fromData))),
  }));
  try {
    const parsed = new Parser(new Lexer(source).lex().tokens, [...CONTEXTS], own).parse();
    const context = new data.Dictionary(
      ...CONTEXTS.map((name) => ({ key: name, value: toData(contexts[name] ?? {}) })),
    );
    return new Evaluator(parsed, context, new Map(own.map((one) => [one.name.toLowerCase(), one]))).evaluate();
  } catch (error) {
    if (isEsteiraError(error)) throw error;
    throw expressionFailed({ expression: source.trim(), reason: messageOf(error) }, error);
  }
}

/** A text with every `${{ … }}` replaced; one that is nothing but an expression gives its value with its type. */
export function interpolate(value: string, scope: ExpressionScope): Json {
  const parts = splitExpressions(value);
  const [only] = parts;
  if (parts.length === 1 && only?.type === "expression") return evaluate(only.text, scope);
  return parts.map((part) => (part.type === "text" ? part.text : toText(part.text, scope))).join("");
}

/** The same, always as text: what GitHub puts into a script or a variable. */
export function interpolateText(value: string, scope: ExpressionScope): string {
  return splitExpressions(value)
    .map((part) => (part.type === "text" ? part.text : toText(part.text, scope)))
    .join("");
}

/** Every text below a value, replaced. */
export function interpolateAll(value: Json, scope: ExpressionScope): Json {
  if (typeof value === "string") return interpolate(value, scope);
  if (isList(value)) return value.map((item) => interpolateAll(item, scope));
  if (isMap(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [interpolateText(key, scope), interpolateAll(member, scope)]),
    );
  return value;
}

function toText(source: string, scope: ExpressionScope): string {
  return evaluateData(source, scope).coerceString();
}

/** Whether a condition holds; without one of the status functions it is asked only while all is well. */
export function holds(condition: string, scope: ExpressionScope): boolean {
  const source = conditionSource(condition);
  if (!asksStatus(source) && !isTrue(evaluate("success()", scope))) return false;
  return isTrue(evaluate(source, scope));
}

/** The expression that a condition is, with or without `${{ }}`. Text around an expression makes it a text. */
export function conditionSource(condition: string): string {
  const parts = splitExpressions(condition.trim());
  const [only] = parts;
  if (only === undefined || only.text.trim() === "") return "success()";
  if (parts.length === 1) return only.text;
  const pieces = parts.map((part) =>
    part.type === "text" ? `'${part.text.replaceAll("'", "''")}'` : `(${part.text})`,
  );
  return `format('${pieces.map((_, index) => `{${index}}`).join("")}', ${pieces.join(", ")})`;
}

/** True when a condition decides itself what happens after a failure or a cancel. */
export function asksStatus(source: string): boolean {
  return callsAny(source, STATUS_FUNCTIONS);
}

export function callsAny(source: string, names: readonly string[]): boolean {
  const code = source.replaceAll(/'(?:[^']|'')*'/g, "''");
  return new RegExp(`\\b(${names.join("|")})\\s*\\(`, "i").test(code);
}

export function isTrue(value: Json): boolean {
  return value !== false && value !== null && value !== 0 && value !== "" && !Number.isNaN(value);
}

export interface ExpressionPart {
  readonly type: "text" | "expression";
  /** Of an expression: what stands between the braces. */
  readonly text: string;
  readonly offset: number;
}

/** A text cut at its expressions; `}}` in a quoted text ends none. An expression that is not closed is text. */
export function splitExpressions(value: string): readonly ExpressionPart[] {
  const parts: ExpressionPart[] = [];
  let at = 0;
  for (let open = value.indexOf("${{"); open !== -1; open = value.indexOf("${{", at)) {
    const end = endOfExpression(value, open + 3);
    if (end === undefined) break;
    if (open > at) parts.push({ type: "text", text: value.slice(at, open), offset: at });
    parts.push({ type: "expression", text: value.slice(open + 3, end), offset: open });
    at = end + 2;
  }
  if (at < value.length) parts.push({ type: "text", text: value.slice(at), offset: at });
  return parts;
}

function endOfExpression(value: string, from: number): number | undefined {
  let isQuoted = false;
  for (let at = from; at < value.length; at++) {
    if (value[at] === "'") isQuoted = !isQuoted;
    else if (!isQuoted && value.startsWith("}}", at)) return at;
  }
  return undefined;
}

/** Every expression in the texts below a value, with the path of its text. */
export function findExpressions(
  value: unknown,
  path: readonly (string | number)[] = [],
): readonly { readonly path: readonly (string | number)[]; readonly source: string }[] {
  if (typeof value === "string")
    return splitExpressions(value).flatMap(({ type, text }) => (type === "expression" ? [{ path, source: text }] : []));
  if (Array.isArray(value)) return value.flatMap((item, index) => findExpressions(item, [...path, index]));
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([key, member]) => findExpressions(member, [...path, key]));
  return [];
}

function toData(value: Json): Data {
  if (value === null) return new data.Null();
  if (typeof value === "string") return new data.StringData(value);
  if (typeof value === "number") return new data.NumberData(value);
  if (typeof value === "boolean") return new data.BooleanData(value);
  if (isList(value)) return new data.Array(...value.map(toData));
  return new data.Dictionary(...Object.entries(value).map(([key, member]) => ({ key, value: toData(member ?? null) })));
}

function fromData(value: Data): Json {
  if (value instanceof data.StringData || value instanceof data.NumberData || value instanceof data.BooleanData)
    return value.value;
  if (value instanceof data.Array) return value.values().map(fromData);
  if (value instanceof data.Dictionary)
    return Object.fromEntries(value.pairs().map(({ key, value: member }) => [key, fromData(member)]));
  return null;
}
