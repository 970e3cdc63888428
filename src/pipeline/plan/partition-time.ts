import type { PartitionUnit } from "../define/partitions.ts";

/** Partitions by time, as their pipeline declares them. `end` is not part of them. */
export interface TimePartitions {
  readonly every: PartitionUnit;
  readonly start: string;
  readonly end?: string;
  /** IANA name. */
  readonly timezone: string;
}

/** One span: half-open, in epoch milliseconds. */
export interface TimePartition {
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** 1970-01-05, the first Monday. */
const FIRST_MONDAY = 4 * DAY;

/** True for a time zone that the system knows. */
export function isZone(timezone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    return true;
  } catch {
    return false;
  }
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** What the clocks of a zone show at a moment, as if it were UTC. */
function wallOf(ms: number, timezone: string): number {
  if (timezone === "UTC") return ms;
  const known =
    formats.get(timezone) ??
    new Intl.DateTimeFormat("en-US", {
      timeZone: timezone,
      calendar: "iso8601",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  formats.set(timezone, known);
  const parts: Record<string, number> = {};
  for (const { type, value } of known.formatToParts(ms)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return utc(year, month - 1, day) + hour * HOUR + minute * MINUTE + second * 1000 + modulo(ms, 1000);
}

/**
 * The first moment at which the clocks of a zone show a time; where they skip it, the moment at which they skip it.
 */
function momentOf(wall: number, timezone: string): number {
  if (timezone === "UTC") return wall;
  // The offsets that hold around it: a day is longer than any change of the clocks.
  const candidates = [wall - DAY, wall + DAY].map((near) => wall - (wallOf(near, timezone) - near));
  const shown = candidates.filter((ms) => wallOf(ms, timezone) === wall);
  return shown.length > 0 ? Math.min(...shown) : Math.max(...candidates);
}

/** A date, a month, or a date with a time: what clocks show as if it were UTC, and the offset that is said with it. */
export function parseLocal(text: string): { readonly wall: number; readonly offsetMs: number | undefined } | undefined {
  const parts = /^(\d{4})-(\d{2})(?:-(\d{2})(?:[T ](\d{2}):(\d{2})(?::00)?(Z|[+-]\d{2}:\d{2})?)?)?$/.exec(text.trim());
  if (parts === null) return undefined;
  const [, year, month, day = "01", hour = "00", minute = "00", zone] = parts;
  const date = utc(Number(year), Number(month) - 1, Number(day));
  const isDay = new Date(date).toISOString().startsWith(`${year}-${month}-${day}`);
  if (!isDay || Number(hour) > 23 || Number(minute) > 59) return undefined;
  return {
    wall: date + Number(hour) * HOUR + Number(minute) * MINUTE,
    offsetMs: zone === undefined ? undefined : parseOffset(zone),
  };
}

function parseOffset(zone: string): number {
  if (zone === "Z") return 0;
  const sign = zone.startsWith("-") ? -1 : 1;
  return sign * (Number(zone.slice(1, 3)) * HOUR + Number(zone.slice(4, 6)) * MINUTE);
}

/** The moment that a text means in a zone; undefined when it cannot be read. */
export function momentOfText(text: string, timezone: string): number | undefined {
  const local = parseLocal(text);
  if (local === undefined) return undefined;
  return local.offsetMs === undefined ? momentOf(local.wall, timezone) : local.wall - local.offsetMs;
}

/** The span that a moment lies in, whether it is one of the declared ones or not. */
export function partitionAt(time: TimePartitions, ms: number): TimePartition {
  const { every, timezone } = time;
  const wall = wallOf(ms, timezone);
  if (every === "hour") {
    const startMs = ms - modulo(wall, HOUR);
    const next = startMs + HOUR;
    const endMs = next + modulo(-wallOf(next, timezone), HOUR);
    // Where clocks change by half an hour, the hour before goes on until the next one begins.
    if (ms < endMs) return { name: nameOf(time, startMs), startMs, endMs };
    return { name: nameOf(time, endMs), startMs: endMs, endMs: endMs + HOUR };
  }
  const start = startOfWall(wall, every);
  const startMs = momentOf(start, timezone);
  return { name: nameOf(time, startMs), startMs, endMs: momentOf(addToWall(start, every), timezone) };
}

/** The declared span of a name; of a name that means no one span, or none that is declared, undefined. */
export function findTimePartition(time: TimePartitions, text: string): TimePartition | undefined {
  const ms = momentOfText(text, time.timezone);
  if (ms === undefined) return undefined;
  const found = partitionAt(time, ms);
  const wall = parseLocal(text)?.wall;
  const isStart = found.startMs === ms || (wall !== undefined && wallOf(found.startMs, time.timezone) === wall);
  // A day, for partitions by month, and an hour that the clocks show twice, mean none.
  if (!isStart && !isSkippedStart(time, found, wall)) return undefined;
  if (time.every === "hour" && parseLocal(text)?.offsetMs === undefined && isTwice(time, found)) return undefined;
  return isDeclared(time, found) ? found : undefined;
}

/** The clocks skip the beginning of the span: its name says a time that they do not show. */
function isSkippedStart(time: TimePartitions, found: TimePartition, wall: number | undefined): boolean {
  return (
    wall !== undefined &&
    time.every !== "hour" &&
    startOfWall(wall, time.every) === wall &&
    wallOf(found.startMs, time.timezone) > wall
  );
}

function isTwice({ timezone }: TimePartitions, { startMs }: TimePartition): boolean {
  const wall = wallOf(startMs, timezone);
  return [startMs - HOUR, startMs + HOUR].some((ms) => wallOf(ms, timezone) === wall);
}

/** It is not before the first, and begins before the end. */
export function isDeclared(time: TimePartitions, { startMs }: Pick<TimePartition, "startMs">): boolean {
  return startMs >= firstPartition(time).startMs && startMs < endOf(time);
}

function firstPartition(time: TimePartitions): TimePartition {
  return partitionAt(time, momentOfText(time.start, time.timezone) ?? 0);
}

function endOf({ end, timezone }: TimePartitions): number {
  return end === undefined ? Infinity : (momentOfText(end, timezone) ?? Infinity);
}

/** The declared spans that are over at a moment, in order; between two of them where those are given. */
export function* listTimePartitions(
  time: TimePartitions,
  {
    overAtMs,
    fromMs = -Infinity,
    toMs = Infinity,
  }: { readonly overAtMs: number; readonly fromMs?: number; readonly toMs?: number },
): Generator<TimePartition> {
  const first = firstPartition(time);
  const end = endOf(time);
  let next = fromMs > first.startMs ? partitionAt(time, fromMs) : first;
  while (next.endMs <= overAtMs && next.startMs < end && next.startMs <= toMs) {
    yield next;
    next = partitionAt(time, next.endMs);
  }
}

/** The declared span that ended last at a moment. */
export function lastPartition(time: TimePartitions, atMs: number): TimePartition | undefined {
  const now = partitionAt(time, Math.min(atMs, endOf(time) === Infinity ? atMs : endOf(time)));
  const found = now.endMs <= atMs && isDeclared(time, now) ? now : partitionAt(time, now.startMs - 1);
  return isDeclared(time, found) && found.endMs <= atMs ? found : undefined;
}

/** How many spans are declared; counting stops at `most`. */
export function countPartitions(time: TimePartitions, most: number): number {
  let count = 0;
  for (const _ of listTimePartitions(time, { overAtMs: time.end === undefined ? -Infinity : Infinity }))
    if (++count >= most) break;
  return count;
}

/** `2026-01-31`, `2026-01` for a month, `2026-01-31T05:00Z` or with the zone's offset for an hour. */
function nameOf({ every, timezone }: TimePartitions, startMs: number): string {
  const wall = wallOf(startMs, timezone);
  const text = new Date(wall).toISOString();
  if (every === "month") return text.slice(0, 7);
  return every === "hour" ? `${text.slice(0, 16)}${showOffset(wall - startMs)}` : text.slice(0, 10);
}

function showOffset(ms: number): string {
  if (ms === 0) return "Z";
  const minutes = Math.abs(Math.round(ms / MINUTE));
  const pad = (value: number): string => String(value).padStart(2, "0");
  return `${ms < 0 ? "-" : "+"}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`;
}

/** The date that the clocks of a zone show: `2026-01-31`. */
export function dateOf(ms: number, timezone: string): string {
  return new Date(wallOf(ms, timezone)).toISOString().slice(0, 10);
}

function startOfWall(wall: number, unit: "day" | "week" | "month"): number {
  if (unit === "day") return wall - modulo(wall, DAY);
  if (unit === "week") return wall - modulo(wall - FIRST_MONDAY, 7 * DAY);
  const date = new Date(wall);
  return utc(date.getUTCFullYear(), date.getUTCMonth(), 1);
}

function addToWall(start: number, unit: "day" | "week" | "month"): number {
  if (unit !== "month") return start + (unit === "day" ? DAY : 7 * DAY);
  const date = new Date(start);
  return utc(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

/** `Date.UTC` reads the years 0 to 99 as 1900 to 1999. */
function utc(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month, day);
}
