import { nearestName } from "#base";
import { requirementInvalid } from "./errors.ts";

const COMPARISONS = [">=", "<=", ">", "<", "==", "!="] as const;
type Comparison = (typeof COMPARISONS)[number];

/** A metric of the candidate or the champion, overall or of one segment. */
export interface MetricReference {
  readonly of: "candidate" | "champion";
  readonly metric: string;
  readonly segment: { readonly column: string; readonly value: string } | undefined;
  /** 1-based, in the text. */
  readonly column: number;
}

type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "metric"; readonly reference: MetricReference }
  | {
      readonly kind: "operation";
      readonly operator: "+" | "-" | "*" | "/";
      readonly left: Expression;
      readonly right: Expression;
    };

/** One rule that a model must satisfy: `roc_auc >= champion.roc_auc - 0.005`. */
export interface Requirement {
  readonly text: string;
  readonly comparison: Comparison;
  readonly left: Expression;
  readonly right: Expression;
  /** Every metric that the rule mentions, in order. */
  readonly references: readonly MetricReference[];
}

/** What a rule came to. `passed` is undefined when a metric it needs does not exist. */
export interface RequirementResult {
  readonly left: number | undefined;
  readonly right: number | undefined;
  readonly passed: boolean | undefined;
}

/**
 * Reads one rule: `EXPRESSION COMPARISON EXPRESSION`, where an expression is built from numbers, metrics (`roc_auc`,
 * `champion.roc_auc`, `roc_auc[origin=ATL]`), `+ - * /` and parentheses.
 *
 * @param metrics the metric names that exist
 * @throws MODELS_REQUIREMENT_INVALID with the column and the nearest valid metric
 */
export function parseRequirement(text: string, metrics: readonly string[]): Requirement {
  const tokens = tokenize(text);
  const references: MetricReference[] = [];
  let position = 0;
  const peek = (): Token | undefined => tokens[position];
  const fail = (problem: string, token: Token | undefined = peek(), nearest?: string): never => {
    throw requirementInvalid({ text, column: (token?.at ?? text.length) + 1, problem, nearest });
  };

  function parseSum(): Expression {
    return parseChain(["+", "-"], () => parseChain(["*", "/"], parseOperand));
  }

  function parseChain(operators: readonly string[], parsePart: () => Expression): Expression {
    let left = parsePart();
    for (let token = peek(); token !== undefined && operators.includes(token.text); token = peek()) {
      position++;
      left = { kind: "operation", operator: token.text as "+" | "-" | "*" | "/", left, right: parsePart() };
    }
    return left;
  }

  function parseOperand(): Expression {
    const token = peek() ?? fail("the rule ends where a metric or a number is expected");
    position++;
    if (token.kind === "number") return { kind: "number", value: Number(token.text) };
    if (token.kind === "metric") return { kind: "metric", reference: toReference(token) };
    if (token.text === "-")
      return { kind: "operation", operator: "-", left: { kind: "number", value: 0 }, right: parseOperand() };
    if (token.text !== "(") return fail(`found ${JSON.stringify(token.text)}, expected a metric or a number`, token);
    const inner = parseSum();
    if (peek()?.text !== ")") fail('expected ")"');
    position++;
    return inner;
  }

  function toReference(token: Token): MetricReference {
    const [, owner, metric = "", column, value] = METRIC.exec(token.text) ?? [];
    if (!metrics.includes(metric)) {
      fail(
        `there is no metric ${JSON.stringify(metric)}; expected one of ${metrics.join(", ")}`,
        token,
        nearestName(metric, metrics),
      );
    }
    const reference: MetricReference = {
      of: owner === undefined ? "candidate" : "champion",
      metric,
      segment: column === undefined ? undefined : { column, value: unquote(value ?? "") },
      column: token.at + 1,
    };
    references.push(reference);
    return reference;
  }

  const left = parseSum();
  const comparison = peek() ?? fail(`the rule ends where one of ${COMPARISONS.join(" ")} is expected`);
  if (!COMPARISONS.some((known) => known === comparison.text))
    fail(`found ${JSON.stringify(comparison.text)}, expected one of ${COMPARISONS.join(" ")}`, comparison);
  position++;
  const right = parseSum();
  if (peek() !== undefined) fail(`found ${JSON.stringify(peek()?.text)} after the end of the rule`);
  if (!references.some(({ of }) => of === "candidate")) fail("the rule names no metric of the model itself", tokens[0]);
  return { text, comparison: comparison.text as Comparison, left, right, references };
}

/** Decides a rule. `lookUp` answers a metric's value, or undefined when it does not exist. Pure. */
export function decideRequirement(
  requirement: Requirement,
  lookUp: (reference: MetricReference) => number | undefined,
): RequirementResult {
  const left = valueOf(requirement.left, lookUp);
  const right = valueOf(requirement.right, lookUp);
  return {
    left,
    right,
    passed: left === undefined || right === undefined ? undefined : compare(left, requirement.comparison, right),
  };
}

function valueOf(
  expression: Expression,
  lookUp: (reference: MetricReference) => number | undefined,
): number | undefined {
  if (expression.kind === "number") return expression.value;
  if (expression.kind === "metric") return lookUp(expression.reference);
  const [left, right] = [valueOf(expression.left, lookUp), valueOf(expression.right, lookUp)];
  if (left === undefined || right === undefined) return undefined;
  switch (expression.operator) {
    case "+":
      return left + right;
    case "-":
      return left - right;
    case "*":
      return left * right;
    case "/":
      return left / right;
  }
}

function compare(left: number, comparison: Comparison, right: number): boolean {
  switch (comparison) {
    case ">=":
      return left >= right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    case "<":
      return left < right;
    case "==":
      return left === right;
    case "!=":
      return left !== right;
  }
}

interface Token {
  readonly kind: "number" | "metric" | "sign";
  readonly text: string;
  /** 0-based. */
  readonly at: number;
}

const METRIC = /^(champion\.)?([A-Za-z_][\w]*)(?:\[\s*([A-Za-z_]\w*)\s*=\s*("[^"]*"|'[^']*'|[^\]]*?)\s*\])?$/;
const TOKEN =
  /\s*(?:(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|((?:champion\.)?[A-Za-z_]\w*(?:\[[^\]]*\])?)|(>=|<=|==|!=|[><+\-*/()]))/y;

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (text.slice(TOKEN.lastIndex).trim() !== "") {
    const start = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) {
      const at = start + (text.slice(start).length - text.slice(start).trimStart().length);
      throw requirementInvalid({
        text,
        column: at + 1,
        problem: `found ${JSON.stringify(text.charAt(at))}, which has no meaning here`,
        nearest: undefined,
      });
    }
    const [whole, number, metric, sign] = match;
    const found = number ?? metric ?? sign ?? "";
    const at = start + whole.length - found.length;
    if (metric !== undefined && !METRIC.test(metric)) {
      throw requirementInvalid({
        text,
        column: at + 1,
        problem: `a segment is written METRIC[COLUMN=VALUE], found ${JSON.stringify(metric)}`,
        nearest: undefined,
      });
    }
    tokens.push({ kind: number !== undefined ? "number" : metric !== undefined ? "metric" : "sign", text: found, at });
  }
  return tokens;
}

function unquote(value: string): string {
  return /^(".*"|'.*')$/s.test(value) ? value.slice(1, -1) : value;
}
