import { parameterInvalid, parameterMissing, parameterWrongType } from "../errors.ts";
import { type Int64, pythonJson, type WireObject, type WireValue } from "./wire-value.ts";

const INTEGER_TEXT = /^\s*[+-]?\d+\s*$/;
const DOUBLE_TEXT = /^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$/;
const LARGEST_INT64 = 2n ** 63n - 1n;
const SMALLEST_INT64 = -(2n ** 63n);

/**
 * The fields of one call, read as MLflow reads them: absent, `null` and (where a field is required) `""` are missing;
 * numbers may come as strings; whole floats are integers; unknown fields are ignored.
 *
 * All readers throw TRACKING_PARAMETER_MISSING or TRACKING_PARAMETER_INVALID with MLflow's message, and the field's
 * path (`metrics[0].timestamp`) inside lists.
 */
export class MlflowMessage {
  readonly #fields: WireObject;
  readonly #path: string;
  readonly #fromQuery: boolean;

  constructor(fields: WireObject, path = "", fromQuery = false) {
    this.#fields = fields;
    this.#path = path;
    this.#fromQuery = fromQuery;
  }

  /** Fields of a query string; repeated parameters become lists. */
  static fromQuery(query: URLSearchParams): MlflowMessage {
    const fields: Record<string, WireValue> = {};
    for (const key of new Set(query.keys())) {
      const values = query.getAll(key);
      fields[key] = values.length === 1 ? (values[0] ?? "") : values;
    }
    return new MlflowMessage(fields, "", true);
  }

  /** Full path of a field, for messages. */
  pathOf(field: string): string {
    return this.#path === "" ? field : `${this.#path}.${field}`;
  }

  has(field: string): boolean {
    return this.raw(field) !== undefined;
  }

  /** The field as it was sent; `null` counts as absent. */
  raw(field: string): WireValue | undefined {
    return this.#fields[field] ?? undefined;
  }

  /** A string that must be there and not empty. `named` is the name used in the message when it differs. */
  requiredString(field: string, named: string = field): string {
    const text = this.string(field, named);
    if (text === undefined || text === "") throw parameterMissing({ parameter: this.pathOf(named) });
    return text;
  }

  string(field: string, named: string = field): string | undefined {
    const value = this.raw(field);
    if (value === undefined || typeof value === "string") return value;
    throw parameterWrongType({ parameter: this.pathOf(named), value });
  }

  boolean(field: string): boolean | undefined {
    const value = this.raw(field);
    if (value === undefined || typeof value === "boolean") return value;
    if (value === "true" || value === "True" || value === "1") return true;
    if (value === "false" || value === "False" || value === "0") return false;
    throw parameterWrongType({ parameter: this.pathOf(field), value });
  }

  /** A 64-bit integer, exact. */
  int64(field: string): Int64 | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    const integer = toInt64(value);
    if (integer === undefined) throw parameterWrongType({ parameter: this.pathOf(field), value });
    return integer;
  }

  requiredInt64(field: string): Int64 {
    const integer = this.int64(field);
    if (integer === undefined) throw parameterMissing({ parameter: this.pathOf(field) });
    return integer;
  }

  /** An integer that is safe as a number. */
  integer(field: string): number | undefined {
    const value = this.int64(field);
    if (value === undefined || typeof value === "number") return value;
    throw parameterWrongType({ parameter: this.pathOf(field), value: this.raw(field) ?? null });
  }

  /** A double; `true` is 1, numeric strings, `"NaN"` and `"Infinity"` are accepted. */
  requiredDouble(field: string): number {
    const value = this.raw(field);
    if (value === undefined) throw parameterMissing({ parameter: this.pathOf(field) });
    const double = toDouble(value);
    if (double === undefined) throw parameterWrongType({ parameter: this.pathOf(field), value });
    return double;
  }

  /** An enum by name or number; undefined when absent. @throws TRACKING_PARAMETER_INVALID with the valid names */
  enumeration<Name extends string>(field: string, names: Readonly<Record<Name, number>>): Name | undefined {
    const value = this.raw(field);
    if (value === undefined || value === "") return undefined;
    for (const name of Object.keys(names) as Name[]) {
      if (value === name || Number(value) === names[name]) return name;
    }
    throw parameterInvalid({
      message: `Invalid value ${pythonJson(value)} for parameter '${this.pathOf(field)}' supplied: valid values are ${Object.keys(names).join(", ")}.`,
    });
  }

  strings(field: string): readonly string[] {
    return this.#list(field).map((item, index) => {
      if (typeof item === "string") return item;
      throw parameterWrongType({ parameter: `${this.pathOf(field)}[${index}]`, value: item });
    });
  }

  messages(field: string): readonly MlflowMessage[] {
    return this.#list(field).map((item, index) => {
      const path = `${this.pathOf(field)}[${index}]`;
      if (isObject(item)) return new MlflowMessage(item, path);
      throw parameterWrongType({ parameter: path, value: item });
    });
  }

  message(field: string): MlflowMessage | undefined {
    const value = this.raw(field);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw parameterWrongType({ parameter: this.pathOf(field), value });
    return new MlflowMessage(value, this.pathOf(field));
  }

  #list(field: string): readonly WireValue[] {
    const value = this.raw(field);
    if (value === undefined) return [];
    if (Array.isArray(value)) return value as readonly WireValue[];
    // A query string cannot tell a list of one from a single value.
    if (typeof value === "string" && this.#fromQuery) return [value];
    throw parameterWrongType({ parameter: this.pathOf(field), value });
  }
}

function isObject(value: WireValue): value is WireObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The integer that a JSON value stands for, or undefined. */
export function toInt64(value: WireValue): Int64 | undefined {
  if (typeof value === "number") return Number.isSafeInteger(value) ? value : undefined;
  if (typeof value === "bigint") return narrow(value);
  if (typeof value !== "string") return undefined;
  if (INTEGER_TEXT.test(value)) return narrow(BigInt(value.trim().replace(/^\+/, "")));
  const number = DOUBLE_TEXT.test(value) ? Number(value) : NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

function narrow(value: bigint): Int64 | undefined {
  if (value > LARGEST_INT64 || value < SMALLEST_INT64) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function toDouble(value: WireValue): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  if (typeof value !== "string") return undefined;
  if (DOUBLE_TEXT.test(value)) return Number(value);
  switch (value.trim().toLowerCase()) {
    case "nan":
      return NaN;
    case "infinity":
    case "inf":
    case "+infinity":
    case "+inf":
      return Infinity;
    case "-infinity":
    case "-inf":
      return -Infinity;
    default:
      return undefined;
  }
}
