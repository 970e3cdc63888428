/** A call of the `esteira` module in a Python source; line and column count from 1. */
export interface EsteiraCall {
  readonly function: string;
  /** The first argument, when it is a plain string. */
  readonly argument: string | undefined;
  readonly line: number;
  readonly column: number;
}

const LINE_MAGIC = /^\s*[%!].*$/gm;

/**
 * Calls such as `esteira.input("training_set")`, in order, found by parsing (never in strings or comments).
 *
 * @param source Python; IPython's `%` and `!` lines are passed over
 */
export async function readEsteiraCalls(source: string): Promise<readonly EsteiraCall[]> {
  const { parser } = await import("@lezer/python");
  const text = source.replace(LINE_MAGIC, (line) => `#${" ".repeat(Math.max(0, line.length - 1))}`);
  const calls: EsteiraCall[] = [];
  parser.parse(text).iterate({
    enter(node) {
      if (node.name !== "CallExpression") return;
      const callee = node.node.firstChild;
      const match = callee === null ? null : /^esteira\s*\.\s*(\w+)$/.exec(text.slice(callee.from, callee.to));
      if (match === null) return;
      const first = node.node.getChild("ArgList")?.firstChild?.nextSibling;
      const literal = first?.name === "String" ? text.slice(first.from, first.to) : undefined;
      const before = text.slice(0, node.from);
      calls.push({
        function: match[1] ?? "",
        argument: literal === undefined ? undefined : plainString(literal),
        line: before.split("\n").length,
        column: node.from - before.lastIndexOf("\n"),
      });
    },
  });
  return calls;
}

/** The value of a string literal without escapes or formatting. */
function plainString(literal: string): string | undefined {
  return /^(?:"""([^"\\]*)"""|'''([^'\\]*)'''|"([^"\\]*)"|'([^'\\]*)')$/
    .exec(literal)
    ?.slice(1)
    .find((group) => group !== undefined);
}
