import type { BinnedPair } from "./bins.ts";
import { chiSquareSurvival } from "./distributions.ts";
import { logGamma } from "./gamma.ts";

const total = (counts: Float64Array): number => counts.reduce((sum, count) => sum + count, 0);

/**
 * G-test of the current counts against the reference's shares; the reference is taken as exact.
 *
 * @returns p-value, [0, 1]: small is drift. 0 when a category is new.
 * Pure. Source: scipy.stats.power_divergence, log-likelihood, df = categories − 1. (Evidently 0.7 takes the reference's
 * counts as they are, and fails where the sides differ in size; with equal sizes both are the same.)
 */
export function gTest({ reference, current }: BinnedPair): number {
  const ratio = total(current) / total(reference);
  let statistic = 0;
  for (const [bin, observed] of current.entries()) {
    const expected = (reference[bin] ?? 0) * ratio;
    if (observed > 0 && expected === 0) return 0;
    if (observed > 0) statistic += 2 * observed * Math.log(observed / expected);
  }
  return reference.length < 2 ? 1 : chiSquareSurvival(Math.max(0, statistic), reference.length - 1);
}

/**
 * Total variation distance: half the sum of the differences of the shares.
 *
 * @returns [0, 1]; larger is more drift. (Evidently's `TVD` is the p-value of 1,000 random permutations.)
 * Pure.
 */
export function totalVariation({ reference, current }: BinnedPair): number {
  const [n, m] = [total(reference), total(current)];
  return reference.reduce((sum, count, bin) => sum + Math.abs(count / n - (current[bin] ?? 0) / m), 0) / 2;
}

/**
 * Largest difference of the shares.
 *
 * @returns [0, 1]; larger is more drift.
 * Pure. Source: NannyML 0.13 `l_infinity`.
 */
export function largestShareDifference({ reference, current }: BinnedPair): number {
  const [n, m] = [total(reference), total(current)];
  return reference.reduce((most, count, bin) => Math.max(most, Math.abs(count / n - (current[bin] ?? 0) / m)), 0);
}

/** Tables as likely as the one found, up to rounding. */
const SLACK = 1 + 1e-14;

/**
 * Fisher's exact test of two categories, two-sided.
 *
 * @returns p-value, [0, 1]; undefined for more than two categories
 * Pure. Source: scipy.stats.fisher_exact.
 */
export function fisherExact({ reference, current }: BinnedPair): number | undefined {
  if (reference.length > 2) return undefined;
  const [a = 0, b = 0] = reference;
  const [c = 0, d = 0] = current;
  if (a + b === 0 || c + d === 0 || a + c === 0 || b + d === 0) return 1;
  const [row, column, all] = [a + b, a + c, a + b + c + d];
  const logChoose = (n: number, k: number): number => logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
  const logProbability = (count: number): number =>
    logChoose(row, count) + logChoose(all - row, column - count) - logChoose(all, column);
  const [least, most] = [Math.max(0, column - (all - row)), Math.min(row, column)];
  const mode = Math.min(most, Math.max(least, Math.floor(((row + 1) * (column + 1)) / (all + 2))));
  // From the most likely table to both sides by ratios of neighbours: logarithms alone lose digits.
  const probabilities = new Float64Array(most - least + 1);
  probabilities[mode - least] = Math.exp(logProbability(mode));
  for (let count = mode; count < most; count++)
    probabilities[count + 1 - least] =
      ((probabilities[count - least] ?? 0) * (row - count) * (column - count)) /
      ((count + 1) * (all - row - column + count + 1));
  for (let count = mode; count > least; count--)
    probabilities[count - 1 - least] =
      ((probabilities[count - least] ?? 0) * count * (all - row - column + count)) /
      ((row - count + 1) * (column - count + 1));
  const whole = probabilities.reduce((sum, probability) => sum + probability, 0);
  const found = (probabilities[a - least] ?? 0) * SLACK;
  return Math.min(
    1,
    probabilities.reduce((sum, probability) => (probability <= found ? sum + probability : sum), 0) / whole,
  );
}
