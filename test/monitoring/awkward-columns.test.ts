import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { type DriftMethod, scoreDrift, toColumnSample } from "#monitoring";

/**
 * Values of Evidently 0.7.23 on scipy 1.17.1, and of scipy alone where Evidently's own differ by choice: `mannw`
 * two-sided, `g_test` on shares. Null: the peer gives no number.
 */
interface Golden<Values> {
  readonly reference: Values;
  readonly current: Values;
  readonly scores: Readonly<Partial<Record<DriftMethod, number | null>>>;
}

interface Columns {
  readonly numeric: Readonly<Record<string, Golden<readonly (number | string)[]>>>;
  readonly categorical: Readonly<Record<string, Golden<Readonly<Record<string, number>>>>>;
}

const columns: Columns = JSON.parse(await readFile(new URL("awkward-columns.json", import.meta.url), "utf8"));
const SPECIAL: Readonly<Record<string, number>> = { nan: NaN, inf: Infinity, "-inf": -Infinity };

const numbers = (values: readonly (number | string)[]): Float64Array =>
  Float64Array.from(values, (value) => (typeof value === "string" ? (SPECIAL[value] ?? NaN) : value));
const names = (counts: Readonly<Record<string, number>>): string[] =>
  Object.entries(counts).flatMap(([name, count]) => Array.from({ length: count }, () => name));

/** Where a peer's own rounding shows: sums of numbers near 1e15, squares of numbers near 1e300, 1 − 1. */
const OTHERWISE: Readonly<Record<string, readonly string[]>> = {
  "near 1e15": ["hellinger", "wasserstein", "t_test"],
  "near 1e300": ["hellinger"],
  "the same values": ["hellinger"],
};

it("a t-test of numbers near 1e15 is as exact as that of their differences", () => {
  const golden = columns.numeric["near 1e15"];
  assert.ok(golden !== undefined);
  const far = [golden.reference, golden.current].map((values) => toColumnSample(numbers(values), "float"));
  const [left, right] = far;
  assert.ok(left !== undefined && right !== undefined);
  // scipy.stats.ttest_ind of the values less 1e15.
  assert.ok(Math.abs(scoreDrift(left, right, { method: "t_test" }).score / 0.0001450317816705763 - 1) < 1e-9);
});

describe("drift scores of awkward columns equal those of Evidently and scipy", () => {
  const test = (
    title: string,
    golden: Golden<unknown>,
    sides: readonly [ReturnType<typeof toColumnSample>, ReturnType<typeof toColumnSample>],
  ): void => {
    it(title, () => {
      const wrong = Object.entries(golden.scores).flatMap(([name, expected]) => {
        const method = name as DriftMethod;
        if (expected === null || OTHERWISE[title]?.includes(method) === true) return [];
        let found: number;
        try {
          found = scoreDrift(...sides, { method }).score;
        } catch (error) {
          return [`${method}: ${String(error)} against ${expected}`];
        }
        const isNear = Math.abs(found - expected) <= 1e-9 * Math.max(1e-3, Math.abs(expected));
        return isNear ? [] : [`${method}: ${found} against ${expected}`];
      });
      assert.deepEqual(wrong, []);
    });
  };
  for (const [title, golden] of Object.entries(columns.numeric))
    test(title, golden, [
      toColumnSample(numbers(golden.reference), "float"),
      toColumnSample(numbers(golden.current), "float"),
    ]);
  for (const [title, golden] of Object.entries(columns.categorical))
    test(title, golden, [
      toColumnSample(names(golden.reference), "string", { kind: "categorical" }),
      toColumnSample(names(golden.current), "string", { kind: "categorical" }),
    ]);
});
