import type { Json } from "#base";

/** A type that a parameter can be annotated with. */
export type ParameterType =
  | { readonly kind: "int" | "float" | "str" | "bool" | "none" | "any" }
  | { readonly kind: "list"; readonly item: ParameterType }
  | { readonly kind: "dict"; readonly value: ParameterType }
  | { readonly kind: "union"; readonly options: readonly ParameterType[] }
  | { readonly kind: "literal"; readonly values: readonly Json[] };

const ANY: ParameterType = { kind: "any" };

/**
 * Reads an annotation: `int`, `float`, `str`, `bool`, `list[T]`, `dict[str, T]`, `Optional[T]`, `T | None`, `Union[…]`,
 * `Literal[…]`.
 *
 * @returns undefined for an annotation of another form
 */
export function parseParameterType(text: string): ParameterType | undefined {
  const options = splitTopLevel(text.trim(), "|");
  if (options.length > 1) return unionOf(options.map(parseParameterType));
  const simple = /^(?:typing\.)?(\w+)$/.exec(text.trim())?.[1];
  if (simple !== undefined) return simpleType(simple);
  const generic = /^(?:typing\.)?(\w+)\s*\[([\s\S]*)\]$/.exec(text.trim());
  if (generic === null) return undefined;
  const [, name = "", inner = ""] = generic;
  return genericType(name.toLowerCase(), inner);
}

function genericType(name: string, inner: string): ParameterType | undefined {
  const members = splitTopLevel(inner, ",");
  switch (name) {
    case "optional":
      return unionOf([parseParameterType(inner), { kind: "none" }]);
    case "union":
      return unionOf(members.map(parseParameterType));
    case "list":
    case "sequence":
      return listOf(parseParameterType(inner));
    case "dict":
    case "mapping":
      return members.length === 2 && members[0]?.trim() === "str"
        ? dictOf(parseParameterType(members[1] ?? ""))
        : undefined;
    case "literal":
      return literalOf(members.map(literalMember));
    default:
      return undefined;
  }
}

function listOf(item: ParameterType | undefined): ParameterType | undefined {
  return item === undefined ? undefined : { kind: "list", item };
}

function dictOf(value: ParameterType | undefined): ParameterType | undefined {
  return value === undefined ? undefined : { kind: "dict", value };
}

function literalOf(values: readonly (Json | undefined)[]): ParameterType | undefined {
  return values.includes(undefined) ? undefined : { kind: "literal", values: values as Json[] };
}

/** The type that a default value shows: a parameter without annotation accepts what its default is. */
export function typeOfDefault(value: Json): ParameterType {
  if (value === null) return ANY;
  if (typeof value === "boolean") return { kind: "bool" };
  if (typeof value === "string") return { kind: "str" };
  // `depth = 3` may be given 3.5 nowhere: an int default asks for ints, a float default takes both.
  if (typeof value === "number") return { kind: Number.isInteger(value) ? "int" : "float" };
  return Array.isArray(value) ? { kind: "list", item: ANY } : { kind: "dict", value: ANY };
}

/** True when a value is of the type: `float` takes ints, `bool` is never an `int`. */
export function accepts(type: ParameterType, value: Json): boolean {
  switch (type.kind) {
    case "any":
      return true;
    case "none":
      return value === null;
    case "int":
      return typeof value === "number" && Number.isInteger(value);
    case "float":
      return typeof value === "number";
    case "str":
      return typeof value === "string";
    case "bool":
      return typeof value === "boolean";
    case "list":
      return Array.isArray(value) && value.every((item) => accepts(type.item, item as Json));
    case "dict":
      return isMapping(value) && Object.values(value).every((member) => accepts(type.value, member));
    case "union":
      return type.options.some((option) => accepts(option, value));
    case "literal":
      return type.values.includes(value);
  }
}

function isMapping(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The type as Python writes it. */
export function formatParameterType(type: ParameterType): string {
  switch (type.kind) {
    case "none":
      return "None";
    case "list":
      return type.item.kind === "any" ? "list" : `list[${formatParameterType(type.item)}]`;
    case "dict":
      return type.value.kind === "any" ? "dict" : `dict[str, ${formatParameterType(type.value)}]`;
    case "union":
      return type.options.map(formatParameterType).join(" | ");
    case "literal":
      return `one of ${type.values.map((value) => JSON.stringify(value)).join(", ")}`;
    case "int":
    case "float":
    case "str":
    case "bool":
    case "any":
      return type.kind;
  }
}

function simpleType(name: string): ParameterType | undefined {
  switch (name) {
    case "int":
    case "float":
    case "str":
    case "bool":
      return { kind: name };
    case "None":
      return { kind: "none" };
    case "Any":
      return ANY;
    case "list":
    case "List":
      return { kind: "list", item: ANY };
    case "dict":
    case "Dict":
      return { kind: "dict", value: ANY };
    default:
      return undefined;
  }
}

function unionOf(options: readonly (ParameterType | undefined)[]): ParameterType | undefined {
  return options.some((option) => option === undefined)
    ? undefined
    : { kind: "union", options: options as ParameterType[] };
}

function literalMember(text: string): Json | undefined {
  const trimmed = text.trim();
  const quoted = /^(["'])([^\\]*)\1$/.exec(trimmed);
  if (quoted !== null) return quoted[2];
  if (/^-?\d+$/.test(trimmed)) return Number(trimmed);
  return ({ True: true, False: false, None: null } as Record<string, Json>)[trimmed];
}

function splitTopLevel(text: string, separator: string): string[] {
  const parts: string[] = [""];
  let depth = 0;
  let quote = "";
  for (const character of text) {
    if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if ("[({".includes(character)) depth++;
    else if ("])}".includes(character)) depth--;
    if (character === separator && depth === 0 && quote === "") parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts.filter((part) => part.trim() !== "");
}
