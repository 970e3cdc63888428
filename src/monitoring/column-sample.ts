import type { ColumnSample } from "./drift-method.ts";
import { sortSample } from "./statistics/bins.ts";

/** Type of a model's input, as its description states it. */
export type WatchedType = "float" | "integer" | "string" | "boolean";

const FEW_INTEGERS = 10;

/**
 * Makes a column comparable: floats are numeric; integers too, unless the reference has at most 10 different ones; the
 * rest is categorical.
 *
 * @param values one per row; null, undefined and NaN are missing
 * @param asCategorical decided by the reference, so that both sides are treated alike
 */
export function toColumnSample(
  values: ArrayLike<unknown>,
  type: WatchedType,
  asCategorical: boolean = isCategorical(values, type),
): ColumnSample {
  return asCategorical ? toCategorical(values) : toNumeric(values, type === "integer");
}

/** Whether a column is compared by categories. Source: Evidently 0.7, column types. */
export function isCategorical(reference: ArrayLike<unknown>, type: WatchedType): boolean {
  if (type !== "integer") return type !== "float";
  const distinct = new Set<number>();
  for (let row = 0; row < reference.length && distinct.size <= FEW_INTEGERS; row++) {
    const value = reference[row];
    if (!isMissing(value)) distinct.add(Number(value));
  }
  return distinct.size <= FEW_INTEGERS;
}

function toNumeric(values: ArrayLike<unknown>, integer: boolean): ColumnSample {
  const numbers =
    values instanceof Float64Array
      ? values
      : Float64Array.from(values, (value) => (isMissing(value) ? NaN : Number(value)));
  const sample = sortSample(numbers, integer);
  return {
    kind: "numeric",
    sample,
    size: sample.values.length,
    nullShare: values.length === 0 ? 0 : 1 - sample.values.length / values.length,
  };
}

function toCategorical(values: ArrayLike<unknown>): ColumnSample {
  const counts = new Map<string, number>();
  let size = 0;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (isMissing(value)) continue;
    const name = categoryName(value);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    size++;
  }
  return { kind: "categorical", counts, size, nullShare: values.length === 0 ? 0 : 1 - size / values.length };
}

/** Booleans arrive as true/false or 1/0, whole numbers as number or bigint. */
function categoryName(value: unknown): string {
  if (typeof value === "boolean") return value ? "1" : "0";
  return typeof value === "string" ? value : String(value);
}

function isMissing(value: unknown): boolean {
  return value === null || value === undefined || (typeof value === "number" && Number.isNaN(value));
}
