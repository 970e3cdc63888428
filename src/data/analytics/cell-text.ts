/**
 * A cell of a result in the text form that PostgreSQL gives it: `t`, `\x6162`, `{1,NULL,2}`; a struct or map is JSON.
 * NULL is null. Source: PostgreSQL manual, "Data Types" and "Arrays".
 */
export function cellText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "t" : "f";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value !== "object") return null;
  if (isList(value)) return `{${value.items.map(arrayItem).join(",")}}`;
  if (isBlob(value)) return `\\x${Buffer.from(value.bytes).toString("hex")}`;
  if (isStruct(value) || isMap(value)) return JSON.stringify(toJson(value));
  return (value as { toString(): string }).toString();
}

function arrayItem(item: unknown): string {
  const text = cellText(item);
  if (text === null) return "NULL";
  // An array inside is part of the literal; everything else that could be mistaken for it is quoted.
  if (isList(item)) return text;
  return text === "" || /[{}",\\\s]/.test(text) || text.toUpperCase() === "NULL"
    ? `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`
    : text;
}

function toJson(value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value !== "object") return value;
  if (isList(value)) return value.items.map(toJson);
  if (isStruct(value))
    return Object.fromEntries(Object.entries(value.entries).map(([key, entry]) => [key, toJson(entry)]));
  if (isMap(value))
    return Object.fromEntries(value.entries.map(({ key, value: entry }) => [cellText(key), toJson(entry)]));
  return cellText(value);
}

function isList(value: unknown): value is { readonly items: readonly unknown[] } {
  return typeof value === "object" && value !== null && "items" in value && Array.isArray(value.items);
}

function isMap(value: object): value is { readonly entries: readonly { key: unknown; value: unknown }[] } {
  return "entries" in value && Array.isArray(value.entries);
}

function isStruct(value: object): value is { readonly entries: Readonly<Record<string, unknown>> } {
  return "entries" in value && !Array.isArray(value.entries);
}

function isBlob(value: object): value is { readonly bytes: Uint8Array } {
  return "bytes" in value && value.bytes instanceof Uint8Array;
}
