import { EsteiraError, messageOf } from "#base";
import type { Endpoint } from "#metadata-store/serving";
import { callerGone, valuesRefused } from "./errors.ts";

/** By what a failure is counted. */
export function codeOf(error: unknown): string {
  return error instanceof EsteiraError ? error.code : "SERVING_REQUEST_FAILED";
}

/** Whose fault a failure is. */
export function outcomeOf(error: unknown): "caller" | "failed" {
  return error instanceof EsteiraError && error.status < 500 ? "caller" : "failed";
}

/** What no version could have answered: refused before any was asked, or given up by who asked. */
export function isOfCaller(error: unknown): boolean {
  return error instanceof EsteiraError && error.status < 500 && error.code !== valuesRefused.code;
}

/** The caller left: no version is to blame, and none need stand in for another. */
export function isCallerGone(error: unknown): boolean {
  return error instanceof EsteiraError && error.code === callerGone.code;
}

/** What the server's log says of an error: its message may repeat values that are not to be kept. */
export function loggableMessage({ options }: Pick<Endpoint, "options">, error: unknown): string {
  return options.log?.redact === undefined ? messageOf(error) : codeOf(error);
}
