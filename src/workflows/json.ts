import type { Json } from "#base";

export type Members = Readonly<Record<string, Json>>;

export function isMap(value: unknown): value is Members {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isList(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

/** Nothing where it is no map. */
export function membersOf(value: unknown): Members {
  return isMap(value) ? value : {};
}

/** A value as text; lists and maps as JSON. */
export function asText(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
