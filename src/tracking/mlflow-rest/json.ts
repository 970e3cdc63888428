import { assertJsonDepth, rawJson } from "#base";
import { requestInvalid } from "../errors.ts";
import type { Int64, WireValue } from "./wire-value.ts";

/** An integer of 16 digits or more; digits behind a point do not count. */
const LONG_INTEGER = /(?<![\d.])\d{16,}(?![\d.eE])/;
const INTEGER = /^-?\d+$/;

/**
 * `JSON.parse` hands the source text of each number to the reviver (ECMAScript 2026, "JSON.parse source text access").
 */
type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown;

/**
 * Parses JSON; integers beyond 2^53 become bigint instead of being rounded.
 *
 * @throws TRACKING_REQUEST_INVALID
 */
export function readJson(text: string): WireValue {
  try {
    assertJsonDepth(text);
    if (!LONG_INTEGER.test(text)) return JSON.parse(text) as WireValue;
    return JSON.parse(text, exactInteger as (key: string, value: unknown) => unknown) as WireValue;
  } catch (error) {
    throw requestInvalid(
      { message: `The request body is not valid JSON: ${problemOf(error as Error)}. Expected a JSON object.` },
      error,
    );
  }
}

/** Without the piece of the body that the parser quotes: it may be part of a secret. */
function problemOf({ message }: Error): string {
  return message.replace(/,? (\.\.\.)?"[^]*"(\.\.\.)? is not valid JSON$/, "");
}

const exactInteger: Reviver = (_key, value, context) => {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context.source ?? "";
  return INTEGER.test(source) ? BigInt(source) : value;
};

/**
 * JSON text of an answer. Numbers in it are finite or made by {@link wireDouble}, integers beyond 2^53 made by {@link
 * wireInteger}.
 */
export function writeJson(value: object): string {
  return JSON.stringify(value);
}

/** A double as MLflow sends it: `"NaN"`, `"Infinity"` and `"-Infinity"` as strings. */
export function wireDouble(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

/** A 64-bit integer as an exact JSON number. */
export function wireInteger(value: Int64): number | object {
  return typeof value === "number" ? value : rawJson(String(value));
}
