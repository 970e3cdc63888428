import { type BinnedPair, fillZeros, toShares } from "./bins.ts";

/**
 * Population Stability Index: Σ (r − c)·ln(r / c) over shares with filled zeros, not normalised again.
 *
 * @returns nats, [0, ∞); 0 means equal shares. A distance: larger is more drift. Folklore: 0.1 watch, 0.25 act.
 * Pure. Source: Evidently 0.7 `psi`.
 */
export function psi(pair: BinnedPair): number {
  const current = fillZeros(toShares(pair.current));
  return fillZeros(toShares(pair.reference)).reduce(
    (sum, share, bin) => sum + (share - (current[bin] ?? 0)) * Math.log(share / (current[bin] ?? 1)),
    0,
  );
}
