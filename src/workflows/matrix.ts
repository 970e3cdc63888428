import type { Json } from "#base";
import { matrixWrong } from "./errors.ts";
import { asText, isList, isMap } from "./json.ts";

export type Combination = Readonly<Record<string, Json>>;

const MOST_COMBINATIONS = 256;

/**
 * The combinations of a matrix as GitHub makes them: the product of the lists, less what `exclude` matches, plus what
 * `include` adds to combinations that it does not contradict, or else adds as new ones.
 *
 * @param matrix without expressions
 * @throws WORKFLOWS_MATRIX_WRONG
 */
export function expandMatrix(matrix: Json, job: string): readonly Combination[] {
  const map = asMap(matrix, job, "it");
  const { include, exclude, ...axes } = map;
  let combinations: Combination[] = Object.keys(axes).length === 0 ? [] : [{}];
  for (const [name, values] of Object.entries(axes)) {
    if (!isList(values)) throw matrixWrong({ job, reason: `"${name}" is ${nameOf(values)}, expected a list` });
    combinations = combinations.flatMap((one) => values.map((value) => ({ ...one, [name]: value })));
    if (combinations.length > MOST_COMBINATIONS)
      throw matrixWrong({ job, reason: `it has more than ${MOST_COMBINATIONS} combinations` });
  }
  const excluded = asMaps(exclude, job, "exclude");
  const kept = combinations.filter((one) => !excluded.some((pattern) => matches(one, pattern)));
  const expanded = include === undefined ? kept : addIncluded(kept, asMaps(include, job, "include"), Object.keys(axes));
  if (expanded.length > MOST_COMBINATIONS)
    throw matrixWrong({ job, reason: `it has more than ${MOST_COMBINATIONS} combinations` });
  return expanded;
}

function addIncluded(
  combinations: readonly Combination[],
  included: readonly Combination[],
  axes: readonly string[],
): readonly Combination[] {
  const original = combinations.map((one) => ({ one, all: copyOf(one) }));
  const added: Combination[] = [];
  for (const entry of included) {
    // Values of the matrix itself are never overwritten; values that an include added are.
    const fitting = original.filter(({ one }) =>
      Object.entries(entry).every(([name, value]) => !axes.includes(name) || equals(one[name] ?? null, value)),
    );
    if (fitting.length === 0) added.push(entry);
    for (const { all } of fitting) Object.assign(all, entry);
  }
  return [...original.map(({ all }) => all), ...added];
}

function copyOf(combination: Combination): Record<string, Json> {
  return { ...combination };
}

/** A pattern names some of the keys; a map among its values names some of the keys of that. */
function matches(value: Json, pattern: Json): boolean {
  if (!isMap(pattern) || !isMap(value)) return equals(value, pattern);
  return Object.entries(pattern).every(
    ([name, member]) => Object.hasOwn(value, name) && matches(value[name] ?? null, member),
  );
}

/** GitHub compares texts without their case, here as in its expressions. */
function equals(left: Json, right: Json): boolean {
  if (typeof left === "string" && typeof right === "string") return left.toUpperCase() === right.toUpperCase();
  if (isList(left) && isList(right))
    return left.length === right.length && left.every((one, index) => equals(one, right[index] ?? null));
  if (!isMap(left) || !isMap(right)) return left === right;
  const names = Object.keys(left);
  return (
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && equals(left[name] ?? null, right[name] ?? null))
  );
}

function asMap(value: Json | undefined, job: string, name: string): Readonly<Record<string, Json>> {
  if (!isMap(value)) throw matrixWrong({ job, reason: `${name} is ${nameOf(value)}, expected a map` });
  return value;
}

function asMaps(value: Json | undefined, job: string, name: string): readonly Combination[] {
  if (value === undefined || value === null || value === "") return [];
  if (!isList(value)) throw matrixWrong({ job, reason: `"${name}" is ${nameOf(value)}, expected a list` });
  return value.map((item) => asMap(item, job, `an entry of "${name}"`));
}

function nameOf(value: Json | undefined): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : JSON.stringify(value);
}

/** How people tell one combination from another: `22, ubuntu-latest`. */
export function describeCombination(combination: Combination): string {
  return Object.values(combination).map(asText).join(", ");
}
