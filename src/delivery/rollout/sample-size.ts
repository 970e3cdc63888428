import { type Estimate, type TrialMetric, usualDeviation } from "./outcome-metric.ts";
import { meanBand, shareLimits, SMALL_SHARE } from "./sequential.ts";

/** Chance that a difference of this size is found by then: the quantile of the normal distribution at 0.8. */
const POWER_QUANTILE = 0.8416;
const ALPHA = 0.05;
const MOST = 1e9;
const MOST_KEPT = 1000;

const known = new Map<number, number | undefined>();

/** Requests without a failure that show a share of failures to be no more than `margin` above none; 0 < margin ≤ 1. */
export function requestsNeeded(margin: number): number | undefined {
  if (!known.has(margin)) {
    if (known.size > MOST_KEPT) known.clear();
    known.set(
      margin,
      leastThat((trials) => shareLimits({ hits: 0, trials }, ALPHA / 2, SMALL_SHARE).high <= margin),
    );
  }
  return known.get(margin);
}

/**
 * Labelled rows that each arm needs until a difference of `loss` is found four times in five, or its absence shown.
 *
 * @param found what the arms' metric came to so far; before, what is usual is assumed
 * @returns undefined where nothing is known of how the metric varies
 */
export function rowsNeeded(
  metric: TrialMetric,
  loss: number,
  found: { readonly stable?: Estimate | undefined; readonly candidate?: Estimate | undefined },
): number | undefined {
  const stable = found.stable?.deviation ?? usualDeviation(metric);
  const candidate = found.candidate?.deviation ?? stable;
  const spread = Math.hypot(stable, candidate);
  if (!(spread > 0)) return undefined;
  return leastThat((n) => {
    const error = spread / Math.sqrt(n);
    return meanBand(error, n, ALPHA) + POWER_QUANTILE * error <= loss;
  });
}

/** The least whole number that is enough, when more is, too; undefined beyond a billion. */
function leastThat(isEnough: (count: number) => boolean): number | undefined {
  let high = 2;
  while (!isEnough(high)) {
    if (high >= MOST) return undefined;
    high *= 2;
  }
  let low = high / 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
