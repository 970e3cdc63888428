import { nearestName } from "#base";

/** An expression over the values of one row, checked when it was read. */
export interface ValueExpression {
  /** Columns that it names; `prediction` and `label` among them. */
  readonly names: readonly string[];
  /** Of one row: a number, NaN where a value that it needs is missing or no number. */
  evaluate(value: (name: string) => unknown): number;
}

type Value = number | string | boolean | null;
type Node = (value: (name: string) => unknown) => Value;

const FUNCTIONS: Readonly<
  Record<string, { readonly arity: readonly [number, number]; readonly apply: (values: readonly Value[]) => Value }>
> = {
  if: { arity: [3, 3], apply: ([condition = null, yes = null, no = null]) => (isTrue(condition) ? yes : no) },
  coalesce: { arity: [1, 20], apply: (values) => values.find((value) => value !== null) ?? null },
  abs: { arity: [1, 1], apply: ([value = null]) => numberOr(value, Math.abs) },
  round: { arity: [1, 1], apply: ([value = null]) => numberOr(value, Math.round) },
  least: { arity: [1, 20], apply: (values) => (values.includes(null) ? null : Math.min(...values.map(toNumber))) },
  greatest: { arity: [1, 20], apply: (values) => (values.includes(null) ? null : Math.max(...values.map(toNumber))) },
};

const TOKEN =
  /\s*(?:(\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|'((?:[^']|'')*)'|"((?:[^"]|"")*)"|([A-Za-z_][A-Za-z0-9_.]*)|(<=|>=|<>|!=|[-+*/%(),<>=]))/y;
const MOST_DEPTH = 50;

/**
 * Reads an expression: numbers, 'texts', columns (`"in quotes"` where a name has other signs), `+ - * / %`,
 * comparisons,
 * `and or not`, `if(condition, yes, no)`, `coalesce`, `abs`, `round`, `least`, `greatest`. Missing values make missing
 * values, as in SQL.
 *
 * @throws SyntaxError that says what was found, and at which sign
 * Pure: nothing of the machine can be named in it.
 */
export function parseValueExpression(text: string): ValueExpression {
  const reader = new Reader(tokenize(text));
  const root = reader.readAll();
  return {
    names: [...reader.names],
    evaluate: (value) => {
      const found = root(value);
      return found === null ? NaN : toNumber(found);
    },
  };
}

interface Token {
  readonly kind: "number" | "text" | "quoted" | "name" | "sign" | "end";
  readonly text: string;
  readonly at: number;
}

function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (text.slice(at).trim() !== "") {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (found === null)
      throw new SyntaxError(`"${text.slice(at).trim().slice(0, 10)}" is not understood, at sign ${at + 1}`);
    const [, number, string, quoted, name, sign] = found;
    if (number !== undefined) tokens.push({ kind: "number", text: number, at });
    else if (string !== undefined) tokens.push({ kind: "text", text: string.replaceAll("''", "'"), at });
    else if (quoted !== undefined) tokens.push({ kind: "quoted", text: quoted.replaceAll('""', '"'), at });
    else if (name !== undefined) tokens.push({ kind: "name", text: name, at });
    else tokens.push({ kind: "sign", text: sign ?? "", at });
    at = TOKEN.lastIndex;
  }
  return [...tokens, { kind: "end", text: "the end", at }];
}

class Reader {
  readonly names = new Set<string>();
  readonly #tokens: readonly Token[];
  #place = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  readAll(): Node {
    const node = this.#or();
    if (this.#next.kind !== "end") throw this.#unexpected("the end");
    return node;
  }

  get #next(): Token {
    return this.#tokens[this.#place] ?? { kind: "end", text: "the end", at: 0 };
  }

  #unexpected(expected: string): SyntaxError {
    return new SyntaxError(`found ${this.#next.text}, expected ${expected}, at sign ${this.#next.at + 1}`);
  }

  #take(...texts: readonly string[]): string | undefined {
    const { kind, text } = this.#next;
    const found = kind === "sign" ? text : kind === "name" ? text.toLowerCase() : undefined;
    if (found === undefined || !texts.includes(found)) return undefined;
    this.#place++;
    return found;
  }

  #or(): Node {
    if (++this.#depth > MOST_DEPTH) throw new SyntaxError("it is nested too deep");
    let left = this.#and();
    while (this.#take("or") !== undefined) left = both(left, this.#and(), (a, b) => isTrue(a) || isTrue(b));
    this.#depth--;
    return left;
  }

  #and(): Node {
    let left = this.#not();
    while (this.#take("and") !== undefined) left = both(left, this.#not(), (a, b) => isTrue(a) && isTrue(b));
    return left;
  }

  #not(): Node {
    let turned = false;
    while (this.#take("not") !== undefined) turned = !turned;
    const inner = this.#comparison();
    return turned ? (value) => !isTrue(inner(value)) : inner;
  }

  #comparison(): Node {
    const left = this.#sum();
    const sign = this.#take("=", "<>", "!=", "<", "<=", ">", ">=");
    if (sign === undefined) return left;
    return both(left, this.#sum(), (a, b) => (a === null || b === null ? null : compare(sign, a, b)));
  }

  #sum(): Node {
    let left = this.#product();
    for (let sign = this.#take("+", "-"); sign !== undefined; sign = this.#take("+", "-"))
      left = arithmetic(sign, left, this.#product());
    return left;
  }

  #product(): Node {
    let left = this.#unary();
    for (let sign = this.#take("*", "/", "%"); sign !== undefined; sign = this.#take("*", "/", "%"))
      left = arithmetic(sign, left, this.#unary());
    return left;
  }

  #unary(): Node {
    let turned = false;
    for (let sign = this.#take("-", "+"); sign !== undefined; sign = this.#take("-", "+"))
      turned = turned !== (sign === "-");
    const inner = this.#single();
    return turned ? (value) => numberOr(inner(value), (number) => -number) : inner;
  }

  #single(): Node {
    const { kind, text } = this.#next;
    if (kind === "number" || kind === "text") {
      this.#place++;
      const constant = kind === "number" ? Number(text) : text;
      return () => constant;
    }
    if (this.#take("(") !== undefined) {
      const inner = this.#or();
      if (this.#take(")") === undefined) throw this.#unexpected(")");
      return inner;
    }
    if (kind !== "name" && kind !== "quoted") throw this.#unexpected("a value");
    this.#place++;
    if (kind === "name" && this.#take("(") !== undefined) return this.#call(text);
    return kind === "name" ? (constantOf(text) ?? this.#column(text)) : this.#column(text);
  }

  #column(name: string): Node {
    this.names.add(name);
    return (value) => toValue(value(name));
  }

  #call(name: string): Node {
    const key = name.toLowerCase();
    const known = Object.hasOwn(FUNCTIONS, key) ? FUNCTIONS[key] : undefined;
    if (known === undefined) {
      const nearest = nearestName(name, Object.keys(FUNCTIONS));
      throw new SyntaxError(`there is no function ${name}${nearest === undefined ? "" : `; is ${nearest} meant?`}`);
    }
    const values: Node[] = [];
    do values.push(this.#or());
    while (this.#take(",") !== undefined);
    if (this.#take(")") === undefined) throw this.#unexpected(", or )");
    const [least, most] = known.arity;
    if (values.length < least || values.length > most)
      throw new SyntaxError(
        `${name} takes ${least === most ? least : `${least} to ${most}`} values, found ${values.length}`,
      );
    return (value) => known.apply(values.map((node) => node(value)));
  }
}

function constantOf(name: string): Node | undefined {
  const constants: Readonly<Record<string, Value>> = { true: true, false: false, null: null };
  const key = name.toLowerCase();
  if (!Object.hasOwn(constants, key)) return undefined;
  const value = constants[key] ?? null;
  return () => value;
}

function both(left: Node, right: Node, apply: (a: Value, b: Value) => Value): Node {
  return (value) => apply(left(value), right(value));
}

function arithmetic(sign: string, left: Node, right: Node): Node {
  return both(left, right, (a, b) => {
    if (a === null || b === null) return null;
    const [x, y] = [toNumber(a), toNumber(b)];
    if (sign === "+") return x + y;
    if (sign === "-") return x - y;
    if (sign === "*") return x * y;
    // As in SQL: nothing is divided by zero.
    if (y === 0) return null;
    return sign === "/" ? x / y : x % y;
  });
}

function compare(sign: string, a: Value, b: Value): boolean {
  const areTexts = typeof a === "string" && typeof b === "string";
  const [x, y] = areTexts
    ? [a, b]
    : typeof a === "string" || typeof b === "string"
      ? [String(a), String(b)]
      : [toNumber(a), toNumber(b)];
  switch (sign) {
    case "=":
      return x === y;
    case "<":
      return x < y;
    case "<=":
      return x <= y;
    case ">":
      return x > y;
    case ">=":
      return x >= y;
    default:
      return x !== y;
  }
}

function isTrue(value: Value): boolean {
  return value !== null && value !== false && value !== 0 && value !== "" && !Number.isNaN(value);
}

function toNumber(value: Value): number {
  return typeof value === "boolean" ? Number(value) : typeof value === "number" ? value : NaN;
}

function numberOr(value: Value, apply: (value: number) => number): Value {
  return value === null ? null : apply(toNumber(value));
}

function toValue(value: unknown): Value {
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value === "string" || typeof value === "boolean") return value;
  return typeof value === "bigint" ? Number(value) : null;
}
