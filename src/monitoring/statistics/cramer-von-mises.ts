import type { SortedSample } from "./bins.ts";
import { logGamma } from "./gamma.ts";

const LARGEST_EXACT = 20;

/**
 * Cramér–von Mises test of two samples.
 *
 * @param reference at least two values, as `current`
 * @returns `pValue`, exact when both have at most 20 values, else of the limit law
 * Pure. Source: scipy.stats.cramervonmises_2samp, method auto (Anderson 1962; Xiao, Gordon & Yakovlev 2007).
 */
export function cramerVonMises(
  reference: SortedSample,
  current: SortedSample,
): { readonly statistic: number; readonly pValue: number; readonly exact: boolean } {
  const [n, m] = [reference.values.length, current.values.length];
  const total = n + m;
  const u = rankDifferences(reference.values, current.values);
  const statistic = u / (n * m * total) - (4 * m * n - 1) / (6 * total);
  if (Math.max(n, m) <= LARGEST_EXACT) return { statistic, pValue: exactPValue(u, n, m), exact: true };
  const expected = (1 + 1 / total) / 6;
  const variance =
    ((total + 1) * (4 * m * n * total - 3 * (m ** 2 + n ** 2) - 2 * m * n)) / (45 * total ** 2 * 4 * m * n);
  const limit = 1 / 6 + (statistic - expected) / Math.sqrt(45 * variance);
  return { statistic, pValue: limit < 0.003 ? 1 : Math.max(0, 1 - limitDistribution(limit)), exact: false };
}

/** n Σ (rank − i)² of one sample and m Σ (rank − j)² of the other, mean ranks of the pooled values. */
function rankDifferences(left: Float64Array, right: Float64Array): number {
  let [i, j, sumLeft, sumRight] = [0, 0, 0, 0];
  while (i < left.length || j < right.length) {
    const value = Math.min(left[i] ?? Infinity, right[j] ?? Infinity);
    const [startLeft, startRight] = [i, j];
    while (left[i] === value) i++;
    while (right[j] === value) j++;
    const rank = (startLeft + startRight + 1 + i + j) / 2;
    for (let place = startLeft; place < i; place++) sumLeft += (rank - place - 1) ** 2;
    for (let place = startRight; place < j; place++) sumRight += (rank - place - 1) ** 2;
  }
  return left.length * sumLeft + right.length * sumRight;
}

/** Frequencies of the statistic over all orders, by a recursion over the numbers of values taken of each sample. */
function exactPValue(u: number, n: number, m: number): number {
  const common = (n * m) / greatestCommonDivisor(n, m);
  const [a, b] = [common / n, common / m];
  const zeta = Math.floor((common ** 2 * (n + m) * (6 * u - n * m * (4 * n * m - 1))) / (6 * (n * m) ** 2));
  let rows: Map<number, number>[] = Array.from({ length: n + 1 }, (_, index) => new Map(index === 0 ? [[0, 1]] : []));
  for (let taken = 0; taken <= m; taken++) {
    const next: Map<number, number>[] = [];
    let before = new Map<number, number>();
    for (const [own, row] of rows.entries()) {
      const moved = (a * own - b * taken) ** 2;
      const sums = new Map<number, number>();
      for (const part of [before, row])
        for (const [value, count] of part) sums.set(value + moved, (sums.get(value + moved) ?? 0) + count);
      next.push(sums);
      before = sums;
    }
    rows = next;
  }
  let [reached, all] = [0, 0];
  for (const [value, count] of rows[n] ?? []) {
    all += count;
    if (value >= zeta) reached += count;
  }
  return reached / all;
}

function greatestCommonDivisor(left: number, right: number): number {
  return right === 0 ? left : greatestCommonDivisor(right, left % right);
}

/** Distribution function of the limit law at x > 0. Source: Csörgő & Faraway (1996), equation 1.2. */
function limitDistribution(x: number): number {
  let sum = 0;
  for (let k = 0; k < 1000; k++) {
    const scale = Math.exp(logGamma(k + 0.5) - logGamma(k + 1)) / (Math.PI ** 1.5 * Math.sqrt(x));
    const y = 4 * k + 1;
    const q = y ** 2 / (16 * x);
    const term = scale * Math.sqrt(y) * scaledBessel(q) * Math.exp(-2 * q);
    sum += term;
    // scipy stops here; further terms change the ninth digit.
    if (Math.abs(term) < 1e-7) break;
  }
  return sum;
}

/** e^q · K_¼(q): the integral of e^(−q(cosh t − 1)) cosh(t/4), whose trapezoid sum converges faster than any power. */
function scaledBessel(q: number): number {
  const step = 0.02;
  let sum = 0.5;
  for (let index = 1; index < 2000; index++) {
    const t = index * step;
    const term = Math.exp(-q * (Math.cosh(t) - 1)) * Math.cosh(t / 4);
    sum += term;
    if (term < 1e-18 * sum) break;
  }
  return sum * step;
}
