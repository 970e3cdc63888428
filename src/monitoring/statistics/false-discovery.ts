/**
 * Benjamini–Hochberg adjusted p-values: the smallest false discovery rate at which each test would be called a
 * discovery.
 *
 * @param pValues in any order
 * @returns in the same order, [0, 1] Pure. Source: Benjamini & Hochberg (1995).
 */
export function adjustPValues(pValues: readonly number[]): number[] {
  const order = pValues.map((_, index) => index).sort((left, right) => (pValues[right] ?? 0) - (pValues[left] ?? 0));
  const adjusted = pValues.map(() => 1);
  let smallest = 1;
  for (const [position, index] of order.entries()) {
    smallest = Math.min(smallest, ((pValues[index] ?? 1) * pValues.length) / (pValues.length - position));
    adjusted[index] = smallest;
  }
  return adjusted;
}
