import type { Json } from "#base";
import { expressionWrong } from "../errors.ts";

/** A parsed `${{ … }}`. */
export type Expression =
  | { readonly type: "literal"; readonly value: Json }
  | { readonly type: "path"; readonly path: readonly string[] }
  | { readonly type: "call"; readonly name: StatusFunction }
  | { readonly type: "not"; readonly operand: Expression }
  | { readonly type: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression };

/** What a condition may ask of the run so far: `failure()`. */
export const STATUS_FUNCTIONS = ["success", "failure", "always", "cancelled"] as const;
export type StatusFunction = (typeof STATUS_FUNCTIONS)[number];

/** Where a scope holds the answers of the status functions: a place that no path leads to. */
export const STATUS = "status()";
const STATUS_OF_GOOD_RUN: Readonly<Record<StatusFunction, boolean>> = {
  success: true,
  failure: false,
  always: true,
  cancelled: false,
};

/** What paths are looked up in: `params`, `matrix`, `steps`, `trigger`, `run`, `project`. */
export type Scope = Readonly<Record<string, Json | undefined>>;

const TOKEN =
  /\s*(?:(?<text>'(?:[^']|'')*')|(?<number>-?\d+(?:\.\d+)?)|(?<path>[A-Za-z_][\w-]*(?:\.[\w-]+)*)|(?<operator>==|!=|<=|>=|&&|\|\||[<>!()]))/y;
const LEVELS: readonly (readonly string[])[] = [["||"], ["&&"], ["==", "!=", "<", "<=", ">", ">="]];
const LITERALS: Readonly<Record<string, Json>> = { true: true, false: false, null: null };
const LONGEST = 1000;

/**
 * Parses the inside of a `${{ … }}`.
 *
 * @throws PIPELINE_EXPRESSION_WRONG
 */
export function parseExpression(source: string): Expression {
  const tokens = tokenize(source);
  let at = 0;
  const peek = (): Token | undefined => tokens[at];
  const wrong = (reason: string) =>
    expressionWrong({
      expression: source.trim(),
      reason,
      hint: "For example: params.depth, matrix.node == 22, trigger.subject != 'main'.",
    });

  function binary(level: number): Expression {
    const operators = LEVELS[level];
    if (operators === undefined) return unary();
    let left = binary(level + 1);
    for (let token = peek(); token?.type === "operator" && operators.includes(token.text); token = peek()) {
      at++;
      left = { type: "binary", operator: token.text, left, right: binary(level + 1) };
    }
    return left;
  }

  function unary(): Expression {
    const token = peek();
    if (token === undefined) throw wrong("it ends too early");
    at++;
    if (token.type === "operator" && token.text === "!") return { type: "not", operand: unary() };
    if (token.type === "operator" && token.text === "(") {
      const inner = binary(0);
      if (peek()?.text !== ")") throw wrong("a closing parenthesis is missing");
      at++;
      return inner;
    }
    return value(token);
  }

  function value(token: Token): Expression {
    if (token.type === "operator") throw wrong(`"${token.text}" stands where a value is expected`);
    if (token.type === "text") return { type: "literal", value: token.text.slice(1, -1).replaceAll("''", "'") };
    if (token.type === "number") return { type: "literal", value: Number(token.text) };
    if (peek()?.type === "operator" && peek()?.text === "(") return call(token.text);
    const literal = LITERALS[token.text];
    return literal === undefined ? { type: "path", path: token.text.split(".") } : { type: "literal", value: literal };
  }

  function call(name: string): Expression {
    const known = STATUS_FUNCTIONS.find((one) => one === name);
    if (known === undefined)
      throw expressionWrong({
        expression: source.trim(),
        reason: `there is no function "${name}"`,
        hint: `There are ${STATUS_FUNCTIONS.map((one) => `${one}()`).join(", ")}.`,
      });
    at++;
    if (peek()?.text !== ")") throw wrong(`${name}() takes nothing between its parentheses`);
    at++;
    return { type: "call", name: known };
  }

  const expression = binary(0);
  const rest = peek();
  if (rest !== undefined) throw wrong(`"${rest.text}" is not expected there`);
  return expression;
}

interface Token {
  readonly type: "text" | "number" | "path" | "operator";
  readonly text: string;
}

function tokenize(source: string): readonly Token[] {
  const wrong = (reason: string) =>
    expressionWrong({
      expression: source.trim(),
      reason,
      hint: "Texts stand in single quotes; operators are ! == != < <= > >= && ||.",
    });
  if (source.length > LONGEST) throw wrong(`it is longer than ${LONGEST} characters`);
  const tokens: Token[] = [];
  const text = source.trimEnd();
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length;) {
    const start = TOKEN.lastIndex;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) throw wrong(`"${text.slice(start).trim().slice(0, 20)}" is not understood`);
    for (const type of ["text", "number", "path", "operator"] as const) {
      const found = groups[type];
      if (found !== undefined) tokens.push({ type, text: found });
    }
  }
  return tokens;
}

/** An expression as text again. */
export function formatExpression(expression: Expression): string {
  switch (expression.type) {
    case "literal":
      return formatLiteral(expression.value);
    case "path":
      return expression.path.join(".");
    case "call":
      return `${expression.name}()`;
    case "not":
      return `!${formatExpression(expression.operand)}`;
    case "binary":
      return `(${formatExpression(expression.left)} ${expression.operator} ${formatExpression(expression.right)})`;
  }
}

function formatLiteral(value: Json): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number" && /^-?\d+(\.\d+)?$/.test(String(value))) return String(value);
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return `'${text.replaceAll("'", "''")}'`;
}

/** An expression with others in place of its paths; itself where none is replaced. */
export function replacePaths(
  expression: Expression,
  replace: (path: readonly string[]) => Expression | undefined,
): Expression {
  switch (expression.type) {
    case "literal":
    case "call":
      return expression;
    case "path":
      return replace(expression.path) ?? expression;
    case "not": {
      const operand = replacePaths(expression.operand, replace);
      return operand === expression.operand ? expression : { ...expression, operand };
    }
    case "binary": {
      const left = replacePaths(expression.left, replace);
      const right = replacePaths(expression.right, replace);
      return left === expression.left && right === expression.right ? expression : { ...expression, left, right };
    }
  }
}

/** Every path that an expression reads. */
export function pathsOf(expression: Expression): readonly (readonly string[])[] {
  switch (expression.type) {
    case "literal":
    case "call":
      return [];
    case "path":
      return [expression.path];
    case "not":
      return pathsOf(expression.operand);
    case "binary":
      return [...pathsOf(expression.left), ...pathsOf(expression.right)];
  }
}

/** Status functions that an expression calls. */
export function callsOf(
  expression: Expression,
): readonly { readonly name: StatusFunction; readonly isNegated: boolean }[] {
  switch (expression.type) {
    case "literal":
    case "path":
      return [];
    case "call":
      return [{ name: expression.name, isNegated: false }];
    case "not":
      return callsOf(expression.operand).map(({ name, isNegated }) => ({ name, isNegated: !isNegated }));
    case "binary":
      return [...callsOf(expression.left), ...callsOf(expression.right)];
  }
}

/** The value of an expression; a path that leads nowhere is null. */
export function evaluate(expression: Expression, scope: Scope): Json {
  switch (expression.type) {
    case "literal":
      return expression.value;
    case "path":
      return lookUp(expression.path, scope);
    case "call":
      return ((scope[STATUS] ?? STATUS_OF_GOOD_RUN) as Readonly<Record<StatusFunction, boolean>>)[expression.name];
    case "not":
      return !isTrue(evaluate(expression.operand, scope));
    case "binary":
      return evaluateBinary(expression, scope);
  }
}

function evaluateBinary(expression: Expression & { readonly type: "binary" }, scope: Scope): Json {
  const left = evaluate(expression.left, scope);
  if (expression.operator === "||") return isTrue(left) ? left : evaluate(expression.right, scope);
  if (expression.operator === "&&") return isTrue(left) ? evaluate(expression.right, scope) : left;
  const right = evaluate(expression.right, scope);
  if (expression.operator === "==") return JSON.stringify(left) === JSON.stringify(right);
  if (expression.operator === "!=") return JSON.stringify(left) !== JSON.stringify(right);
  if (typeof left !== typeof right || (typeof left !== "number" && typeof left !== "string")) return false;
  const order = left < (right as typeof left) ? -1 : left > (right as typeof left) ? 1 : 0;
  if (expression.operator === "<") return order < 0;
  if (expression.operator === "<=") return order <= 0;
  return expression.operator === ">" ? order > 0 : order >= 0;
}

function lookUp(path: readonly string[], scope: Scope): Json {
  let value: unknown = scope;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return null;
    value = (value as Record<string, unknown>)[key];
  }
  return (value ?? null) as Json;
}

/** What a condition counts as true: anything but false, null, 0 and empty text. */
export function isTrue(value: Json): boolean {
  return value !== false && value !== null && value !== 0 && value !== "";
}
