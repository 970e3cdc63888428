import type { Json } from "#base";
import { type ExpressionScope, findExpressions, interpolate } from "./expression.ts";
import { isList } from "./json.ts";

/** Labels of GitHub's own runners of another system, and the names of the systems themselves. */
const OTHER_SYSTEM = /(^|[-_])(windows|macos|mac|osx)([-_.\d]|$)/i;

/**
 * Labels of the runner that a job asks for, as far as they are known: an expression that asks for what the scope does
 * not have names none.
 *
 * @param stated `runs-on`: a label, a list of them, or a map with `labels`
 */
export function labelsOf(stated: Json, scope: ExpressionScope | undefined): readonly string[] {
  if (typeof stated === "string") {
    if (findExpressions(stated).length === 0) return [stated];
    if (scope === undefined) return [];
    try {
      const value = interpolate(stated, scope);
      return typeof value === "string" ? [value] : labelsOf(value, undefined);
    } catch {
      return [];
    }
  }
  if (isList(stated)) return stated.flatMap((one) => labelsOf(one, scope));
  if (typeof stated === "object" && stated !== null && "labels" in stated)
    return labelsOf(stated["labels"] ?? null, scope);
  return [];
}

/** The label of another system than Linux, where one stands in `runs-on`. */
export function otherSystemOf(stated: Json | undefined, scope: ExpressionScope | undefined): string | undefined {
  return stated === undefined ? undefined : labelsOf(stated, scope).find((label) => OTHER_SYSTEM.test(label));
}

/** Name of the environment that a job is for; undefined where there is none, or none that the scope can tell. */
export function environmentOf(stated: Json | undefined, scope: ExpressionScope): string | undefined {
  const name =
    typeof stated === "object" && stated !== null && "name" in stated ? stated["name"] : stated === null ? "" : stated;
  if (typeof name !== "string" || name === "") return undefined;
  try {
    const value = interpolate(name, scope);
    return typeof value === "string" && value !== "" ? value : undefined;
  } catch {
    return undefined;
  }
}
