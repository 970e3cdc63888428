import type { WindowSize } from "./monitor-file.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const WEEK_MS = 7 * DAY_MS;
// 1970-01-05 was a Monday.
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** Length of a window in ms. */
export function windowMs(size: WindowSize): number {
  return size === "week" ? WEEK_MS : size === "day" ? DAY_MS : HOUR_MS;
}

/** Start of the window that holds a time: Monday, midnight or the full hour, UTC; epoch ms. */
export function windowStart(size: WindowSize, atMs: number): number {
  const origin = size === "week" ? FIRST_MONDAY_MS : 0;
  return origin + Math.floor((atMs - origin) / windowMs(size)) * windowMs(size);
}
