import { fitTrees } from "./gradient-boosting.ts";
import { seededRandom } from "./seeded-random.ts";
import { areaOf } from "./text-classifier.ts";

const FOLDS = 5;
const MOST_ROWS = 4000;
const SEED = 13;
const TREES = 40;

/**
 * How well boosted trees tell rows of the reference from current ones: the area under the ROC curve over five folds.
 *
 * @param reference columns in the same order as `current`; of more than 4,000 rows as many, taken evenly
 * @returns 0.5 for rows that lie alike, 1 for ones that can be told apart
 * The folds are drawn with a fixed seed. Source: NannyML 0.13 `DomainClassifierCalculator`, with trees of our own.
 */
export async function classifyDomain(
  reference: readonly ArrayLike<unknown>[],
  current: readonly ArrayLike<unknown>[],
): Promise<{ readonly area: number; readonly rows: number }> {
  const [before, now] = [takeEvenly(reference), takeEvenly(current)];
  const size = before.length + now.length;
  const columns = reference.map((column, index) => encode(column, before, current[index] ?? [], now));
  const labels = Float64Array.from({ length: size }, (_, row) => Number(row >= before.length));
  const random = seededRandom(SEED);
  const folds = Uint8Array.from({ length: size }, () => Math.floor(random() * FOLDS));
  const scored: { readonly score: number; readonly label: number }[] = [];
  for (let fold = 0; fold < FOLDS; fold++) {
    const [train, test] = [pickFold(folds, (one) => one !== fold), pickFold(folds, (one) => one === fold)];
    const pick = (rows: Uint32Array): Float64Array[] =>
      columns.map((column) => Float64Array.from(rows, (row) => column[row] ?? NaN));
    const trees = await fitTrees(
      pick(train),
      Float64Array.from(train, (row) => labels[row] ?? 0),
      { trees: TREES, leaves: 15 },
    );
    const found = trees.predict(pick(test));
    for (const [index, row] of test.entries()) scored.push({ score: found[index] ?? 0, label: labels[row] ?? 0 });
  }
  return { area: areaOf(scored).area, rows: size };
}

function takeEvenly(columns: readonly ArrayLike<unknown>[]): Uint32Array {
  const size = columns[0]?.length ?? 0;
  const taken = Math.min(size, MOST_ROWS);
  return Uint32Array.from({ length: taken }, (_, index) => Math.floor((index * size) / taken));
}

function pickFold(folds: Uint8Array, keep: (fold: number) => boolean): Uint32Array {
  return Uint32Array.from(folds.keys()).filter((row) => keep(folds[row] ?? 0));
}

/** Numbers stay, categories become their frequency rank in the reference; both sides one after the other. */
function encode(
  reference: ArrayLike<unknown>,
  before: Uint32Array,
  current: ArrayLike<unknown>,
  now: Uint32Array,
): Float64Array {
  const values = [...Array.from(before, (row) => reference[row]), ...Array.from(now, (row) => current[row])];
  const isMissing = (value: unknown): boolean => value === null || value === undefined;
  if (values.every((value) => isMissing(value) || typeof value === "number" || typeof value === "bigint"))
    return Float64Array.from(values, (value) => (isMissing(value) ? NaN : Number(value)));
  const nameOf = (value: unknown): string => (typeof value === "string" ? value : String(value));
  const counts = new Map<string, number>();
  for (const value of values) if (!isMissing(value)) counts.set(nameOf(value), (counts.get(nameOf(value)) ?? 0) + 1);
  const ranks = new Map(
    [...counts].sort(([left, n], [right, m]) => m - n || (left < right ? -1 : 1)).map(([name], rank) => [name, rank]),
  );
  return Float64Array.from(values, (value) => (isMissing(value) ? NaN : (ranks.get(nameOf(value)) ?? NaN)));
}
