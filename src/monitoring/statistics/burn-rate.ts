/** How fast a budget of errors is used up, looked at over a long window and a short one that ends with it. */
export interface BurnRule {
  readonly longMs: number;
  readonly shortMs: number;
  /** Share of the budget of the whole period that the long window may use, 0 to 1. */
  readonly budget: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Source: The Site Reliability Workbook, chapter 5, Alerting on SLOs, table 5-8. */
export const BURN_RULES: readonly BurnRule[] = [
  { longMs: HOUR_MS, shortMs: 5 * MINUTE_MS, budget: 0.02 },
  { longMs: 6 * HOUR_MS, shortMs: 30 * MINUTE_MS, budget: 0.05 },
  { longMs: 3 * DAY_MS, shortMs: 6 * HOUR_MS, budget: 0.1 },
];

export interface EventCount {
  readonly good: number;
  readonly total: number;
}

/** The rate from which on a rule holds: 14.4, 6 and 1 for a period of 30 days. */
export function burnLimit({ longMs, budget }: BurnRule, days: number): number {
  return (budget * days * DAY_MS) / longMs;
}

/**
 * Share of bad events over the share that is allowed: 1 uses up the budget exactly at the end of the period.
 *
 * @param target share of events that are to be good, above 0 and below 1
 * @returns 0 where nothing happened
 * Pure.
 */
export function burnRate({ good, total }: EventCount, target: number): number {
  return total === 0 ? 0 : (total - good) / total / (1 - target);
}

/** Share of the period's budget that is left; negative when it is overdrawn, 1 where nothing happened. Pure. */
export function budgetLeft(count: EventCount, target: number): number {
  return 1 - burnRate(count, target);
}
