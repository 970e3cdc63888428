const WEEK_MS = 7 * 24 * 3_600_000;
const FIRST_MONDAY_MS = Date.UTC(2001, 0, 1);

/** One week of the data, Monday to Sunday. */
export interface Week {
  /** 1 … 26 */
  readonly number: number;
  /** `2001-W14` */
  readonly name: string;
  /** Epoch milliseconds, UTC. */
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * 2001-01-01 is a Monday: the half year is 26 whole weeks (the last row is stamped midnight of 2001-07-01, in week 26).
 */
export const weeks: readonly Week[] = Array.from({ length: 26 }, (_, index) => ({
  number: index + 1,
  name: `2001-W${String(index + 1).padStart(2, "0")}`,
  startMs: FIRST_MONDAY_MS + index * WEEK_MS,
  endMs: FIRST_MONDAY_MS + (index + 1) * WEEK_MS,
}));

/** January to March: what the first model learns from. */
export const historyWeeks: readonly Week[] = weeks.slice(0, 13);

/** April to June: played as production. */
export const productionWeeks: readonly Week[] = weeks.slice(13);
