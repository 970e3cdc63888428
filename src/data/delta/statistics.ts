import type { Column } from "../analytics/analytics.ts";

const INDEXED_COLUMNS = 32;
const NUMBERS = /^(TINYINT|SMALLINT|INTEGER|BIGINT|DECIMAL\(.*)$/;

/** What `COPY … (RETURN_STATS)` says of one written file, per quoted column path. */
export type WrittenStatistics = ReadonlyMap<string, Readonly<Record<string, string>>>;

/** `column_statistics` of DuckDB, a map of maps as JSON entries. */
export function parseWrittenStatistics(cell: unknown): WrittenStatistics {
  const entries = cell as readonly { key: string; value: readonly { key: string; value: string }[] }[];
  return new Map(
    entries.map(({ key, value }) => [key, Object.fromEntries(value.map((item) => [item.key, item.value]))]),
  );
}

/**
 * `stats` of an `add` action as JSON text. Numbers are copied digit by digit, never through a JavaScript number;
 * bounds of timestamps are widened to the millisecond, because readers truncate there.
 */
export function toStats(rowCount: number, columns: readonly Column[], written: WrittenStatistics): string {
  const minimums: string[] = [];
  const maximums: string[] = [];
  const nulls: string[] = [];
  for (const { name, type } of columns.slice(0, INDEXED_COLUMNS)) {
    const statistics = written.get(`"${name.replaceAll('"', '""')}"`);
    if (statistics === undefined) continue;
    const key = JSON.stringify(name);
    if (statistics["null_count"] !== undefined) nulls.push(`${key}:${statistics["null_count"]}`);
    const [low, high] = boundsOf(type, statistics);
    if (low !== undefined) minimums.push(`${key}:${low}`);
    if (high !== undefined) maximums.push(`${key}:${high}`);
  }
  return `{"numRecords":${rowCount},"minValues":{${minimums.join()}},"maxValues":{${maximums.join()}},"nullCount":{${nulls.join()}}}`;
}

function boundsOf(
  type: string,
  statistics: Readonly<Record<string, string>>,
): [string | undefined, string | undefined] {
  const { min, max } = statistics;
  if (min === undefined || max === undefined) return [undefined, undefined];
  if (NUMBERS.test(type)) return [min, max];
  if (type === "VARCHAR" || type === "DATE") return [JSON.stringify(min), JSON.stringify(max)];
  if (type === "FLOAT" || type === "DOUBLE") {
    if (statistics["has_nan"] === "true" || /inf|nan/i.test(min + max)) return [undefined, undefined];
    return [min === "0.0" ? "-0.0" : min, max === "-0.0" ? "0.0" : max];
  }
  if (type === "TIMESTAMP WITH TIME ZONE") return [roundTimestamp(min, "down"), roundTimestamp(max, "up")];
  return [undefined, undefined];
}

/** `1970-01-01 00:00:08.1234+00` → `"1970-01-01T00:00:08.123Z"`. Years outside 1–9999 get no bound. */
function roundTimestamp(text: string, direction: "down" | "up"): string | undefined {
  const parts = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?\+00$/.exec(text);
  if (parts === null) return undefined;
  const [, day = "", time = "", fraction = ""] = parts;
  const milliseconds = fraction.padEnd(3, "0").slice(0, 3);
  let epochMs = Date.parse(`${day}T${time}.${milliseconds}Z`);
  if (direction === "up" && /[1-9]/.test(fraction.slice(3))) epochMs += 1;
  return JSON.stringify(new Date(epochMs).toISOString());
}

/** Row count that an `add` action states, or undefined when it carries no statistics. */
export function rowCountOf(stats: string | null | undefined): number | undefined {
  if (stats === null || stats === undefined) return undefined;
  const count = /"numRecords"\s*:\s*(\d+)/.exec(stats)?.[1];
  return count === undefined ? undefined : Number(count);
}
