import { lowerBound, type SortedSample, upperBound } from "./bins.ts";

const LEVELS = [0.25, 0.1, 0.05, 0.025, 0.01, 0.005, 0.001] as const;
const B0 = [0.675, 1.281, 1.645, 1.96, 2.326, 2.573, 3.085] as const;
const B1 = [-0.245, 0.25, 0.678, 1.149, 1.822, 2.364, 3.615] as const;
const B2 = [-0.105, -0.305, -0.362, -0.391, -0.396, -0.345, -0.154] as const;

/**
 * Anderson–Darling test of two samples.
 *
 * @returns `pValue`, between 0.001 and 0.25, where the published table ends; 1 when both hold one value, the same
 * Pure. Source: scipy.stats.anderson_ksamp with midranks (Scholz & Stephens 1987).
 */
export function andersonDarling(
  reference: SortedSample,
  current: SortedSample,
): { readonly statistic: number; readonly pValue: number } {
  const samples = [reference.values, current.values];
  const pooled = Float64Array.from([...reference.values, ...current.values]).sort();
  const total = pooled.length;
  const distinct = pooled.filter((value, index) => index === 0 || value !== pooled[index - 1]);
  if (distinct.length < 2) return { statistic: 0, pValue: 1 };
  let sum = 0;
  for (const sample of samples) {
    let own = 0;
    for (const value of distinct) {
      const left = lowerBound(pooled, value);
      const ties = distinct.length === total ? 1 : upperBound(pooled, value, left) - left;
      const middle = left + ties / 2;
      const right = upperBound(sample, value);
      const rank = right - (right - lowerBound(sample, value)) / 2;
      own +=
        ((ties / total) * (total * rank - middle * sample.length) ** 2) /
        (middle * (total - middle) - (total * ties) / 4);
    }
    sum += own / sample.length;
  }
  const statistic = ((sum * (total - 1)) / total - 1) / Math.sqrt(varianceOf(samples, total));
  return { statistic, pValue: interpolate(statistic) };
}

/** Variance of the statistic of k samples under the null hypothesis. */
function varianceOf(samples: readonly Float64Array[], total: number): number {
  const k = samples.length;
  const inverse = samples.reduce((sum, sample) => sum + 1 / sample.length, 0);
  const partial = new Float64Array(total);
  let h = 0;
  for (let index = 1; index < total; index++) {
    h += 1 / index;
    partial[index] = h;
  }
  let g = 0;
  for (let index = 2; index < total; index++) g += (h - (partial[total - index] ?? 0)) / index;
  const a = (4 * g - 6) * (k - 1) + (10 - 6 * g) * inverse;
  const b = (2 * g - 4) * k ** 2 + 8 * h * k + (2 * g - 14 * h - 4) * inverse - 8 * h + 4 * g - 6;
  const c = (6 * h + 2 * g - 2) * k ** 2 + (4 * h - 4 * g + 6) * k + (2 * h - 6) * inverse + 4 * h;
  const d = (2 * h + 6) * k ** 2 - 4 * h * k;
  return (a * total ** 3 + b * total ** 2 + c * total + d) / ((total - 1) * (total - 2) * (total - 3));
}

/** A parabola through the logarithms of the published levels. */
function interpolate(statistic: number): number {
  const critical = LEVELS.map((_, index) => (B0[index] ?? 0) + (B1[index] ?? 0) + (B2[index] ?? 0));
  if (statistic < (critical[0] ?? 0)) return LEVELS[0];
  if (statistic > (critical.at(-1) ?? 0)) return LEVELS[6];
  const [c0, c1, c2] = fitParabola(
    critical,
    LEVELS.map((level) => Math.log(level)),
  );
  return Math.exp(c0 + c1 * statistic + c2 * statistic ** 2);
}

/** Least squares, by the normal equations around the mean of x. */
function fitParabola(x: readonly number[], y: readonly number[]): readonly [number, number, number] {
  const middle = x.reduce((sum, value) => sum + value, 0) / x.length;
  const moved = x.map((value) => value - middle);
  const moment = (power: number): number => moved.reduce((sum, value) => sum + value ** power, 0);
  const product = (power: number): number =>
    moved.reduce((sum, value, index) => sum + value ** power * (y[index] ?? 0), 0);
  const matrix = [
    [moment(0), moment(1), moment(2), product(0)],
    [moment(1), moment(2), moment(3), product(1)],
    [moment(2), moment(3), moment(4), product(2)],
  ];
  for (let pivot = 0; pivot < 3; pivot++) {
    const own = matrix[pivot] ?? [];
    for (let row = 0; row < 3; row++) {
      if (row === pivot) continue;
      const factor = (matrix[row]?.[pivot] ?? 0) / (own[pivot] ?? 1);
      matrix[row] = (matrix[row] ?? []).map((value, column) => value - factor * (own[column] ?? 0));
    }
  }
  const [a = 0, b = 0, c = 0] = matrix.map((row, index) => (row[3] ?? 0) / (row[index] ?? 1));
  return [a - b * middle + c * middle ** 2, b - 2 * c * middle, c];
}
