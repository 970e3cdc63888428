import { type BinnedPair, toShares } from "./bins.ts";

/**
 * Jensen–Shannon distance: the square root of the mean divergence of both shares from their middle, natural logarithm.
 *
 * @returns [0, √ln 2 ≈ 0.8326]; larger is more drift. (NannyML's uses base 2, so its values are larger.)
 * Pure. Source: Evidently 0.7 `jensenshannon` (scipy.spatial.distance.jensenshannon).
 */
export function jensenShannon(pair: BinnedPair): number {
  const current = toShares(pair.current);
  const sum = toShares(pair.reference).reduce((total, share, bin) => {
    const other = current[bin] ?? 0;
    const middle = (share + other) / 2;
    return total + relative(share, middle) + relative(other, middle);
  }, 0);
  return Math.sqrt(Math.max(0, sum / 2));
}

function relative(share: number, middle: number): number {
  return share === 0 ? 0 : share * Math.log(share / middle);
}
