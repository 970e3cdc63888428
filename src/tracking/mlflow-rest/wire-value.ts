/** What JSON on MLflow's wire can hold; integers beyond 2^53 as bigint. */
export type WireValue = null | boolean | number | bigint | string | readonly WireValue[] | WireObject;
export interface WireObject {
  readonly [field: string]: WireValue | undefined;
}

/** An integer of up to 64 bits: a number when it is safe, else a bigint. */
export type Int64 = number | bigint;

/** A value as Python's `json.dumps` prints it, for messages. */
export function pythonJson(value: WireValue): string {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return `[${(value as WireValue[]).map(pythonJson).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value as WireObject).map(
      ([key, member]) => `${pythonJson(key)}: ${pythonJson(member ?? null)}`,
    );
    return `{${members.join(", ")}}`;
  }
  return JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Name of the Python type that a JSON value has there. */
export function pythonType(value: WireValue): string {
  if (value === null) return "NoneType";
  if (Array.isArray(value)) return "list";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float";
  return { string: "str", boolean: "bool", bigint: "int", object: "dict" }[typeof value as "string"] ?? "str";
}
