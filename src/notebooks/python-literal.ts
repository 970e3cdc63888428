import type { SyntaxNode } from "@lezer/common";
import type { Json } from "#base";

const NOT_LITERAL = Symbol("computed");

/** Result of {@link readLiteral} for an expression that is computed. */
export const computed: typeof NOT_LITERAL = NOT_LITERAL;

/**
 * The value of a Python literal as JSON; tuples become lists. {@link computed} for anything that is no literal, or has
 * no JSON form.
 */
export function readLiteral(node: SyntaxNode, source: string): Json | typeof NOT_LITERAL {
  const text = source.slice(node.from, node.to);
  switch (node.name) {
    case "Number":
      return readNumber(text);
    case "String":
      return readString(text);
    case "ContinuedString":
      return children(node).reduce<Json | typeof NOT_LITERAL>((left, part) => {
        const right = readLiteral(part, source);
        return typeof left === "string" && typeof right === "string" ? left + right : NOT_LITERAL;
      }, "");
    case "Boolean":
      return text === "True";
    case "None":
      return null;
    case "UnaryExpression":
      return readSigned(node, source);
    case "ParenthesizedExpression":
    case "ArrayExpression":
    case "TupleExpression":
      return readSequence(node, source);
    case "DictionaryExpression":
      return readDictionary(node, source);
    default:
      return NOT_LITERAL;
  }
}

/**
 * A JSON value as a Python literal. Non-ASCII text stays as it is: an escaped surrogate pair would be two characters in
 * Python.
 */
export function toPythonLiteral(value: Json): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") {
    if (Number.isNaN(value)) return 'float("nan")';
    if (!Number.isFinite(value)) return value > 0 ? 'float("inf")' : 'float("-inf")';
    return Number.isInteger(value) ? BigInt(value).toString() : String(value);
  }
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => toPythonLiteral(item as Json)).join(", ")}]`;
  return `{${Object.entries(value)
    .map(([key, member]) => `${JSON.stringify(key)}: ${toPythonLiteral(member)}`)
    .join(", ")}}`;
}

export function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) found.push(child);
  return found;
}

function readNumber(text: string): number | typeof NOT_LITERAL {
  if (/j$/i.test(text)) return NOT_LITERAL;
  const value = Number(text.replaceAll("_", ""));
  return Number.isNaN(value) || (Number.isInteger(value) && !/[.e]/i.test(text) && !Number.isSafeInteger(value))
    ? NOT_LITERAL
    : value;
}

function readSigned(node: SyntaxNode, source: string): Json | typeof NOT_LITERAL {
  const operand = node.lastChild === null ? NOT_LITERAL : readLiteral(node.lastChild, source);
  if (typeof operand !== "number") return NOT_LITERAL;
  const sign = source.slice(node.from, node.from + 1);
  return sign === "-" ? -operand : sign === "+" ? operand : NOT_LITERAL;
}

function readSequence(node: SyntaxNode, source: string): Json | typeof NOT_LITERAL {
  const items = children(node).filter((child) => !/^[[\](),]$/.test(child.name) && child.name !== "Comment");
  const values = items.map((item) => readLiteral(item, source));
  if (values.includes(NOT_LITERAL)) return NOT_LITERAL;
  return node.name === "ParenthesizedExpression" ? (values[0] as Json) : (values as Json[]);
}

function readDictionary(node: SyntaxNode, source: string): Json | typeof NOT_LITERAL {
  const items = children(node).filter((child) => !/^[{}:,]$/.test(child.name) && child.name !== "Comment");
  const result: Record<string, Json> = {};
  for (let index = 0; index < items.length; index += 2) {
    const [key, value] = [items[index], items[index + 1]].map((item) =>
      item === undefined ? NOT_LITERAL : readLiteral(item, source),
    );
    if (typeof key !== "string" || value === undefined || value === NOT_LITERAL) return NOT_LITERAL;
    result[key] = value as Json;
  }
  return result;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  v: "\v",
  "\n": "",
};

function readString(text: string): string | typeof NOT_LITERAL {
  const match = /^([a-zA-Z]*)("""|'''|"|')([\s\S]*)\2$/.exec(text);
  if (match === null || /[bft]/i.test(match[1] ?? "")) return NOT_LITERAL;
  const body = match[3] ?? "";
  if (/r/i.test(match[1] ?? "")) return body;
  return body.replace(
    /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|[\s\S])/g,
    (whole, escape: string) => {
      if (/^[xuU]./.test(escape)) return String.fromCodePoint(Number.parseInt(escape.slice(1), 16));
      if (/^[0-7]/.test(escape)) return String.fromCodePoint(Number.parseInt(escape, 8));
      return ESCAPES[escape] ?? whole;
    },
  );
}
