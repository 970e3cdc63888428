import type { TextCell } from "./test-rows.ts";

type TextRow = readonly TextCell[];

/** What the rows of a result differ in from those that were expected. */
export interface RowDifference {
  readonly columns: readonly string[];
  /** Expected and not there. */
  readonly missing: readonly TextRow[];
  /** There and not expected; the row at each place is the likest to the missing one there. */
  readonly unexpected: readonly TextRow[];
  /** The rows are the expected ones, in another order. */
  readonly isOrder: boolean;
}

export interface Comparison {
  readonly columns: readonly string[];
  /** Places of the columns that hold floating point numbers. */
  readonly floats: ReadonlySet<number>;
  readonly tolerance: number;
  readonly ordered: boolean;
}

/** Undefined where they are the same. */
export function compareRows(
  expected: readonly TextRow[],
  actual: readonly TextRow[],
  how: Comparison,
): RowDifference | undefined {
  const isSame = (left: TextRow, right: TextRow): boolean =>
    left.every((cell, index) => sameCell(cell, right[index] ?? null, how.floats.has(index), how.tolerance));
  if (
    how.ordered &&
    expected.length === actual.length &&
    expected.every((row, index) => isSame(row, actual[index] ?? []))
  )
    return undefined;
  const open = new Set(actual.keys());
  // Equal texts first, found by a key: of many rows few are left to be compared one by one.
  const byText = Map.groupBy(actual.keys(), (index) => JSON.stringify(actual[index]));
  const left = expected.filter((row) => {
    const index = byText.get(JSON.stringify(row))?.pop();
    return index === undefined || !open.delete(index);
  });
  const missing = left.filter((row) => {
    const index = [...open].find((place) => isSame(row, actual[place] ?? []));
    return index === undefined || !open.delete(index);
  });
  const unexpected = [...open].flatMap((index) => actual.slice(index, index + 1));
  if (missing.length + unexpected.length > 0)
    return { columns: how.columns, missing, unexpected: likest(missing, unexpected), isOrder: false };
  return how.ordered ? { columns: how.columns, missing: expected, unexpected: actual, isOrder: true } : undefined;
}

function sameCell(left: TextCell, right: TextCell, isFloat: boolean, tolerance: number): boolean {
  if (left === right) return true;
  if (left === null || right === null || !isFloat) return false;
  const [one, other] = [Number(left), Number(right)];
  return Math.abs(one - other) <= tolerance * Math.max(1, Math.abs(one), Math.abs(other));
}

const MOST_PAIRED = 100;

/** The rows in the order in which each is the likest to the missing row at its place. */
function likest(missing: readonly TextRow[], unexpected: readonly TextRow[]): readonly TextRow[] {
  if (missing.length > MOST_PAIRED || unexpected.length > MOST_PAIRED) return unexpected;
  const rest = [...unexpected];
  const ordered: TextRow[] = [];
  for (const row of missing) {
    const likeness = (other: TextRow): number => other.filter((cell, index) => cell === row[index]).length;
    const best = rest.reduce(
      (found, other, index) => (likeness(other) > likeness(rest[found] ?? []) ? index : found),
      0,
    );
    ordered.push(...rest.splice(best, 1));
  }
  return [...ordered, ...rest];
}
