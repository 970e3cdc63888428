import type { BinnedPair } from "./bins.ts";
import { upperGamma } from "./gamma.ts";

/**
 * χ² test of the current counts against the reference's shares; the reference is taken as exact.
 *
 * @returns p-value, [0, 1]: small is drift. 0 when a category is new.
 * Pure. Source: Evidently 0.7 `chisquare` (scipy.stats.chisquare), df = categories − 1.
 */
export function chiSquare(pair: BinnedPair): number {
  const total = (counts: Float64Array): number => counts.reduce((sum, count) => sum + count, 0);
  const ratio = total(pair.current) / total(pair.reference);
  let statistic = 0;
  for (const [bin, reference] of pair.reference.entries()) {
    const expected = reference * ratio;
    const observed = pair.current[bin] ?? 0;
    if (expected === 0 && observed > 0) return 0;
    if (expected > 0) statistic += (observed - expected) ** 2 / expected;
  }
  return pair.reference.length < 2 ? 1 : upperGamma((pair.reference.length - 1) / 2, statistic / 2);
}
