/** A value of a column: the JSON text that the online store keeps, as DuckDB writes it; or why it is none. */
export type PushedValue = { readonly json: string } | { readonly problem: string };

const INTEGER_BITS: Readonly<Record<string, readonly [bits: number, signed: boolean]>> = {
  TINYINT: [8, true],
  SMALLINT: [16, true],
  INTEGER: [32, true],
  BIGINT: [64, true],
  HUGEINT: [128, true],
  UTINYINT: [8, false],
  USMALLINT: [16, false],
  UINTEGER: [32, false],
  UBIGINT: [64, false],
};
const LARGEST_FLOAT = 3.4028234663852886e38;
const INSTANT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?\s*(Z|UTC|[+-]\d\d(?::?\d\d)?)?$/i;
const DATE = /^\d{4}-\d\d-\d\d$/;
const MIDNIGHT = /[T ]00:00(:00(\.0+)?)?Z?$/;
const FIRST_YEAR_US = Date.parse("0001-01-01T00:00:00Z") * 1000;
const AFTER_YEARS_US = Date.parse("+010000-01-01T00:00:00Z") * 1000;
const LONGEST_DECIMAL = 60;
const DECIMAL = /^DECIMAL\((\d+),\s*(\d+)\)$/;

/** Types whose texts are the same in a request for features and in the online store. */
export function isKeyType(type: string): boolean {
  return Object.hasOwn(INTEGER_BITS, type) || ["VARCHAR", "BOOLEAN", "DATE"].includes(type);
}

/**
 * Reads a JSON value as one of a DuckDB column's type, strictly: a text is no number, and what does not fit is refused
 * instead of rounded. Null is a value of every type.
 */
export function readPushedValue(type: string, value: unknown): PushedValue {
  if (value === null) return { json: "null" };
  if (type.endsWith("[]")) return readList(type.slice(0, -2), value);
  if (Object.hasOwn(INTEGER_BITS, type)) return readInteger(type, value);
  const decimal = DECIMAL.exec(type);
  if (decimal !== null) return readDecimal({ digits: Number(decimal[1]), scale: Number(decimal[2]) }, value);
  switch (type) {
    case "DOUBLE":
    case "FLOAT":
      return readFloat(type, value);
    case "BOOLEAN":
      return typeof value === "boolean" ? { json: String(value) } : misfit(value);
    case "VARCHAR":
      return typeof value === "string" ? { json: JSON.stringify(value) } : misfit(value);
    case "DATE":
      return readDate(value);
    default:
      return type.startsWith("TIMESTAMP") ? readTimestamp(type, value) : { problem: "a type that cannot be pushed" };
  }
}

/** Epoch microseconds of an ISO 8601 text, of which one without a zone is UTC; undefined when it is none. */
export function instantOf(value: unknown): number | undefined {
  const match = typeof value === "string" ? INSTANT.exec(value.trim()) : null;
  if (match === null) return undefined;
  const [, year, month, day, hour = "00", minute = "00", second = "00", fraction = "", zone = "Z"] = match;
  const text = `${year}-${month}-${day}T${hour}:${minute}:${second}Z`;
  const wholeMs = Date.parse(text);
  // Date.parse takes the 30th of February for the 2nd of March.
  if (Number.isNaN(wholeMs) || new Date(wholeMs).toISOString().slice(0, 19) !== text.slice(0, 19)) return undefined;
  return withinYears((wholeMs - offsetMs(zone)) * 1000 + Number(fraction.slice(0, 6).padEnd(6, "0")));
}

/** `2026-01-02 03:04:05.12`, as DuckDB writes an instant. */
export function formatInstant(us: number): string {
  const whole = new Date(Math.floor(us / 1_000_000) * 1000).toISOString();
  const fraction = ((us % 1_000_000) + 1_000_000) % 1_000_000;
  const digits = fraction === 0 ? "" : `.${String(fraction).padStart(6, "0").replace(/0+$/, "")}`;
  return `${whole.slice(0, 10)} ${whole.slice(11, 19)}${digits}`;
}

/** What a value is, for a message. */
export function describeValue(value: unknown): string {
  if (typeof value === "string")
    return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return `${value}`;
  return Array.isArray(value) ? "a list" : value === null ? "null" : "an object";
}

function misfit(value: unknown): { readonly problem: string } {
  return { problem: `it is ${describeValue(value)}` };
}

function readList(type: string, value: unknown): PushedValue {
  if (!Array.isArray(value)) return misfit(value);
  const texts: string[] = [];
  for (const element of value) {
    const read = readPushedValue(type, element);
    if ("problem" in read) return { problem: `of its elements one is no ${type}: ${read.problem}` };
    texts.push(read.json);
  }
  return { json: `[${texts.join(",")}]` };
}

function readInteger(type: string, value: unknown): PushedValue {
  const [bits, signed] = INTEGER_BITS[type] ?? [64, true];
  if (typeof value !== "bigint" && !(typeof value === "number" && Number.isInteger(value))) return misfit(value);
  // A number beyond 2^53 without all its digits is another one than was meant.
  if (typeof value === "number" && !Number.isSafeInteger(value)) return { problem: `its digits are lost in ${value}` };
  const whole = BigInt(value);
  const fits = (signed ? BigInt.asIntN(bits, whole) : BigInt.asUintN(bits, whole)) === whole;
  return fits ? { json: whole.toString() } : { problem: `${whole} does not fit` };
}

function readFloat(type: "DOUBLE" | "FLOAT", value: unknown): PushedValue {
  if (typeof value !== "number" && typeof value !== "bigint") return misfit(value);
  const number = Number(value);
  if (type === "DOUBLE") return Number.isFinite(number) ? { json: String(number) } : misfit(value);
  if (Math.abs(number) > LARGEST_FLOAT) return { problem: `${number} does not fit` };
  return { json: String(Math.fround(number)) };
}

function readDecimal(
  { digits, scale }: { readonly digits: number; readonly scale: number },
  value: unknown,
): PushedValue {
  const isNumber = typeof value === "number" || typeof value === "bigint";
  const text = typeof value === "string" ? value : isNumber ? `${value}` : "";
  const match = text.length > LONGEST_DECIMAL ? null : /^-?0*(\d*)(?:\.(\d*?)0*)?$/.exec(text);
  if (match === null || !/\d/.test(text)) return misfit(value);
  const [, whole = "", fraction = ""] = match;
  if (fraction.length > scale) return { problem: `${text} has more than ${scale} decimal places` };
  if (whole.length > digits - scale) return { problem: `${text} does not fit` };
  return {
    json: `${text.startsWith("-") ? "-" : ""}${whole === "" ? "0" : whole}${fraction === "" ? "" : `.${fraction}`}`,
  };
}

function readDate(value: unknown): PushedValue {
  const us = instantOf(value);
  if (typeof value !== "string" || us === undefined) return misfit(value);
  const text = value.trim();
  if (!DATE.test(text) && !MIDNIGHT.test(text)) return { problem: `${describeValue(value)} has a time of the day` };
  return { json: JSON.stringify(text.slice(0, 10)) };
}

/** Whole numbers are epoch seconds: so Feast's client sends them. */
function readTimestamp(type: string, value: unknown): PushedValue {
  const isEpoch = typeof value === "number" && Number.isInteger(value);
  const us = isEpoch ? withinYears(value * 1_000_000) : instantOf(value);
  if (us === undefined) return misfit(value);
  return { json: `"${formatInstant(us)}${type === "TIMESTAMP WITH TIME ZONE" ? "+00" : ""}"` };
}

/** Years of four digits, as texts have them. */
function withinYears(us: number): number | undefined {
  return us >= FIRST_YEAR_US && us < AFTER_YEARS_US ? us : undefined;
}

function offsetMs(zone: string): number {
  const match = /^([+-])(\d\d):?(\d\d)?$/.exec(zone);
  if (match === null) return 0;
  return (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3] ?? 0)) * 60_000;
}
