/**
 * Tests that may be looked at after every request. A p-value of a fixed sample, looked at again and again, calls any
 * candidate bad in the end; what stands here holds at all times at once: the chance that it is ever wrong is at most
 * `alpha`.
 *
 * Sources: Robbins 1970 (mixtures); Ville 1939 (the bound); Wasserman, Ramdas and Balakrishnan 2020, "Universal
 * inference" (composite hypotheses); Howard and Ramdas 2022, "Sequential estimation of quantiles", theorem 2
 * (distribution functions); Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, "Time-uniform central limit theory
 * and asymptotic confidence sequences" (means).
 */

/** So many of so many. */
export interface Count {
  readonly hits: number;
  readonly trials: number;
}

/** Numbers between which a quantity lies. */
export interface Limits {
  readonly low: number;
  readonly high: number;
}

/** Parameters of a Beta distribution: what is thought possible of a share before it is seen. */
interface Prior {
  readonly hits: number;
  readonly misses: number;
}

/** Jeffreys 1946: no opinion. */
const ANY_SHARE: Prior = { hits: 0.5, misses: 0.5 };
/** Failures are rare where things work: the fewer requests are needed to show it. */
export const SMALL_SHARE: Prior = { hits: 0.5, misses: 10 };

const LANCZOS = [
  676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406, 12.507343278686905,
  -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
];

/** Natural logarithm of the gamma function, x > 0; relative error below 1e-13. Source: Lanczos 1964, g = 7. */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const series = LANCZOS.reduce((sum, coefficient, index) => sum + coefficient / (x + index), 0.9999999999998099);
  const base = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(series);
}

function logBeta(left: number, right: number): number {
  return logGamma(left) + logGamma(right) - logGamma(left + right);
}

/** Logarithm of the probability of one sequence with these hits, the share being drawn from the prior. */
function logMixture({ hits, trials }: Count, prior: Prior): number {
  return logBeta(prior.hits + hits, prior.misses + trials - hits) - logBeta(prior.hits, prior.misses);
}

/** Logarithm of the probability of one sequence with these hits, given the share. */
function logLikelihood({ hits, trials }: Count, share: number): number {
  const misses = trials - hits;
  return (hits === 0 ? 0 : hits * Math.log(share)) + (misses === 0 ? 0 : misses * Math.log1p(-share));
}

/**
 * Shares between which the true one lies: at all times, with probability of at least 1 − alpha.
 *
 * @param alpha 0 < alpha < 1
 * @returns [0, 1] before anything was seen
 */
export function shareLimits(count: Count, alpha: number, prior: Prior = ANY_SHARE): Limits {
  if (count.trials === 0) return { low: 0, high: 1 };
  const most = logMixture(count, prior) - Math.log(1 / alpha);
  const likeliest = count.hits / count.trials;
  // The likelihood falls to both sides of the likeliest share; a limit lies where it has fallen far enough.
  const isIn = (share: number): boolean => logLikelihood(count, share) >= most;
  return {
    low: isIn(0) ? 0 : bisect(0, likeliest, (share) => !isIn(share)),
    high: isIn(1) ? 1 : bisect(likeliest, 1, isIn),
  };
}

/** Where a property that holds at `from` and not at `to` ends. */
function bisect(from: number, to: number, holds: (value: number) => boolean): number {
  let [low, high] = [from, to];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * How strongly what was seen speaks against "the first share exceeds the second by no more than `margin`".
 *
 * @returns logarithm of an e-value: when it ever exceeds log(1 / alpha), the claim is refuted at level alpha
 */
export function excessEvidence(first: Count, second: Count, margin: number): number {
  if (first.trials === 0) return 0;
  const seen = logMixture(first, ANY_SHARE) + logMixture(second, ANY_SHARE);
  return seen - likeliestWithin(first, second, margin);
}

/** The largest likelihood of two counts whose first share exceeds the second by at most the margin. */
function likeliestWithin(first: Count, second: Count, margin: number): number {
  const shareOf = ({ hits, trials }: Count): number => (trials === 0 ? 0 : hits / trials);
  if (shareOf(first) <= shareOf(second) + margin)
    return logLikelihood(first, shareOf(first)) + logLikelihood(second, shareOf(second));
  // On the border first = second + margin the likelihood is concave.
  const at = (share: number): number => {
    const [left, right] = [Math.min(1 - 1e-15, share + margin), Math.max(1e-15, share)];
    return logLikelihood(first, left) + logLikelihood(second, right);
  };
  let [low, high] = [0, 1 - margin];
  for (let step = 0; step < 100; step++) {
    const [left, right] = [low + (high - low) / 3, high - (high - low) / 3];
    if (at(left) < at(right)) low = left;
    else high = right;
  }
  return at((low + high) / 2);
}

/** Largest distance of an empirical distribution function of n values from the true one, at all times. */
export function distributionBand(n: number, alpha: number): number {
  if (n < 1) return 1;
  return Math.min(1, 0.85 * Math.sqrt((Math.log(Math.log(Math.E * n)) + 0.8 * Math.log(1612 / alpha)) / n));
}

/** Sample size at which the limits of a mean are made tightest; they hold at every other one, too. */
const TIGHTEST_AT = 2000;

/**
 * How far a mean, or whatever is one in the limit, lies from its estimate at most: at all times, asymptotically.
 *
 * @param standardError of the estimate, at this sample size
 * @param n sample size
 */
export function meanBand(standardError: number, n: number, alpha: number): number {
  if (n < 2) return Infinity;
  // ρ² that makes the band tightest at that size; Waudby-Smith et al. 2024, theorem 2.2 and appendix B.2.
  const rho = (-2 * Math.log(alpha) + Math.log(-2 * Math.log(alpha) + 1)) / TIGHTEST_AT;
  return standardError * Math.sqrt(((2 * (n * rho + 1)) / (n * rho)) * Math.log(Math.sqrt(n * rho + 1) / alpha));
}
