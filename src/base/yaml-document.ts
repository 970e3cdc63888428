import type { Node, Pair, YAMLMap } from "yaml";
import type { z } from "zod";
import { loadYaml } from "./load-yaml.ts";
import { nearestName } from "./nearest.ts";

const LARGEST_FILE_BYTES = 1_000_000;
const MOST_ALIASES = 100;

/** A place in a file that a user wrote; line and column count from 1. */
export interface FilePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One mistake in a file: what was found, what was expected, what to do. */
export interface LocatedProblem extends FilePosition {
  readonly message: string;
  readonly hint?: string;
  /** True: something is missed that a file which cannot be read may bring. */
  readonly isMissed?: true;
}

/** A parsed YAML file that can say where each of its values stands. */
export interface YamlDocument {
  readonly file: string;
  /** The plain value; undefined for an empty file. */
  readonly value: unknown;
  /** Where the value at `path` stands; the nearest parent that exists when it is missing. */
  readonly at: (path: readonly (string | number)[]) => FilePosition;
  /** Where the key itself stands, for a mapping entry. */
  readonly atKey: (path: readonly (string | number)[]) => FilePosition;
}

/** What {@link readYaml} understood. `value` is there exactly when `problems` is empty. */
export interface ReadYaml<Value> {
  readonly value: Value | undefined;
  readonly document: YamlDocument;
  readonly problems: readonly LocatedProblem[];
}

/**
 * Reads a YAML file that a user wrote and checks its shape; reports every mistake, each with its place.
 *
 * @param text   content of the file, at most `maxBytes` (default 1,000,000) bytes
 * @param file   name shown in problems, project-relative
 * @param schema strict zod schema of the whole document
 * Pure; never throws for what the file holds.
 */
export function readYaml<Value>(
  text: string,
  file: string,
  schema: z.ZodType<Value>,
  options: { readonly maxBytes?: number } = {},
): ReadYaml<Value> {
  const parsed = parseYaml(text, file, options.maxBytes ?? LARGEST_FILE_BYTES);
  if (parsed.problems.length > 0) return { value: undefined, ...parsed };
  const checked = schema.safeParse(parsed.document.value);
  if (checked.success) return { value: checked.data, document: parsed.document, problems: [] };
  const problems = checked.error.issues.flatMap((issue) => toProblems(issue, parsed.document, schema));
  return { value: undefined, document: parsed.document, problems };
}

/** Lists problems for people: `file:line:column  message` and the hint below. */
export function formatProblems(problems: readonly LocatedProblem[]): string {
  return problems
    .map(
      ({ file, line, column, message, hint }) =>
        `${file}:${line}:${column}  ${message}${hint === undefined ? "" : `\n    ${hint}`}`,
    )
    .join("\n");
}

/**
 * A YAML file without a schema: the value and its places, or what stops it from being read. Pure; never throws for what
 * the file holds.
 */
export function parseYaml(
  text: string,
  file: string,
  maxBytes: number = LARGEST_FILE_BYTES,
): { readonly document: YamlDocument; readonly problems: readonly LocatedProblem[] } {
  const start = { file, line: 1, column: 1 };
  const unreadable = (
    problems: readonly LocatedProblem[],
  ): { document: YamlDocument; problems: readonly LocatedProblem[] } => ({
    document: { file, value: undefined, at: () => start, atKey: () => start },
    problems,
  });
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > maxBytes)
    return unreadable([
      {
        ...start,
        message: `The file has ${sizeBytes} bytes, at most ${maxBytes} are read`,
        hint: "Split it, or move data out of it.",
      },
    ]);
  const { LineCounter, parseAllDocuments } = loadYaml();
  const lines = new LineCounter();
  const positionAt = (offset: number): FilePosition => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false });
  const root = Array.isArray(documents) ? documents[0] : undefined;
  if (root === undefined || (root.contents === null && root.errors.length === 0))
    return unreadable([{ ...start, message: "The file is empty" }]);
  const problems: LocatedProblem[] = root.errors.map(({ code, message, pos: [offset] }) => ({
    ...positionAt(offset),
    ...explainSyntax(code, message),
  }));
  if (documents.length > 1)
    problems.push({
      ...positionAt(documents[1]?.range[0] ?? 0),
      message: "The file holds more than one YAML document",
      hint: "Remove the line '---' and what follows, or make a second file.",
    });
  if (root.contents !== null) problems.push(...keyProblems(root.contents, positionAt));
  if (problems.length > 0) return unreadable(problems);
  const at = (path: readonly (string | number)[], wantKey: boolean): FilePosition => {
    const found = locate(root.contents, path, wantKey);
    return found === undefined ? start : positionAt(found);
  };
  try {
    return {
      document: {
        file,
        value: root.toJS({ maxAliasCount: MOST_ALIASES }) as unknown,
        at: (path) => at(path, false),
        atKey: (path) => at(path, true),
      },
      problems: [],
    };
  } catch {
    // What is parsed without a mistake fails only for its aliases: a few of them can stand for billions of values.
    return unreadable([
      {
        ...start,
        message: `The file repeats its anchors more than ${MOST_ALIASES} times`,
        hint: "Write out what the aliases stand for.",
      },
    ]);
  }
}

/** Walks the document itself: the library's `visit` makes a new path for every node, which costs more than to parse. */
function keyProblems(contents: Node, positionAt: (offset: number) => FilePosition): readonly LocatedProblem[] {
  const { isMap, isPair, isSeq } = loadYaml();
  const problems: LocatedProblem[] = [];
  const check = (node: unknown): void => {
    if (isMap(node)) problems.push(...repeatedKeys(node, positionAt));
    if (!isMap(node) && !isSeq(node)) return;
    for (const item of node.items) {
      if (!isPair(item)) {
        check(item);
        continue;
      }
      problems.push(...unnamedKey(item, positionAt));
      check(item.key);
      check(item.value);
    }
  };
  check(contents);
  return problems;
}

/** The parser compares each key with all others of its map, which takes minutes where there are thousands. */
function repeatedKeys(map: YAMLMap, positionAt: (offset: number) => FilePosition): readonly LocatedProblem[] {
  const { isScalar } = loadYaml();
  const known = new Set<string>();
  return map.items.flatMap(({ key }): LocatedProblem[] => {
    if (!isScalar(key)) return [];
    const name = String(key.value);
    if (!known.has(name)) {
      known.add(name);
      return [];
    }
    const message = `${name} stands twice in the same place`;
    return [{ ...positionAt(startOf(key) ?? 0), message, hint: "Keep one of the two." }];
  });
}

function unnamedKey({ key }: Pair, positionAt: (offset: number) => FilePosition): readonly LocatedProblem[] {
  const { isScalar } = loadYaml();
  if (isScalar(key) && typeof key.value === "string") return [];
  const found = isScalar(key) ? String(key.value) : "a list or a map";
  const message = `The key ${found} is not text`;
  return [{ ...positionAt(startOf(key) ?? 0), message, hint: `Write it in quotes: "${found}".` }];
}

function explainSyntax(code: string, message: string): { message: string; hint?: string } {
  if (code === "TAB_AS_INDENT")
    return { message: "A tab indents this line; YAML takes only spaces", hint: "Replace the tab by spaces." };
  return { message: `Not valid YAML: ${message.split("\n")[0] ?? message}` };
}

function locate(root: Node | null, path: readonly (string | number)[], wantKey: boolean): number | undefined {
  const { isMap, isSeq } = loadYaml();
  let node: unknown = root;
  let offset = startOf(root);
  for (const [depth, part] of path.entries()) {
    if (isMap(node)) {
      const entry = entryOf(node, part);
      if (entry === undefined) return offset;
      const isWantedKey = wantKey && depth === path.length - 1;
      node = entry.value;
      offset = (isWantedKey ? undefined : startOf(entry.value)) ?? startOf(entry.key) ?? startOf(entry.value) ?? offset;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      offset = startOf(node) ?? offset;
    } else {
      return offset;
    }
  }
  return offset;
}

const entriesOf = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

function entryOf(map: YAMLMap, name: string | number): Pair | undefined {
  const known = entriesOf.get(map) ?? indexOf(map);
  entriesOf.set(map, known);
  return known.get(String(name));
}

function indexOf(map: YAMLMap): ReadonlyMap<string, Pair> {
  const { isPair, isScalar } = loadYaml();
  return new Map(
    map.items.flatMap((item) => (isPair(item) && isScalar(item.key) ? [[String(item.key.value), item] as const] : [])),
  );
}

function startOf(node: unknown): number | undefined {
  return loadYaml().isNode(node) ? node.range?.[0] : undefined;
}

type Issue = z.core.$ZodIssue;

function toProblems(issue: Issue, document: YamlDocument, schema: z.core.$ZodType): LocatedProblem[] {
  const path = issue.path.filter((part): part is string | number => typeof part !== "symbol");
  const name = path.length === 0 ? "The file" : `"${path.join(".")}"`;
  const found = valueAt(document.value, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        ...document.atKey([...path, key]),
        message: `Unknown key "${key}"${path.length === 0 ? "" : ` in ${name}`}`,
        ...hintOf(unknownKeyHint(key, schemasAt(schema, path))),
      }));
    case "invalid_type":
      return found === undefined
        ? [{ ...document.at(path), message: `${name} is missing; expected ${article(issue.expected)}` }]
        : [{ ...document.at(path), message: `${name} is ${describe(found)}; expected ${article(issue.expected)}` }];
    case "invalid_value": {
      const values = issue.values.map(String);
      return [
        {
          ...document.at(path),
          message: `${name} is ${describe(found)}; expected ${values.map((value) => `"${value}"`).join(", ")}`,
          ...hintOf(didYouMean(String(found), values)),
        },
      ];
    }
    case "invalid_union": {
      const closest = closestBranch(issue.errors);
      if (closest === undefined)
        return [{ ...document.at(path), message: `${name} is ${describe(found)}; ${issue.message}` }];
      return closest.flatMap((inner) =>
        toProblems({ ...inner, path: [...issue.path, ...inner.path] } as Issue, document, schema),
      );
    }
    case "custom":
    case "invalid_element":
    case "invalid_format":
    case "invalid_key":
    case "not_multiple_of":
    case "too_big":
    case "too_small":
      return [{ ...document.at(path), message: `${name}: ${issue.message}` }];
  }
}

/** The alternative whose mistakes lie deepest: the one the user most likely meant. */
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const depth = (branch: readonly Issue[]): number =>
    Math.max(0, ...branch.map((issue) => issue.path.length + (issue.code === "unrecognized_keys" ? 0.5 : 0)));
  const [best] = branches
    .filter((branch) => depth(branch) > 0)
    .sort((left, right) => depth(right) - depth(left) || left.length - right.length);
  return best;
}

function unknownKeyHint(key: string, schemas: readonly z.core.$ZodType[]): string | undefined {
  const keys = [...new Set(schemas.flatMap((schema) => Object.keys(shapeOf(schema))))];
  if (keys.length === 0) return undefined;
  return didYouMean(key, keys) ?? `Valid keys: ${keys.join(", ")}.`;
}

interface SchemaDefinition {
  readonly type: string;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly options?: readonly z.core.$ZodType[];
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly left?: z.core.$ZodType;
  readonly right?: z.core.$ZodType;
  readonly getter?: () => z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
}

/** The plain schemas behind wrappers, unions and intersections. */
function alternatives(schema: z.core.$ZodType): readonly z.core.$ZodType[] {
  const definition = schema._zod.def as unknown as SchemaDefinition;
  const inner = [
    ...(definition.options ?? []),
    definition.innerType,
    definition.in,
    definition.left,
    definition.right,
    definition.getter?.(),
  ].filter((part) => part !== undefined);
  return inner.length === 0 ? [schema] : inner.flatMap(alternatives);
}

function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> {
  return (schema._zod.def as unknown as SchemaDefinition).shape ?? {};
}

/** Every schema that a value at `path` may have. */
function schemasAt(schema: z.core.$ZodType, path: readonly (string | number)[]): readonly z.core.$ZodType[] {
  let current = alternatives(schema);
  for (const part of path) {
    current = current.flatMap((candidate) => {
      const definition = candidate._zod.def as unknown as SchemaDefinition;
      const next = definition.shape?.[part] ?? definition.valueType ?? definition.element;
      return next === undefined ? [] : alternatives(next);
    });
  }
  return current;
}

function didYouMean(found: string, valid: readonly string[]): string | undefined {
  const nearest = nearestName(found, valid);
  return nearest === undefined ? undefined : `Did you mean "${nearest}"?`;
}

function hintOf(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current;
}

function describe(value: unknown): string {
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const text = JSON.stringify(value) ?? "nothing";
  return `${text.length > 80 ? `${text.slice(0, 80)}…` : text} (${typeof value === "string" ? "text" : typeof value})`;
}

function article(expected: string): string {
  const names: Record<string, string> = {
    object: "a mapping",
    record: "a mapping",
    array: "a list",
    string: "text",
    number: "a number",
    int: "a whole number",
    boolean: "true or false",
  };
  return names[expected] ?? expected;
}
