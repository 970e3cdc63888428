import { z } from "zod";
import { nearestName } from "#base";
import type { Problem } from "../step-kind.ts";

/** JSON Schema as far as it is walked here. */
export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly [key: string]: unknown;
}

/** JSON Schema of what a zod schema accepts. */
export function toInputSchema(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
}

/** The keys that an object may have at a path below a schema. */
export function keysAt(schema: JsonSchema, path: readonly (string | number)[]): readonly string[] {
  let schemas: readonly JsonSchema[] = alternatives(schema);
  for (const step of path) {
    schemas = schemas.flatMap((one) =>
      alternatives(
        typeof step === "number" ? toSchema(one.items) : (one.properties?.[step] ?? toSchema(one.additionalProperties)),
      ),
    );
  }
  return [...new Set(schemas.flatMap((one) => Object.keys(one.properties ?? {})))];
}

function alternatives(schema: JsonSchema | undefined): readonly JsonSchema[] {
  if (schema === undefined) return [];
  const inner = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])];
  return inner.length === 0 ? [schema] : [schema, ...inner.flatMap(alternatives)];
}

function toSchema(schema: JsonSchema | boolean | undefined): JsonSchema | undefined {
  return typeof schema === "object" ? schema : undefined;
}

/** Says in words what zod found; `input` is the value that was checked. */
export function explainIssues(
  issues: readonly z.core.$ZodIssue[],
  schema: JsonSchema,
  input: unknown,
): readonly Problem[] {
  return issues.flatMap((issue) => explainIssue(issue, schema, input));
}

function explainIssue(issue: z.core.$ZodIssue, schema: JsonSchema, input: unknown): readonly Problem[] {
  const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
  const found = describe(valueAt(input, path));
  switch (issue.code) {
    case "unrecognized_keys": {
      const valid = keysAt(schema, path);
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `unknown key "${key}"`,
        hint: nearestHint(key, valid, "Known keys"),
      }));
    }
    case "invalid_value": {
      const valid = issue.values.map(String);
      const text = valueAt(input, path);
      return [
        {
          path,
          message: `found ${found}, expected ${valid.length === 1 ? "" : "one of "}${valid.join(", ")}`,
          ...(typeof text === "string" ? { hint: nearestHint(text, valid, "Valid") } : {}),
        },
      ];
    }
    case "invalid_union":
      return explainUnion(issue, { schema, input, path });
    case "invalid_type":
      return [
        { path, message: explainType(issue.expected, { path, found, missing: valueAt(input, path) === undefined }) },
      ];
    case "too_small":
      return [
        { path, message: `found ${found}, expected at least ${String(issue.minimum)}${countable(issue.origin)}` },
      ];
    case "too_big":
      return [{ path, message: `found ${found}, expected at most ${String(issue.maximum)}${countable(issue.origin)}` }];
    case "custom":
      return [{ path, message: issue.message }];
    case "invalid_format":
    case "invalid_element":
    case "invalid_key":
    case "not_multiple_of":
      return [{ path, message: `found ${found}: ${issue.message}` }];
  }
}

function explainType(
  expected: string,
  facts: { readonly path: readonly (string | number)[]; readonly found: string; readonly missing: boolean },
): string {
  return facts.missing
    ? `"${String(facts.path.at(-1) ?? "")}" is missing, expected ${article(expected)}`
    : `found ${facts.found}, expected ${article(expected)}`;
}

/**
 * A union's mistake is told by the alternative that came closest: the one whose mistakes lie deepest, with the fewest.
 */
function explainUnion(
  issue: z.core.$ZodIssueInvalidUnion,
  facts: { readonly schema: JsonSchema; readonly input: unknown; readonly path: readonly (string | number)[] },
): readonly Problem[] {
  const { schema, input, path } = facts;
  const branches = issue.errors.map(
    (errors) => errors.map((error) => ({ ...error, path: [...path, ...error.path] })) as z.core.$ZodIssue[],
  );
  const shapeFits = branches.filter(
    (errors) =>
      !errors.some(
        (error) =>
          error.code === "invalid_type" && error.path.length === path.length && valueAt(input, path) !== undefined,
      ),
  );
  const best = shapeFits.toSorted((left, right) => left.length - right.length)[0];
  if (best !== undefined) return explainIssues(best, schema, input);
  const expected = branches.flatMap((errors) =>
    errors.flatMap((error) => (error.code === "invalid_type" ? [article(error.expected)] : [])),
  );
  return [
    {
      path,
      message: `found ${describe(valueAt(input, path))}, expected ${[...new Set(expected)].join(" or ") || issue.message}`,
    },
  ];
}

/** `Did you mean …?`, or the list of what is valid. */
export function nearestHint(found: string, valid: Iterable<string>, title: string): string {
  const names = [...valid];
  const near = nearestName(found, names);
  if (near !== undefined) return `Did you mean "${near}"?`;
  return names.length === 0
    ? `${title}: none.`
    : `${title}: ${names.slice(0, 30).join(", ")}${names.length > 30 ? ", …" : ""}.`;
}

function valueAt(input: unknown, path: readonly (string | number)[]): unknown {
  let value = input;
  for (const step of path)
    value = typeof value === "object" && value !== null ? (value as Record<string, unknown>)[String(step)] : undefined;
  return value;
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return `a map with ${Object.keys(value).slice(0, 5).join(", ") || "no keys"}`;
  return typeof value === "string"
    ? `the text "${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`
    : `the ${typeof value} ${JSON.stringify(value)}`;
}

const WORDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map",
  record: "a map",
  array: "a list",
  map: "a map",
};

function article(type: string): string {
  return WORDS[type] ?? `a ${type}`;
}

function countable(origin: string): string {
  return origin === "string" ? " characters" : origin === "array" ? " entries" : "";
}
