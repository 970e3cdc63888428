/** One clause of why a step ran, was reused, or did not run: what a reader is told in any language. */
export interface ReasonClause {
  /** What it is about; the set is that of the patterns below. */
  readonly part: string;
  /** The input, file, param, step, … it is about. */
  readonly name?: string;
  readonly before?: string;
  readonly after?: string;
}

type Pattern = readonly [expression: RegExp, part: string, groups?: readonly (keyof ReasonClause)[]];

/** The sentences that plan, engine and store write; a step run keeps them as text. */
const SENTENCES: readonly Pattern[] = [
  [/^it has not run before$/, "first_run"],
  [/^its earlier result is no longer the latest version$/, "superseded"],
  [/^what it reads from outside changed$/, "outside"],
  [/^declaration, files, inputs and params are as in step run (\S+)$/, "same", ["name"]],
  [/^steps of this kind always run$/, "not_cacheable"],
  [/^cache: false$/, "cache_off"],
  [/^this step was asked for$/, "asked"],
  [/^the run was asked for from this step on$/, "asked_from"],
  [/^when is false: (.+)$/s, "when_false", ["name"]],
  [/^cancelled(?: by (.+))?$/, "cancelled", ["name"]],
  [/^its engine was stopped$/, "engine_stopped"],
  [/^its engine was lost$/, "engine_lost"],
  [/^attempt (\d+) failed: (.+)$/s, "attempt_failed", ["name", "after"]],
  [/^(\S+) (failed|refused|was cancelled|was skipped)(?:: (.+))?$/s, "upstream", ["name", "before", "after"]],
];

const CHANGES: readonly Pattern[] = [
  [/^input (.+): version (\S+) → (\S+)$/, "input", ["name", "before", "after"]],
  [/^file (.+) is new$/, "file_new", ["name"]],
  [/^file (.+) is gone$/, "file_gone", ["name"]],
  [/^file (.+) changed$/, "file", ["name"]],
  [/^param (\S+): (.*) → (.*)$/, "param", ["name", "before", "after"]],
  [/^env (\S+): (.*) → (.*)$/, "env", ["name", "before", "after"]],
  [/^declaration changed$/, "declaration_changed"],
  [/^and (\d+) more$/, "more", ["name"]],
  [/^what it reads from outside changed$/, "outside"],
  [/^(\w+): (.*) → (.*)$/, "declaration", ["name", "before", "after"]],
];

/** The clauses of a stored reason; undefined when it is none of the program's own sentences. */
export function parseReason(text: string): readonly ReasonClause[] | undefined {
  const whole = match(text, SENTENCES);
  if (whole !== undefined) return [whole];
  const clauses = text.split("; ").map((clause) => match(clause, CHANGES));
  return clauses.every((clause) => clause !== undefined) ? clauses : undefined;
}

function match(text: string, patterns: readonly Pattern[]): ReasonClause | undefined {
  for (const [expression, part, groups = []] of patterns) {
    const found = expression.exec(text);
    if (found === null) continue;
    if (part === "upstream") return upstream(found);
    const values = groups.flatMap((group, index) =>
      found[index + 1] === undefined ? [] : [[group, found[index + 1]] as const],
    );
    return { part, ...Object.fromEntries(values) };
  }
  return undefined;
}

function upstream([, name, verb, said]: RegExpExecArray): ReasonClause {
  const parts: Readonly<Record<string, string>> = {
    failed: "upstream_failed",
    refused: "upstream_refused",
    "was cancelled": "upstream_cancelled",
  };
  const part = parts[verb ?? ""] ?? "upstream_skipped";
  return { part, ...(name === undefined ? {} : { name }), ...(said === undefined ? {} : { after: said }) };
}
