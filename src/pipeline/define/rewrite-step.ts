import { isEsteiraError, type Json } from "#base";
import type { Problem } from "../step-kind.ts";
import { type Expression, formatExpression, parseExpression, replacePaths } from "./expression.ts";
import { isShellSafe, replaceExpressions, toText, wholeExpression } from "./interpolate.ts";
import { isJsonList, isJsonMap, type JsonMap } from "./json-map.ts";
import { STEP_KEYS } from "./keys.ts";

/** What a path of an expression stands for: another expression, or a value that only stands by itself. */
export type Replacement = { readonly expression: Expression } | { readonly value: Json };

export interface Rewriting {
  /** Undefined where the path stays as it is. */
  replace(path: readonly string[], report: (message: string, hint: string) => void): Replacement | undefined;
  readonly problems: Problem[];
}

type Path = readonly (string | number)[];

/** Keys of every step in which no run replaces expressions. */
const LITERAL_KEYS: ReadonlySet<string> = new Set([
  ...STEP_KEYS.filter((key) => !["params", "env", "for_each", "when"].includes(key)),
  "with",
]);

/** A step with its expressions rewritten; texts in which none changes stay as they are written. */
export function rewriteStep(step: JsonMap, rewriting: Rewriting): JsonMap {
  return rewriteMap(step, rewriting, []);
}

function rewriteMap(map: JsonMap, rewriting: Rewriting, path: Path): JsonMap {
  return Object.fromEntries(
    Object.entries(map).map(([key, member]) => [key, rewrite(member, rewriting, [...path, key])]),
  );
}

function rewrite(value: Json, rewriting: Rewriting, path: Path): Json {
  if (typeof value === "string")
    return path.length === 1 && path[0] === "when"
      ? rewriteCondition(value, rewriting)
      : rewriteText(value, rewriting, path);
  if (isJsonMap(value)) return rewriteMap(value, rewriting, path);
  return isJsonList(value) ? value.map((item, index) => rewrite(item, rewriting, [...path, index])) : value;
}

/** A condition may stand without braces. */
function rewriteCondition(text: string, rewriting: Rewriting): string {
  const source = wholeExpression(text) ?? text;
  const parsed = parse(source);
  if (parsed === undefined) return text;
  const changed = rewriteExpression(parsed, { rewriting, path: ["when"], source });
  return changed === parsed ? text : formatExpression(changed);
}

function rewriteText(text: string, rewriting: Rewriting, path: Path): Json {
  if (!text.includes("${{")) return text;
  const whole = wholeExpression(text);
  if (whole === undefined) return replaceExpressions(text, (source) => putIntoText(source, rewriting, path));
  const parsed = parse(whole);
  if (parsed === undefined) return text;
  if (parsed.type !== "path") {
    const changed = rewriteExpression(parsed, { rewriting, path, source: whole });
    return changed === parsed ? text : `\${{ ${formatExpression(changed)} }}`;
  }
  const found = rewriting.replace(parsed.path, reportTo(rewriting, path, whole));
  if (found === undefined) return text;
  if ("value" in found) return found.value;
  return found.expression.type === "literal" ? found.expression.value : `\${{ ${formatExpression(found.expression)} }}`;
}

function putIntoText(source: string, rewriting: Rewriting, path: Path): string {
  const written = `\${{${source}}}`;
  const parsed = parse(source);
  if (parsed === undefined) return written;
  if (parsed.type !== "path") {
    const changed = rewriteExpression(parsed, { rewriting, path, source });
    return changed === parsed ? written : `\${{ ${formatExpression(changed)} }}`;
  }
  const found = rewriting.replace(parsed.path, reportTo(rewriting, path, source));
  if (found === undefined) return written;
  if ("expression" in found && found.expression.type !== "literal")
    return `\${{ ${formatExpression(found.expression)} }}`;
  const value = "value" in found ? found.value : found.expression.type === "literal" ? found.expression.value : null;
  return typeof value === "string" && value.includes("${{") ? value : putValue(toText(value), path);
}

/**
 * A text in the middle of another. What a shell would interpret stays an expression, so that it is refused in a shell
 * line as a param is.
 */
function putValue(text: string, [key]: Path): string {
  if (isShellSafe(text) || LITERAL_KEYS.has(String(key)) || text.includes("}}")) return text;
  return `\${{ ${formatExpression({ type: "literal", value: text })} }}`;
}

function rewriteExpression(
  expression: Expression,
  { rewriting, path, source }: { readonly rewriting: Rewriting; readonly path: Path; readonly source: string },
): Expression {
  const report = reportTo(rewriting, path, source);
  return replacePaths(expression, (read) => {
    const found = rewriting.replace(read, report);
    if (found === undefined || "expression" in found) return found?.expression;
    report(`${read.join(".")} is ${describe(found.value)}: it can only stand by itself`, "Give it its own text.");
    return undefined;
  });
}

function describe(value: Json): string {
  return typeof value === "string" ? "a text with an expression in it" : "a list or a map";
}

function reportTo(rewriting: Rewriting, path: Path, source: string): (message: string, hint: string) => void {
  return (message, hint) => rewriting.problems.push({ path, message: `\${{ ${source.trim()} }}: ${message}`, hint });
}

/** Undefined where it is wrong, which is told where the step is read. */
function parse(source: string): Expression | undefined {
  try {
    return parseExpression(source);
  } catch (error) {
    if (isEsteiraError(error)) return undefined;
    throw error;
  }
}
