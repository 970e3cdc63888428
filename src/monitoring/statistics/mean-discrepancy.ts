import type { SortedSample } from "./bins.ts";
import { seededRandom } from "./seeded-random.ts";

/** Values of each side that are compared: the work grows with their square. */
const MOST_VALUES = 500;
const PERMUTATIONS = 100;
const SEED = 3;

/**
 * Empirical maximum mean discrepancy with a Gaussian kernel of the reference's median distance.
 *
 * @returns `statistic`: of all values, or of 500 taken evenly from each side; `pValue`: share of 100 permutations that
 *   reach it
 * Pure: the permutations are drawn with a fixed seed. Source: Evidently 0.7 `empirical_mmd`, whose own are not seeded.
 */
export function meanDiscrepancy(
  reference: SortedSample,
  current: SortedSample,
): { readonly statistic: number; readonly pValue: number } {
  const [left, right] = [takeEvenly(reference.values), takeEvenly(current.values)];
  const kernel = kernelOf(left, right);
  const size = left.length + right.length;
  const places = Array.from({ length: size }, (_, index) => index);
  const statistic = discrepancy(kernel, places, left.length);
  const random = seededRandom(SEED);
  let reached = 0;
  for (let round = 0; round < PERMUTATIONS; round++) {
    for (let index = size - 1; index > 0; index--) {
      const other = Math.floor(random() * (index + 1));
      [places[index], places[other]] = [places[other] ?? 0, places[index] ?? 0];
    }
    if (statistic <= discrepancy(kernel, places, left.length)) reached++;
  }
  return { statistic, pValue: reached / PERMUTATIONS };
}

function takeEvenly(values: Float64Array): Float64Array {
  if (values.length <= MOST_VALUES) return values;
  return Float64Array.from(
    { length: MOST_VALUES },
    (_, index) => values[Math.floor((index * values.length) / MOST_VALUES)] ?? 0,
  );
}

interface Kernel {
  readonly values: Float64Array;
  readonly size: number;
}

/** The diagonal is zero: no value is compared with itself. */
function kernelOf(left: Float64Array, right: Float64Array): Kernel {
  const all = Float64Array.from([...left, ...right]);
  const size = all.length;
  const distances = new Float64Array(left.length ** 2);
  for (let i = 0; i < left.length; i++)
    for (let j = 0; j < left.length; j++) distances[i * left.length + j] = ((left[i] ?? 0) - (left[j] ?? 0)) ** 2;
  distances.sort();
  const middle = distances[Math.round((distances.length - 1) / 2 - 1e-9)] ?? 0;
  const variance = middle === 0 ? 0.5 : middle / 2;
  const values = new Float64Array(size ** 2);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++)
      if (i !== j) values[i * size + j] = Math.exp(-(((all[i] ?? 0) - (all[j] ?? 0)) ** 2) / (2 * variance));
  return { values, size };
}

function discrepancy({ values, size }: Kernel, places: readonly number[], first: number): number {
  let [own, other, between] = [0, 0, 0];
  for (let i = 0; i < size; i++) {
    const row = (places[i] ?? 0) * size;
    for (let j = 0; j < i; j++) {
      const value = values[row + (places[j] ?? 0)] ?? 0;
      if (i < first) own += value;
      else if (j >= first) other += value;
      else between += value;
    }
  }
  const second = size - first;
  return (2 * own) / (first * (first - 1)) + (2 * other) / (second * (second - 1)) - (2 * between) / (first * second);
}
