/** How numbers, times and sizes are written in one language. */
export interface Format {
  readonly number: (value: number, digits?: number) => string;
  /** Short form for tight places: 1.2M. */
  readonly compact: (value: number) => string;
  /** Of a ratio 0–1. */
  readonly percent: (ratio: number, digits?: number) => string;
  readonly bytes: (sizeBytes: number) => string;
  readonly duration: (durationMs: number) => string;
  readonly dateTime: (atMs: number) => string;
  readonly date: (atMs: number) => string;
  readonly time: (atMs: number) => string;
  readonly relative: (atMs: number, nowMs: number) => string;
  /** A moment with its time zone named, for what is yet to come. */
  readonly moment: (atMs: number) => string;
  /** A time within data, as it stands there: in no time zone but its own. `type` is DuckDB's. */
  readonly dataTime: (text: string, type: string) => string;
}

/** True for a DuckDB type whose values are dates or moments. */
export function isTimeType(type: string): boolean {
  return /^(DATE|TIMESTAMP)/.test(type);
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const RELATIVE_STEPS = [
  { unit: "second", ms: SECOND, below: MINUTE },
  { unit: "minute", ms: MINUTE, below: HOUR },
  { unit: "hour", ms: HOUR, below: DAY },
  { unit: "day", ms: DAY, below: 30 * DAY },
  { unit: "month", ms: 30 * DAY, below: 365 * DAY },
  { unit: "year", ms: 365 * DAY, below: Infinity },
] as const;

const BYTE_UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** @param language BCP 47 tag */
export function createFormat(language: string): Format {
  const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
  const dateTime = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  const date = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
  const dataDate = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeZone: "UTC" });
  const dataMoment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium", timeZone: "UTC" });
  const moment = new Intl.DateTimeFormat(language, {
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "numeric",
    minute: "2-digit",
    timeZoneName: "short",
  });
  const time = new Intl.DateTimeFormat(language, { timeStyle: "medium" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "long" });
  const number = (value: number, digits = 4): string =>
    new Intl.NumberFormat(language, Number.isInteger(value) ? {} : { maximumFractionDigits: digits }).format(value);
  return {
    number,
    compact: (value) => compact.format(value),
    percent: (ratio, digits = 1) => percentText(ratio, digits, language),
    bytes: (sizeBytes) => bytesText(sizeBytes, number),
    duration: (durationMs) => durationText(durationMs, number),
    dateTime: (atMs) => dateTime.format(atMs),
    date: (atMs) => date.format(atMs),
    moment: (atMs) => moment.format(atMs),
    dataTime: (text, type) => dataTimeText(text, { dataDate, dataMoment, isDate: type === "DATE" }),
    time: (atMs) => time.format(atMs),
    relative: (atMs, nowMs) => {
      const distance = atMs - nowMs;
      const step = RELATIVE_STEPS.find(({ below }) => Math.abs(distance) < below) ?? RELATIVE_STEPS[5];
      return relative.format(Math.trunc(distance / step.ms), step.unit);
    },
  };
}

/** Fractions of a second are kept; what is no time (infinity, a year beyond calendars) stays as it is. */
function dataTimeText(
  text: string,
  {
    dataDate,
    dataMoment,
    isDate,
  }: { readonly dataDate: Intl.DateTimeFormat; readonly dataMoment: Intl.DateTimeFormat; readonly isDate: boolean },
): string {
  const atMs = Date.parse(
    /^\d{4}-\d{2}-\d{2}$/.test(text)
      ? `${text}T00:00:00Z`
      : /[zZ]$|[+-]\d{2}(:?\d{2})?$/.test(text.slice(10))
        ? text.replace(" ", "T")
        : `${text.replace(" ", "T")}Z`,
  );
  if (!Number.isFinite(atMs)) return text;
  if (isDate) return dataDate.format(atMs);
  const [, fraction] = /\.(\d*?[1-9])0*(?:[zZ]|[+-].*)?$/.exec(text) ?? [];
  return fraction === undefined ? dataMoment.format(atMs) : `${dataMoment.format(atMs)} .${fraction}`;
}

/** What is not whole is not shown as if it were, and what is there not as nothing. */
function percentText(ratio: number, digits: number, language: string): string {
  const format = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: digits });
  const smallest = 10 ** -(digits + 2);
  if (ratio > 0 && ratio < smallest / 2) return `< ${format.format(smallest)}`;
  if (ratio < 1 && ratio > 1 - smallest / 2) return `> ${format.format(1 - smallest)}`;
  return format.format(ratio);
}

function bytesText(sizeBytes: number, number: Format["number"]): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${number(Number(value.toPrecision(3)), 2)} ${BYTE_UNITS[unit] ?? "B"}`;
}

function durationText(durationMs: number, number: Format["number"]): string {
  if (durationMs < 10 * SECOND)
    return durationMs < SECOND ? `${number(Math.round(durationMs))} ms` : `${number(durationMs / SECOND, 1)} s`;
  if (durationMs < MINUTE) return `${number(Math.round(durationMs / SECOND))} s`;
  if (durationMs < HOUR)
    return `${Math.floor(durationMs / MINUTE)} min ${Math.round((durationMs % MINUTE) / SECOND)} s`;
  if (durationMs < DAY) return `${Math.floor(durationMs / HOUR)} h ${Math.round((durationMs % HOUR) / MINUTE)} min`;
  return `${Math.floor(durationMs / DAY)} d ${Math.round((durationMs % DAY) / HOUR)} h`;
}

/** The first characters of a digest or commit id, without `sha256:`. */
export function shortDigest(digest: string, length = 10): string {
  return digest.replace(/^sha256:/, "").slice(0, length);
}

/** Any JSON value on one line, for cells of a table. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return JSON.stringify(value);
}
