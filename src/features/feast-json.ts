import { assertJsonDepth, messageOf } from "#base";
import { requestInvalid } from "./errors.ts";

/** Names that DuckDB and Python write for numbers that JSON has no form for; texts are passed over. */
const NO_NUMBERS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:NaN|Infinity)/g;
/** Sixteen digits and more may be a whole number that a double does not hold. */
const LONG_NUMBER = /\d{16}/;

/** Whole numbers beyond 2^53 are read from their digits; what is no finite number is null. */
export function parseNumbersExactly(text: string): unknown {
  const finite = /NaN|Infinity/.test(text)
    ? text.replace(NO_NUMBERS, (found) => (found.startsWith('"') ? found : "null"))
    : text;
  if (!LONG_NUMBER.test(finite)) return JSON.parse(finite);
  return JSON.parse(finite, (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "")
      ? BigInt(context?.source ?? "0")
      : value,
  );
}

/** A body as Feast's clients send it, whatever its content type says. @throws FEATURES_REQUEST_INVALID */
export function parseFeastJson(body: string): unknown {
  try {
    assertJsonDepth(body);
    return parseNumbersExactly(body);
  } catch (error) {
    throw requestInvalid({ found: `it is no JSON (${messageOf(error)})` }, error);
  }
}
