/** One column of a request, as the endpoint describes it. */
export interface TriedColumn {
  readonly name: string;
  readonly type: "number" | "integer" | "string" | "boolean";
  readonly isRequired: boolean;
  readonly isNullable: boolean;
}

/** What is wrong with what was typed for a column. */
export interface FieldProblem {
  readonly column: string;
  readonly kind: "number" | "whole" | "required";
  readonly found: string;
}

/** The text that stands in the form for a value of an example. */
export function toField(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/**
 * The row that was typed. What is empty is left out where the endpoint reads it, null where that is allowed, and an
 * empty text of a text column.
 */
export function readTriedRow(
  columns: readonly TriedColumn[],
  fields: Readonly<Record<string, string>>,
): { readonly features: Readonly<Record<string, unknown>>; readonly problems: readonly FieldProblem[] } {
  const features: Record<string, unknown> = {};
  const problems: FieldProblem[] = [];
  for (const { name, type, isRequired, isNullable } of columns) {
    const found = fields[name] ?? "";
    if (found === "") {
      if (!isRequired) continue;
      if (isNullable) features[name] = null;
      else if (type === "string") features[name] = "";
      else problems.push({ column: name, kind: "required", found });
      continue;
    }
    const value = valueOf(type, found);
    if (value === undefined) problems.push({ column: name, kind: type === "integer" ? "whole" : "number", found });
    else features[name] = value;
  }
  return { features, problems };
}

function valueOf(type: TriedColumn["type"], text: string): string | number | boolean | undefined {
  if (type === "string") return text;
  if (type === "boolean") return text === "true";
  const value = Number(text.trim());
  if (text.trim() === "" || !Number.isFinite(value)) return undefined;
  return type === "number" || Number.isSafeInteger(value) ? value : undefined;
}
