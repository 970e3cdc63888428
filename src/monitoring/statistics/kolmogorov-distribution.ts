import { binomialProbability } from "./gamma.ts";

/**
 * P(Dₙ > d) of the two-sided one-sample Kolmogorov–Smirnov statistic.
 *
 * @param d statistic, [0, 1]
 * @param n sample size ≥ 1
 * @returns [0, 1], about 12 correct digits Pure. Source: Simard & L'Ecuyer (2011), with Durbin's matrix also where they
 * use Pomeranz' recursion (equal to rounding).
 */
export function kolmogorovSurvival(d: number, n: number): number {
  if (d >= 1) return 0;
  if (d <= 0) return 1;
  const t = n * d;
  if (t <= 0.5) return 1;
  if (t <= 1) return 1 - Math.exp(logFactorialRatio(n) + n * Math.log(2 * t - 1));
  if (t >= n - 1) return 2 * (1 - d) ** n;
  if (d >= 0.5) return 2 * oneSided(d, n);
  const spread = t * d;
  if (n <= 140) return spread <= 4 ? 1 - durbinMatrix(d, n) : 2 * oneSided(d, n);
  if (spread >= 370) return 0;
  if (spread >= 2.2) return 2 * oneSided(d, n);
  return 1 - (n <= 100_000 && n * d ** 1.5 <= 1.4 ? durbinMatrix(d, n) : pelzGood(d, n));
}

/** ln(n! / nⁿ). */
function logFactorialRatio(n: number): number {
  let sum = 0;
  for (let factor = 1; factor <= n; factor++) sum += Math.log(factor / n);
  return sum;
}

/**
 * One-sided tail: d Σ C(n, j)(d + j/n)^(j−1) (1 − d − j/n)^(n−j), each term a binomial probability divided by d + j/n.
 */
function oneSided(d: number, n: number): number {
  let sum = 0;
  for (let j = 0; j <= Math.floor(n * (1 - d)); j++) {
    const share = d + j / n;
    if (share < 1) sum += binomialProbability(j, n, share) / share;
    else if (j === n) sum += 1;
  }
  return Math.min(1, d * sum);
}

const SCALE = 2 ** 128;
const SCALE_BITS = 128;

type Matrix = Float64Array[];

/** P(Dₙ ≤ d) by the k-th diagonal element of the n-th power of Durbin's matrix (Marsaglia, Tsang & Wang 2003). */
function durbinMatrix(d: number, n: number): number {
  const k = Math.ceil(n * d);
  let base = createMatrix(k, k - n * d);
  let power: Matrix = base.map((_, row) => Float64Array.from(base, (_row, column) => (row === column ? 1 : 0)));
  let [exponent, baseExponent] = [0, 0];
  for (let rest = n; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) {
      power = multiply(power, base);
      exponent += baseExponent;
    }
    base = multiply(base, base);
    baseExponent *= 2;
    if (Math.abs(base[k - 1]?.[k - 1] ?? 0) > SCALE) {
      base = base.map((row) => row.map((value) => value / SCALE));
      baseExponent += SCALE_BITS;
    }
  }
  let probability = power[k - 1]?.[k - 1] ?? 0;
  for (let factor = 1; factor <= n; factor++) {
    probability = (factor * probability) / n;
    if (Math.abs(probability) < 1 / SCALE) {
      probability *= SCALE;
      exponent -= SCALE_BITS;
    }
  }
  for (; exponent > 0; exponent -= SCALE_BITS) probability *= SCALE;
  for (; exponent < 0; exponent += SCALE_BITS) probability /= SCALE;
  return probability;
}

function createMatrix(k: number, h: number): Matrix {
  const size = 2 * k - 1;
  const [edge, inner] = [new Float64Array(size), new Float64Array(size)];
  let reciprocal = 1;
  for (let j = 1; j <= size; j++) {
    inner[j - 1] = reciprocal;
    reciprocal /= j;
    edge[j - 1] = (1 - h ** j) * reciprocal;
  }
  edge[size - 1] = (1 + Math.max(2 * h - 1, 0) ** size - 2 * h ** size) * reciprocal;
  return Array.from({ length: size }, (_, row) =>
    Float64Array.from({ length: size }, (_column, column) => {
      if (row === size - 1) return edge[size - 1 - column] ?? 0;
      if (column === 0) return edge[row] ?? 0;
      return row >= column - 1 ? (inner[row - column + 1] ?? 0) : 0;
    }),
  );
}

function multiply(left: Matrix, right: Matrix): Matrix {
  return left.map((row) => {
    const product = new Float64Array(row.length);
    for (const [inner, factor] of row.entries()) {
      const other = right[inner];
      if (factor === 0 || other === undefined) continue;
      for (let column = 0; column < product.length; column++)
        product[column] = (product[column] ?? 0) + factor * (other[column] ?? 0);
    }
    return product;
  });
}

/** P(Dₙ ≤ d) by the expansion of Pelz & Good (1976): K₀(z) + K₁(z)/√n + K₂(z)/n + K₃(z)/n^1.5 with z = d√n. */
function pelzGood(d: number, n: number): number {
  const z = d * Math.sqrt(n);
  const [z2, z3, z4, z6] = [z ** 2, z ** 3, z ** 4, z ** 6];
  const [p2, p4, p6] = [Math.PI ** 2, Math.PI ** 4, Math.PI ** 6];
  const root = Math.sqrt(2 * Math.PI);
  const terms = Math.ceil((16 * z) / Math.PI);
  const sums: [number, number, number, number] = [0, 0, 0, 0];
  const extra: [number, number] = [0, 0];
  for (let k = terms; k >= 1; k--) {
    const m2 = (2 * k - 1) ** 2;
    const weight = Math.exp((-p2 * m2) / (8 * z2));
    sums[0] += weight;
    sums[1] += weight * (-z2 + (p2 / 4) * m2);
    sums[2] += weight * (6 * z6 + 2 * z4 + ((2 * z4 - 5 * z2) * p2 * m2) / 4 + (p4 * (1 - 2 * z2) * m2 ** 2) / 16);
    sums[3] +=
      weight *
      (-30 * z6 -
        90 * z ** 8 +
        (p2 * (135 * z4 - 96 * z6) * m2) / 4 +
        (p4 * (-60 * z2 + 212 * z4) * m2 ** 2) / 16 +
        (p6 * (5 - 30 * z2) * m2 ** 3) / 64);
    const even = k ** 2 * Math.exp((-p2 * k ** 2) / (2 * z2));
    extra[0] += even;
    extra[1] += even * (3 * z2 - p2 * k ** 2);
  }
  const first = (root * sums[0]) / z;
  const second = (root * sums[1]) / (6 * z4);
  const third = (root * sums[2]) / (72 * z ** 7) - (p2 * root * extra[0]) / (36 * z3);
  const fourth = (root * sums[3]) / (6480 * z ** 10) + (p2 * root * extra[1]) / (216 * z6);
  return first + second / Math.sqrt(n) + third / n + fourth / n ** 1.5;
}
