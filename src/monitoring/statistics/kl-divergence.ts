import { type BinnedPair, fillZeros, toShares } from "./bins.ts";

/**
 * Kullback–Leibler divergence of the reference from the current sample: Σ r·ln(r / c), zeros filled, then normalised to
 * 1.
 *
 * @returns nats, [0, ∞). A distance: larger is more drift.
 * Pure. Source: Evidently 0.7 `kl_div` (scipy.stats.entropy).
 */
export function klDivergence(pair: BinnedPair): number {
  const reference = toShares(fillZeros(toShares(pair.reference)));
  const current = toShares(fillZeros(toShares(pair.current)));
  return reference.reduce((sum, share, bin) => sum + share * Math.log(share / (current[bin] ?? 1)), 0);
}
