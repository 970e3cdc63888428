import type { SortedSample } from "./bins.ts";
import { chiSquareSurvival } from "./distributions.ts";
import { eigen } from "./symmetric-eigen.ts";

const POINTS = [0.4, 0.8] as const;

/**
 * Epps–Singleton test: compares the characteristic functions of two samples at two points.
 *
 * @param reference at least five values, as `current`
 * @returns undefined when half of the pooled values are the same, so that there is no scale
 * Pure. Source: scipy.stats.epps_singleton_2samp.
 */
export function eppsSingleton(
  reference: SortedSample,
  current: SortedSample,
): { readonly statistic: number; readonly pValue: number } | undefined {
  const [n, m] = [reference.values.length, current.values.length];
  const total = n + m;
  const pooled = Float64Array.from([...reference.values, ...current.values]).sort();
  const scale = (quantile(pooled, 0.75) - quantile(pooled, 0.25)) / 2;
  if (scale === 0) return undefined;
  const points = POINTS.map((point) => point / scale);
  const [left, right] = [transform(reference.values, points), transform(current.values, points)];
  const covariance = left.covariance.map((row, i) =>
    row.map((value, j) => (total / n) * value + (total / m) * (right.covariance[i]?.[j] ?? 0)),
  );
  const { values, vectors } = eigen(covariance);
  const largest = Math.max(...values);
  const smallest = largest * values.length * Number.EPSILON;
  const difference = left.means.map((mean, index) => mean - (right.means[index] ?? 0));
  let [statistic, rank] = [0, 0];
  for (const [index, value] of values.entries()) {
    if (value <= smallest) continue;
    rank++;
    const projected = difference.reduce((sum, part, row) => sum + part * (vectors[row]?.[index] ?? 0), 0);
    statistic += projected ** 2 / value;
  }
  statistic *= total;
  if (Math.max(n, m) < 25) statistic *= 1 / (1 + total ** -0.45 + 10.1 * (n ** -1.7 + m ** -1.7));
  return { statistic, pValue: chiSquareSurvival(statistic, rank) };
}

/** Linear between the sorted values, as numpy. */
function quantile(sorted: Float64Array, share: number): number {
  const place = share * (sorted.length - 1);
  const low = Math.floor(place);
  const [from, to] = [sorted[low] ?? 0, sorted[Math.min(low + 1, sorted.length - 1)] ?? 0];
  const part = place - low;
  return part >= 0.5 ? to - (to - from) * (1 - part) : from + (to - from) * part;
}

interface Transformed {
  readonly means: readonly number[];
  /** Of the population. */
  readonly covariance: readonly (readonly number[])[];
}

function transform(values: Float64Array, points: readonly number[]): Transformed {
  const rows = [
    ...points.map((point) => values.map((value) => Math.cos(point * value))),
    ...points.map((point) => values.map((value) => Math.sin(point * value))),
  ];
  const means = rows.map((row) => row.reduce((sum, value) => sum + value, 0) / row.length);
  const covariance = rows.map((left, i) =>
    rows.map((right, j) => {
      let sum = 0;
      for (let index = 0; index < left.length; index++)
        sum += ((left[index] ?? 0) - (means[i] ?? 0)) * ((right[index] ?? 0) - (means[j] ?? 0));
      return sum / left.length;
    }),
  );
  return { means, covariance };
}
