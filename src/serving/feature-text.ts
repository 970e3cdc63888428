import type { ModelSignature } from "./model-signature.ts";
import type { InputColumns, RowSource } from "./row-source.ts";

/**
 * Each row of a model's inputs as the text of a JSON object, for the prediction log. Missing numbers are null.
 *
 * @param redacted inputs that are left out
 */
export function toFeatureTexts(
  signature: ModelSignature,
  inputs: InputColumns,
  redacted: ReadonlySet<string> = NOTHING,
): string[] {
  const kept = [...signature.inputs.keys()].filter((position) => !redacted.has(signature.inputs[position]?.name ?? ""));
  const keys = signature.inputs.map(
    ({ name }, position) => `${position === kept[0] ? "" : ","}${JSON.stringify(name)}:`,
  );
  const writers = signature.inputs.map(({ type }, position) => {
    const column = inputs.columns[position] ?? [];
    if (column instanceof BigInt64Array) return (row: number): string => String(column[row]);
    if (!(column instanceof Float64Array)) return (row: number): string => JSON.stringify(column[row] ?? "");
    if (type === "boolean") return (row: number): string => String(column[row] === 1);
    return (row: number): string => (Number.isNaN(column[row]) ? "null" : String(column[row]));
  });
  return Array.from({ length: inputs.rowCount }, (_, row) => {
    let text = "{";
    for (const position of kept) text += (keys[position] ?? "") + (writers[position]?.(row) ?? "null");
    return `${text}}`;
  });
}

const NOTHING: ReadonlySet<string> = new Set();

const LARGEST_CONTEXT = 2000;

/**
 * What a row says beside the model's inputs, as the text of a JSON object: plain values only; undefined when there is
 * nothing, or more than 2,000 characters of it.
 *
 * @param of.redacted what is left out
 */
export function toContextText(
  signature: ModelSignature,
  source: RowSource,
  { row, redacted = NOTHING }: { readonly row: number; readonly redacted?: ReadonlySet<string> | undefined },
): string | undefined {
  const inputs = new Set(signature.inputs.map((input) => input.name));
  const entries = source.names(row).flatMap((name) => {
    const found = inputs.has(name) || redacted.has(name) ? null : source.value(row, name);
    const value = typeof found === "bigint" ? String(found) : found;
    return typeof value === "string" ||
      typeof value === "boolean" ||
      (typeof value === "number" && Number.isFinite(value))
      ? [[name, value]]
      : [];
  });
  if (entries.length === 0) return undefined;
  const text = JSON.stringify(Object.fromEntries(entries));
  return text.length > LARGEST_CONTEXT ? undefined : text;
}
