import type { SortedSample } from "./bins.ts";
import { kolmogorovSurvival } from "./kolmogorov-distribution.ts";

const LARGEST_EXACT = 10_000;

/**
 * Two-sided two-sample Kolmogorov–Smirnov test.
 *
 * @returns `statistic`: largest difference of the distribution functions, [0, 1]; `pValue`: [0, 1], exact when both
 *   samples have at most 10,000 values
 * Pure. Source: scipy.stats.ks_2samp, method auto (Hodges 1957; Simard & L'Ecuyer 2011).
 */
export function kolmogorovSmirnov(
  reference: SortedSample,
  current: SortedSample,
): { readonly statistic: number; readonly pValue: number; readonly exact: boolean } {
  const statistic = largestDifference(reference.values, current.values);
  const [n, m] = [reference.values.length, current.values.length];
  if (Math.max(n, m) <= LARGEST_EXACT) return { statistic, pValue: clip(exactPValue(n, m, statistic)), exact: true };
  return { statistic, pValue: clip(kolmogorovSurvival(statistic, roundHalfEven((n * m) / (n + m)))), exact: false };
}

function largestDifference(left: Float64Array, right: Float64Array): number {
  let [i, j, largest] = [0, 0, 0];
  while (i < left.length && j < right.length) {
    const value = Math.min(left[i] ?? 0, right[j] ?? 0);
    while (left[i] === value) i++;
    while (right[j] === value) j++;
    largest = Math.max(largest, Math.abs(i / left.length - j / right.length));
  }
  return largest;
}

function exactPValue(n: number, m: number, statistic: number): number {
  const divisor = greatestCommonDivisor(n, m);
  const height = Math.round(statistic * (n / divisor) * m);
  if (height === 0) return 1;
  return n === m ? equalSizes(n, height) : latticePaths(n, m, divisor, height);
}

/** 2 Σ (−1)^(k−1) C(2n, n−kh) / C(2n, n), as nested products so that no digits cancel. */
function equalSizes(n: number, height: number): number {
  let probability = 0;
  for (let k = Math.floor(n / height); k >= 0; k--) {
    let term = 1;
    for (let j = 0; j < height; j++) term = ((n - k * height - j) * term) / (n + k * height + j + 1);
    probability = term * (1 - probability);
  }
  return 2 * probability;
}

/**
 * Share of the lattice paths from (0, 0) to (m, n) that leave the band |nx − my|/g < h, by dynamic programming over
 * columns.
 */
function latticePaths(first: number, second: number, divisor: number, height: number): number {
  const [m, n] = [Math.max(first, second), Math.min(first, second)];
  const [mg, ng] = [m / divisor, n / divisor];
  let low = 0;
  let high = Math.min(Math.ceil(height / mg), n + 1);
  let length = high - low;
  const column = new Float64Array(Math.min(2 * high + 2, n + 1)).fill(1);
  column.fill(0, low, high);
  for (let i = 1; i <= m; i++) {
    const [lastLow, lastLength] = [low, length];
    low = Math.min(Math.max(Math.floor((ng * i - height) / mg) + 1, 0), n);
    high = Math.min(Math.ceil((ng * i + height) / mg), n + 1);
    if (high <= low) return 1;
    let value = low === 0 ? 0 : 1;
    for (let j = low; j < high; j++) {
      value = ((column[j - lastLow] ?? 1) * i + value * j) / (i + j);
      column[j - low] = value;
    }
    length = high - low;
    if (lastLength > length) column.fill(1, length, lastLength);
  }
  return column[length - 1] ?? 1;
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

function clip(probability: number): number {
  return Math.min(1, Math.max(0, probability));
}
