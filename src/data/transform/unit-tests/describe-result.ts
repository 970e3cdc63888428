import type { UnitTestResult } from "./run-unit-tests.ts";
import type { TextCell } from "./test-rows.ts";

const MOST_SHOWN = 20;

/** Lines that say why a test failed: `-` stands before what was expected, `+` before what is there. */
export function describeResult({ name, problem, difference }: UnitTestResult): readonly string[] {
  if (problem !== undefined) return [`${name}: ${problem}`];
  if (difference === undefined) return [name];
  const { columns, missing, unexpected, isOrder } = difference;
  const heading = isOrder
    ? `${name}: the rows are the expected ones, in another order`
    : `${name}: ${missing.length} expected and not there (-), ${unexpected.length} there and not expected (+)`;
  const pairs = Array.from({ length: Math.max(missing.length, unexpected.length) }, (_, index) => [
    ...missing.slice(index, index + 1).map((row) => ["-", ...row.map(shown)]),
    ...unexpected.slice(index, index + 1).map((row) => ["+", ...row.map(shown)]),
  ]).flat();
  const table = [["", ...columns], ...pairs.slice(0, MOST_SHOWN)];
  const widths = columns.map((_, index) => Math.max(...table.map((row) => row[index + 1]?.length ?? 0)));
  const lines = table.map((row) =>
    `  ${(row[0] ?? "").padEnd(1)} ${widths.map((width, index) => (row[index + 1] ?? "").padEnd(width)).join("  ")}`.trimEnd(),
  );
  const more = pairs.length - MOST_SHOWN;
  return [heading, ...lines, ...(more > 0 ? [`  … ${more} more`] : [])];
}

function shown(cell: TextCell): string {
  if (cell === null) return "null";
  // What looks like no value, or would break the table, is quoted.
  return cell === "null" || cell.trim() !== cell || cell === "" || /[\n\r\t]/.test(cell) ? JSON.stringify(cell) : cell;
}
