import type { Json } from "#base";
import { evaluate, type Expression, isTrue, parseExpression, pathsOf, type Scope } from "./expression.ts";

const EXPRESSION = /\$\{\{([\s\S]*?)\}\}/g;
const WHOLE = /^\s*\$\{\{([\s\S]*?)\}\}\s*$/;
const SHELL_SAFE = /^[A-Za-z0-9_./:@%+=,-]*$/;

/** Called with each value put into the middle of a text: may refuse it. */
export type Guard = (place: {
  readonly path: readonly (string | number)[];
  readonly expression: string;
  readonly value: string;
}) => void;

/**
 * Replaces every `${{ … }}` in a value. A text that is nothing but one expression becomes the value itself, with its
 * type.
 */
export function interpolate(value: Json, scope: Scope, guard?: Guard, path: readonly (string | number)[] = []): Json {
  if (typeof value === "string") return interpolateText(value, scope, guard, path);
  if (Array.isArray(value))
    return value.map((item, index) => interpolate(item as Json, scope, guard, [...path, index]));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, interpolate(member as Json, scope, guard, [...path, key])]),
    );
  }
  return value;
}

function interpolateText(
  text: string,
  scope: Scope,
  guard: Guard | undefined,
  path: readonly (string | number)[],
): Json {
  if (!text.includes("${{")) return text;
  const put = (source: string): Json => {
    const value = evaluate(parseExpression(source), scope);
    guard?.({ path, expression: source.trim(), value: toText(value) });
    return value;
  };
  const whole = wholeExpression(text);
  if (whole !== undefined) return put(whole);
  return replaceExpressions(text, (source) => toText(put(source)));
}

/** The inside of a text that is nothing but one expression. */
export function wholeExpression(text: string): string | undefined {
  const whole = WHOLE.exec(text)?.[1];
  return whole === undefined || whole.includes("}}") ? undefined : whole;
}

/** Puts a text into the place of each expression, the braces around it among what is replaced. */
export function replaceExpressions(text: string, put: (source: string) => string): string {
  return text.replaceAll(EXPRESSION, (_, source: string) => put(source));
}

/** How a value stands in a text: nothing for null, JSON for lists and maps. */
export function toText(value: Json): string {
  return value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** True when a shell takes the text as one plain word. */
export function isShellSafe(text: string): boolean {
  return SHELL_SAFE.test(text);
}

/** An expression found in a declaration, with the YAML path of its text. */
export interface FoundExpression {
  readonly path: readonly (string | number)[];
  readonly source: string;
}

/** Every `${{ … }}` in a value. */
export function findExpressions(value: Json, path: readonly (string | number)[] = []): readonly FoundExpression[] {
  if (typeof value === "string")
    return [...value.matchAll(EXPRESSION)].map((match) => ({ path, source: match[1] ?? "" }));
  if (Array.isArray(value)) return value.flatMap((item, index) => findExpressions(item as Json, [...path, index]));
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([key, member]) => findExpressions(member as Json, [...path, key]));
  return [];
}

/** A condition: with or without `${{ }}` around it. */
export function parseCondition(text: string): Expression {
  return parseExpression(WHOLE.exec(text)?.[1] ?? text);
}

export function holds(condition: string, scope: Scope): boolean {
  return isTrue(evaluate(parseCondition(condition), scope));
}

/** Names of the steps whose facts an expression reads. */
export function stepsReadBy(expression: Expression): readonly string[] {
  return pathsOf(expression).flatMap((path) => (path[0] === "steps" && path[1] !== undefined ? [path[1]] : []));
}
