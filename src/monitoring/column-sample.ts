import type { ColumnSample } from "./drift-method.ts";
import { sortSample } from "./statistics/bins.ts";

/** Type of a model's input, as its description states it. */
export type WatchedType = "float" | "integer" | "string" | "boolean";

/** How a column is compared: decided by the reference, so that both sides are treated alike. */
export type ColumnKind = Pick<ColumnSample, "kind"> & { readonly time?: boolean };

const FEW_INTEGERS = 10;
/** Strings are texts when more than this share of them occur once only. */
const DISTINCT_SHARE = 0.5;
const LEAST_TEXTS = 20;
/** Texts of a side that are compared. */
const MOST_TEXTS = 5000;
const MOMENT = /^[+-]?\d{4,6}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s?(Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * Makes a column comparable: floats are numeric; integers too, unless the reference has at most 10 different ones;
 * strings are moments in time when all of them are dates, texts when more than half are different, else categories.
 *
 * @param values one per row; null, undefined and NaN are missing
 * @param kind decided by the reference; default: by the values
 */
export function toColumnSample(
  values: ArrayLike<unknown>,
  type: WatchedType,
  kind: ColumnKind = kindOf(values, type),
): ColumnSample {
  if (kind.kind === "text") return toText(values);
  if (kind.kind === "categorical") return toCategorical(values);
  return kind.time === true
    ? { ...toNumeric(toMoments(values), true), time: true }
    : toNumeric(values, type === "integer");
}

/** How a column is compared. Source: Evidently 0.7, column types; moments in time are ours. */
export function kindOf(reference: ArrayLike<unknown>, type: WatchedType): ColumnKind {
  if (type === "float") return { kind: "numeric" };
  if (type === "integer") return { kind: hasFewIntegers(reference) ? "categorical" : "numeric" };
  if (type === "boolean") return { kind: "categorical" };
  return kindOfTexts(reference);
}

function hasFewIntegers(reference: ArrayLike<unknown>): boolean {
  const distinct = new Set<number>();
  for (let row = 0; row < reference.length && distinct.size <= FEW_INTEGERS; row++) {
    const value = reference[row];
    if (!isMissing(value)) distinct.add(Number(value));
  }
  return distinct.size <= FEW_INTEGERS;
}

function kindOfTexts(reference: ArrayLike<unknown>): ColumnKind {
  const distinct = new Set<string>();
  let [size, moments] = [0, 0];
  for (let row = 0; row < reference.length; row++) {
    const value = reference[row];
    if (isMissing(value)) continue;
    const name = categoryName(value);
    size++;
    distinct.add(name);
    if (moments === size - 1 && isMoment(name)) moments++;
  }
  if (size > 0 && moments === size && distinct.size > FEW_INTEGERS) return { kind: "numeric", time: true };
  return { kind: size >= LEAST_TEXTS && distinct.size > DISTINCT_SHARE * size ? "text" : "categorical" };
}

function isMoment(text: string): boolean {
  return MOMENT.test(text) && !Number.isNaN(Date.parse(text));
}

/** Without a zone they are UTC. */
function toMoments(values: ArrayLike<unknown>): Float64Array {
  return Float64Array.from({ length: values.length }, (_, row) => {
    const value = values[row];
    if (isMissing(value)) return NaN;
    const text = categoryName(value);
    if (!isMoment(text)) return NaN;
    return Date.parse(/\d{2}:\d{2}/.test(text) && !/(Z|[+-]\d{2}:?\d{2})$/.test(text) ? `${text}Z` : text);
  });
}

function toNumeric(values: ArrayLike<unknown>, integer: boolean): Extract<ColumnSample, { kind: "numeric" }> {
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

function toText(values: ArrayLike<unknown>): ColumnSample {
  const known: string[] = [];
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (!isMissing(value)) known.push(categoryName(value));
  }
  const texts =
    known.length <= MOST_TEXTS
      ? known
      : Array.from({ length: MOST_TEXTS }, (_, index) => known[Math.floor((index * known.length) / MOST_TEXTS)] ?? "");
  return {
    kind: "text",
    texts,
    size: known.length,
    nullShare: values.length === 0 ? 0 : 1 - known.length / values.length,
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
