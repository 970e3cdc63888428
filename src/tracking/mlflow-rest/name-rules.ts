import { posix } from "node:path";
import { parameterInvalid } from "../errors.ts";
import { pythonJson } from "./wire-value.ts";

/** No dot and no slash: such a name is its own path. */
const SIMPLE_NAME = /^[\w\- :]+$/;
const NAME = /^[\p{L}\p{N}\p{M}_/.\- :]*$/u;

/** @throws TRACKING_PARAMETER_INVALID `'X' exceeds the maximum length of N characters` */
export function assertLength(named: string, text: string, limit: number): void {
  // A code point counts once, as in Python.
  if (text.length <= limit || [...text].length <= limit) return;
  throw parameterInvalid({ message: `'${named}' exceeds the maximum length of ${limit} characters` });
}

/**
 * Metric, param and tag keys: letters of any script, digits, `_ - . : /` and spaces, and equal to their own normalized
 * path.
 *
 * @param parameter how the message names it, for instance `name` or `metrics[0].name`
 * @throws TRACKING_PARAMETER_INVALID with MLflow's sentence
 */
export function assertKeyName(key: string, parameter: string): void {
  if (SIMPLE_NAME.test(key)) return;
  const invalid = (): string => `Invalid value ${pythonJson(key)} for parameter '${parameter}' supplied: `;
  if (!NAME.test(key)) {
    throw parameterInvalid({
      message: `${invalid()}Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).`,
    });
  }
  const path = normalizedPath(key);
  if (path === key && key !== "." && !key.startsWith("..") && !key.startsWith("/")) return;
  throw parameterInvalid({
    message: `${invalid()}Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '${path}'`,
  });
}

/** Python's `posixpath.normpath`: no trailing slash, `.` for nothing. */
function normalizedPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith("/") ? normal.slice(0, -1) : normal;
}

/** Cuts to a number of code points. */
export function truncate(text: string, limit: number): string {
  return text.length <= limit ? text : [...text].slice(0, limit).join("");
}
