const HOUR_MS = 3_600_000;
const UNITS = { hour: HOUR_MS, day: 24 * HOUR_MS, week: 168 * HOUR_MS } as const;
// 1970-01-05 was a Monday: weeks, days and hours begin there.
const FIRST_MONDAY_MS = 4 * UNITS.day;

/** Windows of a length, one after the other or overlapping. */
export interface TimeWindows {
  readonly kind: "time";
  readonly lengthMs: number;
  /** From the start of one to the start of the next; the length, or a whole part of it. */
  readonly everyMs: number;
}

/** Windows of so many predictions in the order of their event times. */
export interface RowWindows {
  readonly kind: "rows";
  readonly rows: number;
  /** Predictions from the start of one to the start of the next; `rows`, or a whole part of them. */
  readonly every: number;
}

export type WindowShape = TimeWindows | RowWindows;

const COUNT = "[1-9][0-9]{0,6}";
const UNIT = "(hours?|days?|weeks?|rows)";
/** How windows are written. */
export const WINDOW_PATTERN = new RegExp(`^(hour|day|week|(${COUNT}) ${UNIT}( every (${COUNT}) ${UNIT})?)$`);

/** Windows that hold one prediction, at most: each of them is computed again when its label comes. */
const MOST_OVERLAPPING = 60;
const LONGEST_MS = 366 * UNITS.day;
const FEWEST_ROWS = 10;
const MOST_ROWS = 1_000_000;

/** What a window size means, or what is wrong with it. Pure. */
export function readWindowSize(size: string): WindowShape | { readonly problem: string } {
  const found = WINDOW_PATTERN.exec(size);
  if (found === null)
    return {
      problem: "expected hour, day, week, as 6 hours, 5000 rows, 7 days every 1 day or 5000 rows every 1000 rows",
    };
  const [, , count = "1", unit = size, , everyCount = count, everyUnit = unit] = found;
  if ((unit === "rows") !== (everyUnit === "rows"))
    return { problem: "a window of rows moves on by rows, one of time by time" };
  const isRows = unit === "rows";
  const [length, every] = [Number(count) * factorOf(unit), Number(everyCount) * factorOf(everyUnit)];
  if (length % every !== 0) return { problem: `"every" must be a whole part of the window, as 7 days every 1 day` };
  if (length / every > MOST_OVERLAPPING)
    return { problem: `at most ${MOST_OVERLAPPING} windows may overlap, these are ${length / every}` };
  if (isRows && (length < FEWEST_ROWS || length > MOST_ROWS))
    return { problem: `a window has from ${FEWEST_ROWS} to ${MOST_ROWS} rows` };
  if (!isRows && length > LONGEST_MS) return { problem: "a window is at most 366 days long" };
  return isRows ? { kind: "rows", rows: length, every } : { kind: "time", lengthMs: length, everyMs: every };
}

function factorOf(unit: string): number {
  if (unit.startsWith("hour")) return UNITS.hour;
  if (unit.startsWith("day")) return UNITS.day;
  return unit.startsWith("week") ? UNITS.week : 1;
}

/** Windows of a size that was checked where it was declared; what is none, as one of an older file, is a week. */
export function windowShape(size: string): WindowShape {
  const shape = readWindowSize(size);
  return "problem" in shape ? { kind: "time", lengthMs: UNITS.week, everyMs: UNITS.week } : shape;
}

/** Start of the last window that begins at or before a time: on Monday, at midnight or the full hour, UTC; epoch ms. */
export function lastStart({ everyMs }: TimeWindows, atMs: number): number {
  return FIRST_MONDAY_MS + Math.floor((atMs - FIRST_MONDAY_MS) / everyMs) * everyMs;
}

/** Start of the first window that holds a time; epoch ms. */
export function firstStart(shape: TimeWindows, atMs: number): number {
  return lastStart(shape, atMs) - shape.lengthMs + shape.everyMs;
}
