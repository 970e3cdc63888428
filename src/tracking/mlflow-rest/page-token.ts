import { parameterInvalid } from "../errors.ts";
import { readJson, wireInteger } from "./json.ts";
import type { WireObject, WireValue } from "./wire-value.ts";

/** An opaque token that carries where the next page starts. */
export function writePageToken(position: object): string {
  return Buffer.from(
    JSON.stringify(position, (_key, value: unknown) => (typeof value === "bigint" ? wireInteger(value) : value)),
  ).toString("base64");
}

/**
 * Where a page ended: the values of the columns it was ordered by. @throws TRACKING_PARAMETER_INVALID for anything else
 */
export function readPosition(after: WireValue | undefined): readonly (string | number)[] {
  if (
    Array.isArray(after) &&
    after.every((value) => typeof value === "string" || (typeof value === "number" && Number.isFinite(value)))
  )
    return after as readonly (string | number)[];
  throw parameterInvalid({ message: "Invalid page token: it was not made by this call" });
}

/**
 * What {@link writePageToken} put in.
 *
 * @throws TRACKING_PARAMETER_INVALID `Invalid page token, could not base64-decode`
 */
export function readPageToken(token: string): WireObject {
  try {
    const position = readJson(Buffer.from(token, "base64").toString("utf8"));
    if (typeof position === "object" && position !== null && !Array.isArray(position)) return position as WireObject;
  } catch {
    // Whatever it was, it is no token: the message below says so.
  }
  throw parameterInvalid({ message: "Invalid page token, could not base64-decode" });
}
