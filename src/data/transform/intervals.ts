/** The units in which an incremental dataset is filled. Weeks begin on Monday; all bounds are in UTC. */
export const INTERVAL_UNITS = ["hour", "day", "week", "month"] as const;
export type IntervalUnit = (typeof INTERVAL_UNITS)[number];

/** A span of time in epoch milliseconds, its end excluded. */
export type TimeSpan = readonly [start: number, end: number];

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** 1970-01-05, the first Monday. */
const FIRST_MONDAY = 4 * DAY;

/** Start of the interval that a moment lies in. */
export function startOfInterval(ms: number, unit: IntervalUnit): number {
  if (unit === "hour") return ms - modulo(ms, HOUR);
  if (unit === "day") return ms - modulo(ms, DAY);
  if (unit === "week") return ms - modulo(ms - FIRST_MONDAY, 7 * DAY);
  const date = new Date(ms);
  return utc(date.getUTCFullYear(), date.getUTCMonth());
}

/** The start of an interval, so many intervals later or earlier. */
export function addIntervals(start: number, count: number, unit: IntervalUnit): number {
  if (unit === "hour") return start + count * HOUR;
  if (unit === "day") return start + count * DAY;
  if (unit === "week") return start + count * 7 * DAY;
  const date = new Date(start);
  return utc(date.getUTCFullYear(), date.getUTCMonth() + count);
}

/** How many intervals a span of whole ones has. */
export function countIntervals([start, end]: TimeSpan, unit: IntervalUnit): number {
  if (unit === "hour") return (end - start) / HOUR;
  if (unit === "day") return (end - start) / DAY;
  if (unit === "week") return (end - start) / (7 * DAY);
  const [from, to] = [new Date(start), new Date(end)];
  return (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth();
}

/** The least span of whole intervals that holds a span. */
export function wholeIntervals([start, end]: TimeSpan, unit: IntervalUnit): TimeSpan {
  const last = startOfInterval(end, unit);
  return [startOfInterval(start, unit), last === end ? last : addIntervals(last, 1, unit)];
}

/** The whole intervals of one unit inside of a span, none where it holds none. */
export function insideIntervals([start, end]: TimeSpan, unit: IntervalUnit): readonly TimeSpan[] {
  const first = startOfInterval(start, unit);
  return mergeSpans([[first === start ? first : addIntervals(first, 1, unit), startOfInterval(end, unit)]]);
}

/** In order, without empty ones, joined where they touch or overlap. */
export function mergeSpans(spans: readonly TimeSpan[]): readonly TimeSpan[] {
  const merged: [number, number][] = [];
  for (const [start, end] of spans.filter(([from, to]) => from < to).sort(([left], [right]) => left - right)) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}

/** What of the first is not in the second. */
export function subtractSpans(spans: readonly TimeSpan[], gone: readonly TimeSpan[]): readonly TimeSpan[] {
  let left = mergeSpans(spans);
  for (const [from, to] of mergeSpans(gone))
    left = left.flatMap(([start, end]): TimeSpan[] =>
      to <= start || end <= from
        ? [[start, end]]
        : [
            [start, Math.min(end, from)],
            [Math.max(start, to), end],
          ],
    );
  return mergeSpans(left);
}

/** What is in both. */
export function intersectSpans(spans: readonly TimeSpan[], others: readonly TimeSpan[]): readonly TimeSpan[] {
  return subtractSpans(spans, subtractSpans(spans, others));
}

/** A moment as a date, with its time where it has one. */
export function showMoment(ms: number): string {
  const text = new Date(ms).toISOString();
  return text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : text.replace(/:00\.000Z$/, "Z");
}

/** `2024-01-01 to 2024-02-01`: the end is excluded. */
export function showSpan([start, end]: TimeSpan): string {
  return `${showMoment(start)} to ${showMoment(end)}`;
}

/** A date or a date with a time, in UTC where no zone is said; undefined for anything else. */
export function parseMoment(text: string): number | undefined {
  const parts =
    /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?$/.exec(
      text.trim(),
    );
  if (parts === null) return undefined;
  const [, year = "", month = "", day = "", hour = "00", minute = "00", second = "00", zone = "Z"] = parts;
  const offset = zone === "Z" ? zone : `${zone.slice(0, 3)}:${zone.slice(-2)}`;
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${offset}`);
  // 31 February is the 3rd of March to some parsers.
  const isDay = new Date(Date.parse(`${year}-${month}-${day}T00:00:00Z`)).getUTCDate() === Number(day);
  return Number.isNaN(ms) || !isDay ? undefined : ms;
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

/** `Date.UTC` reads the years 0 to 99 as 1900 to 1999. */
function utc(year: number, month: number): number {
  const date = new Date(0);
  return date.setUTCFullYear(year, month, 1);
}
