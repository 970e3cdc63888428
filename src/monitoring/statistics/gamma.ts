const LANCZOS = [
  0.9999999999999971, 57.15623566586292, -59.59796035547549, 14.136097974741746, -0.4919138160976202,
  3.399464998481189e-5, 4.652362892704858e-5, -9.837447530487956e-5, 0.0001580887032249125, -0.00021026444172410488,
  0.00021743961811521265, -0.0001643181065367639, 8.441822398385275e-5, -2.6190838401581408e-5, 3.6899182659531625e-6,
] as const;
const LANCZOS_SHIFT = 607 / 128;

/** ln Γ(x) for x > 0, relative error below 1e-14. Source: Lanczos' series with Godfrey's coefficients (g = 607/128). */
export function logGamma(x: number): number {
  const series = LANCZOS.reduce(
    (sum, coefficient, index) => (index === 0 ? coefficient : sum + coefficient / (x + index - 1)),
    0,
  );
  const shifted = x + LANCZOS_SHIFT - 0.5;
  return (x - 0.5) * Math.log(shifted) - shifted + Math.log(Math.sqrt(2 * Math.PI) * series);
}

const LARGEST_COUNT = 10_000;

/**
 * Regularized upper incomplete gamma function Q(a, x), a > 0, x ≥ 0: series below a + 1, continued fraction (Lentz)
 * above.
 */
export function upperGamma(a: number, x: number): number {
  if (x <= 0) return 1;
  if (x === Infinity) return 0;
  const scale = Math.exp(a * Math.log(x) - x - logGamma(a));
  if (x < a + 1) {
    let [term, sum] = [1 / a, 1 / a];
    for (let index = 1; index < LARGEST_COUNT && term > sum * 1e-17; index++) {
      term *= x / (a + index);
      sum += term;
    }
    return 1 - scale * sum;
  }
  let b = x + 1 - a;
  let c = 1e300;
  let d = 1 / b;
  let fraction = d;
  for (let index = 1; index < LARGEST_COUNT; index++) {
    const an = -index * (index - a);
    b += 2;
    d = 1 / (an * d + b);
    c = b + an / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return scale * fraction;
}

/** ln n! minus Stirling's approximation. */
function stirlingError(n: number): number {
  if (n <= 15) return logGamma(n + 1) - ((n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI));
  const n2 = n * n;
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / n2) / n2) / n2) / n2) / n;
}

/** x ln(x / np) + np − x without cancellation. */
function deviance(x: number, np: number): number {
  if (Math.abs(x - np) >= 0.1 * (x + np)) return x * Math.log(x / np) + np - x;
  const v = (x - np) / (x + np);
  let sum = (x - np) * v;
  let term = 2 * x * v;
  for (let index = 1; index < 1000; index++) {
    term *= v * v;
    const next = sum + term / (2 * index + 1);
    if (next === sum) break;
    sum = next;
  }
  return sum;
}

/** P(X = x) of a binomial with n trials and probability p, 0 < p < 1. Source: Loader (2000), saddle-point form. */
export function binomialProbability(x: number, n: number, p: number): number {
  if (x === 0) return Math.exp(n * Math.log1p(-p));
  if (x === n) return Math.exp(n * Math.log(p));
  const exponent =
    stirlingError(n) - stirlingError(x) - stirlingError(n - x) - deviance(x, n * p) - deviance(n - x, n * (1 - p));
  return Math.exp(exponent) * Math.sqrt(n / (2 * Math.PI * x * (n - x)));
}
