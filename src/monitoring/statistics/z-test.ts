import type { BinnedPair } from "./bins.ts";
import { upperGamma } from "./gamma.ts";

/**
 * z-test of two proportions, for columns with at most two values: the share of all but the first category.
 *
 * @returns two-sided p-value, [0, 1]: small is drift. 1 when both samples hold the same single value.
 * Pure. Source: Evidently 0.7 `z`.
 */
export function zTest(pair: BinnedPair): number {
  const [n, p] = shareOfOthers(pair.reference);
  const [m, q] = shareOfOthers(pair.current);
  const pooled = (p * n + q * m) / (n + m);
  const variance = pooled * (1 - pooled) * (1 / n + 1 / m);
  if (variance === 0) return 1;
  const z = (p - q) / Math.sqrt(variance);
  // 2(1 − Φ(|z|)) = erfc(|z|/√2) = Q(½, z²/2)
  return upperGamma(0.5, z ** 2 / 2);
}

function shareOfOthers(counts: Float64Array): [number, number] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return [total, (total - (counts[0] ?? 0)) / total];
}
