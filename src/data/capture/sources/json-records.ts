/** A number that JavaScript would round. */
const LONG_NUMBER = /\d[\d.]{15,}|\d[eE]/;

interface RawJson {
  readonly rawJSON: string;
}
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => RawJson };

/** JSON whose numbers are written again as they were read. @throws SyntaxError */
export function parseExactly(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  const keep = (_: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source
      ? rawJSON(context.source)
      : value;
  return JSON.parse(text, keep as (key: string, value: unknown) => unknown);
}

/** What is at a path of names with points between them. */
export function memberAt(value: unknown, path: string): unknown {
  return path.split(".").reduce<unknown>((inside, name) => {
    if (typeof inside !== "object" || inside === null || !Object.hasOwn(inside, name)) return undefined;
    return (inside as Record<string, unknown>)[name];
  }, value);
}

/** A text or number as text; undefined for anything else. */
export function scalarText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  if (typeof value === "object" && value !== null && "rawJSON" in value) return String((value as RawJson).rawJSON);
  return undefined;
}
