import type { LocatedProblem, YamlDocument } from "#base";
import { quoteName } from "#data";
import { toMicroseconds } from "./duration.ts";

const WINDOW_FUNCTIONS = ["count", "sum", "mean", "min", "max", "std", "distinct"] as const;
type WindowFunction = (typeof WINDOW_FUNCTIONS)[number];

/** An aggregate over the rows of a key whose time lies in (T - window, T]. */
export interface WindowFeature {
  readonly name: string;
  readonly function: WindowFunction;
  /** Column of the source; null of `count`. */
  readonly column: string | null;
  readonly windowUs: number;
}

const AGGREGATE = /^\s*(\w+)\s*\(\s*(?:([^(),]+?)\s*,\s*)?(\d+(?:\.\d+)?\s*[smhdw])\s*\)\s*$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;
/** Years of nine digits: beyond it microseconds are no longer exact. */
const LONGEST_US = toMicroseconds("5200w");
/** Larger numbers have no square; they count as missing. */
const LARGEST = "1e150";

/** `sum(amount, 7d)`, `count(1h)`; a text says what is wrong. */
function parseWindow(name: string, text: string): WindowFeature | string {
  const [, called = "", column = null, duration = ""] = AGGREGATE.exec(text) ?? [];
  const found = WINDOW_FUNCTIONS.find((one) => one === called);
  if (called === "") return `Found ${JSON.stringify(text)}, expected an aggregate such as sum(amount, 7d) or count(1h)`;
  if (found === undefined) return `There is no aggregate "${called}"; there are ${WINDOW_FUNCTIONS.join(", ")}`;
  if ((found === "count") !== (column === null))
    return found === "count"
      ? `count counts rows and takes no column: count(${duration})`
      : `${found} needs a column: ${found}(COLUMN, ${duration})`;
  const windowUs = toMicroseconds(duration);
  if (windowUs <= 0 || windowUs > LONGEST_US) return `A window of ${duration} is none: expected up to 5200w`;
  return { name, function: found, column, windowUs };
}

/** What `aggregate` of a view declares, and what is wrong with it. */
export function readWindows(
  view: string,
  facts: {
    readonly aggregate?: Readonly<Record<string, string | null>> | undefined;
    readonly features?: readonly string[] | undefined;
    readonly ttl?: string | number | undefined;
    readonly push?: string | undefined;
  },
  document: YamlDocument,
): { readonly windows: readonly WindowFeature[]; readonly problems: readonly LocatedProblem[] } {
  const windows: WindowFeature[] = [];
  const problems: LocatedProblem[] = [];
  let isCut = false;
  const at = (...path: string[]): ReturnType<YamlDocument["at"]> => document.at(["views", view, ...path]);
  for (const [name, text] of Object.entries(facts.aggregate ?? {})) {
    // YAML ends a text at a comma within braces: what follows it is a key of its own there.
    if (isCut && text === null && name.endsWith(")")) continue;
    isCut = text !== null && text.includes("(") && !text.includes(")");
    const read = NAME.test(name) ? parseWindow(name, text ?? "") : `"${name}" is no name of a feature`;
    if (typeof read !== "string") windows.push(read);
    else {
      const hint = isCut ? { hint: `Within braces quotes are needed: ${name}: "${text}, 7d)".` } : {};
      problems.push({ ...at("aggregate", name), message: read, ...hint });
    }
  }
  if ((facts.aggregate === undefined) === (facts.features === undefined))
    problems.push({
      ...document.atKey(["views", view]),
      message: `View "${view}" needs one of \`features\` and \`aggregate\``,
      hint: "Last values and windows are views of their own; a service takes both.",
    });
  return { windows, problems: facts.aggregate === undefined ? problems : [...problems, ...clashes(view, facts, at)] };
}

/** What a view of windows cannot have. */
function clashes(
  view: string,
  facts: { readonly ttl?: string | number | undefined; readonly push?: string | undefined },
  at: (key: string) => ReturnType<YamlDocument["at"]>,
): readonly LocatedProblem[] {
  const problems: LocatedProblem[] = [];
  if (facts.ttl !== undefined)
    problems.push({
      ...at("ttl"),
      message: `View "${view}" has windows, which say by themselves how old a row may be`,
      hint: "Remove `ttl`.",
    });
  if (facts.push !== undefined)
    problems.push({
      ...at("push"),
      message: `View "${view}" has windows and takes no pushes: of pushed rows only the last one of a key is kept`,
      hint: "Push to the dataset (`capture: { push: {} }`): windows have its rows with its next version.",
    });
  return problems;
}

/** The value that an aggregate reads: a number that is finite, or a text that tells values apart. */
export function windowOperand({ function: of, column }: WindowFeature): string {
  if (column === null) return "1";
  const name = quoteName(column);
  // Minus zero is zero: which of both is the least would depend on the order of rows.
  return of === "distinct"
    ? `${name}::varchar`
    : `case when isfinite(${name}::double) and abs(${name}::double) < ${LARGEST} then ${name}::double + 0.0 end`;
}

const UNITS = ["w", "d", "h", "m", "s"] as const;

/** `sum(amount, 7d)`, as it is declared. */
export function formatWindow({ function: of, column, windowUs }: WindowFeature): string {
  const unit = UNITS.find((one) => windowUs % toMicroseconds(`1${one}`) === 0) ?? "s";
  // A week is written so by few.
  const shown = unit === "w" ? "d" : unit;
  const duration = `${windowUs / toMicroseconds(`1${shown}`)}${shown}`;
  return `${of}(${column === null ? "" : `${column}, `}${duration})`;
}
