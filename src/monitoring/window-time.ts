import type { WindowSize } from "./monitor-file.ts";

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
// 1970-01-05 was a Monday.
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** Length of a window in ms. */
export function windowMs(size: WindowSize): number {
  return size === "week" ? WEEK_MS : DAY_MS;
}

/** Start of the window that holds a time: Monday or midnight, UTC; epoch ms. */
export function windowStart(size: WindowSize, atMs: number): number {
  const origin = size === "week" ? FIRST_MONDAY_MS : 0;
  return origin + Math.floor((atMs - origin) / windowMs(size)) * windowMs(size);
}
