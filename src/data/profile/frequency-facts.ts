import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { type JsonCell, type Row, textOf } from "../analytics/rows.ts";
import { tableOf } from "./frequencies.ts";
import { INFINITE_TIME, isFinite, type MeasuredColumn, MEASURED_KINDS, type MeasuredKind } from "./measured-column.ts";
import { type Bounds, edgesOf, edgeSql, HISTOGRAM_BINS, literal } from "./histogram.ts";

export const QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] as const;
const TOP_VALUES = 10;

/** What a column's counted values say of it. Bounds, mean, deviation and histogram are of finite values. */
export interface Facts {
  readonly nullCount: number;
  readonly nanCount: number;
  readonly positiveInfinityCount: number;
  readonly negativeInfinityCount: number;
  readonly distinct: number;
  readonly min: JsonCell;
  readonly max: JsonCell;
  readonly mean: number | undefined;
  readonly standardDeviation: number | undefined;
  readonly lengths: { readonly min: number; readonly max: number; readonly mean: number } | undefined;
}

export interface CountedValue {
  /** As it was counted: a number, a text, or microseconds. */
  readonly value: JsonCell;
  readonly count: number;
}

/** SQL: exact totals per column. A real column's scale keeps squares of huge and tiny values within range. */
const FACTS: Readonly<Record<MeasuredKind, (table: string) => string>> = {
  whole: (table) => `
    with total as (
      select place, coalesce(sum(n) filter (v is null), 0) as nulls, coalesce(sum(n) filter (v = ${INFINITE_TIME}), 0) as beyond, coalesce(sum(n) filter (v = -${INFINITE_TIME}), 0) as below,
        count(v) as different, coalesce(sum(n) filter (${isFinite("whole")}), 0) as known, min(v) filter (${isFinite("whole")}) as low, max(v) filter (${isFinite("whole")}) as high,
        sum(v::HUGEINT * n) filter (${isFinite("whole")}) as total from ${table} group by place),
    about as (select place, known as finite, (total / known)::DOUBLE as mean, (total // known)::HUGEINT as center from total where known > 0),
    spread as (select place, sum((v::HUGEINT - center) * t.n)::DOUBLE as first, fsum(t.n * (v::HUGEINT - center)::DOUBLE ** 2) as second from ${table} t join about using (place) where ${isFinite("whole")} group by place)
    select total.place, nulls, 0 as nans, beyond, below, different, total.low, total.high, mean, case when total.known > 1 then sqrt(greatest(second - first * first / total.known, 0) / (total.known - 1)) end as deviation
    from total left join about using (place) left join spread using (place)`,
  real: (table) => `
    with total as (
      select place, coalesce(sum(n) filter (v is null), 0) as nulls, coalesce(sum(n) filter (isnan(v)), 0) as nans, coalesce(sum(n) filter (v = 'inf'::DOUBLE), 0) as beyond, coalesce(sum(n) filter (v = '-inf'::DOUBLE), 0) as below,
        count(v) filter (not isnan(v)) as different, coalesce(sum(n) filter (${isFinite("real")}), 0) as known, min(v) filter (${isFinite("real")}) as low, max(v) filter (${isFinite("real")}) as high,
        arg_min(t, v) filter (${isFinite("real")}) as low_text, arg_max(t, v) filter (${isFinite("real")}) as high_text from ${table} group by place),
    scaled as (select *, case when greatest(abs(low), abs(high)) > 1e150 or (greatest(abs(low), abs(high)) < 1e-150 and greatest(abs(low), abs(high)) > 0) then greatest(abs(low), abs(high)) else 1 end as scale from total),
    about as (select place, any_value(scale) as scale, any_value(known) as known, fsum(v / scale * t.n) / any_value(known) as mean from ${table} t join scaled using (place) where ${isFinite("real")} group by place),
    spread as (select place, any_value(mean) * any_value(scale) as mean, case when any_value(known) > 1 then sqrt(fsum(t.n * (v / scale - mean) ** 2) / (any_value(known) - 1)) * any_value(scale) end as deviation
      from ${table} t join about using (place) where ${isFinite("real")} group by place)
    select total.place, nulls, nans, beyond, below, different, coalesce(low_text, low::VARCHAR) as low_text, low, high, high_text, spread.mean, spread.deviation from total left join spread using (place)`,
  text: (table) => `
    select place, coalesce(sum(n) filter (v is null), 0) as nulls, 0 as nans, 0 as beyond, 0 as below, count(v) as different,
      min(length) as shortest, max(length) as longest, sum(length * n) / sum(n) filter (length is not null) as length_mean from ${table} group by place`,
};

export async function readFacts(
  connection: AnalyticsConnection,
  columns: readonly MeasuredColumn[],
): Promise<ReadonlyMap<number, Facts>> {
  const facts = new Map<number, Facts>();
  for (const kind of kindsOf(columns)) {
    for (const row of await connection.rows(FACTS[kind](tableOf(kind)))) facts.set(Number(row["place"]), toFacts(row));
  }
  return facts;
}

export function toFacts(row: Row): Facts {
  const finite = (name: string): number | undefined =>
    typeof row[name] === "number" && Number.isFinite(row[name]) ? row[name] : undefined;
  const [shortest, longest, mean] = [finite("shortest"), finite("longest"), finite("length_mean")];
  return {
    nullCount: Number(row["nulls"]),
    nanCount: Number(row["nans"]),
    positiveInfinityCount: Number(row["beyond"]),
    negativeInfinityCount: Number(row["below"]),
    distinct: Number(row["different"]),
    min: row["low_text"] ?? row["low"] ?? null,
    max: row["high_text"] ?? row["high"] ?? null,
    mean: finite("mean"),
    standardDeviation: finite("deviation"),
    lengths:
      shortest === undefined || longest === undefined || mean === undefined
        ? undefined
        : { min: shortest, max: longest, mean },
  };
}

/** Linear between neighbours, as numpy's default. */
export async function readQuantiles(
  connection: AnalyticsConnection,
  columns: readonly MeasuredColumn[],
): Promise<ReadonlyMap<number, Readonly<Record<string, number>>>> {
  const found = new Map<number, Readonly<Record<string, number>>>();
  for (const kind of ["whole", "real"] as const) {
    const places = placesOf(columns, kind);
    if (places.length === 0) continue;
    for (const row of await quantileRows(connection, kind, places)) {
      const [low, high] = [row["low"] as readonly number[], row["high"] as readonly number[]];
      const quantiles = QUANTILES.map(
        (quantile, index) =>
          [
            String(quantile),
            between(low[index] ?? 0, high[index] ?? 0, quantile * (Number(row["total"]) - 1)),
          ] as const,
      );
      found.set(Number(row["place"]), Object.fromEntries(quantiles));
    }
  }
  return found;
}

/**
 * Values that come less often than this on average are not counted up in order, which means sorting, but selected one
 * by one.
 */
const REPEATS_COUNTED = 8;

async function quantileRows(
  connection: AnalyticsConnection,
  kind: "whole" | "real",
  places: readonly number[],
): Promise<readonly Row[]> {
  const counted = (some: readonly number[]): string =>
    `${tableOf(kind)} where place in (${some.join(", ")}) and ${isFinite(kind)}`;
  const sizes = await connection.rows(
    `select place, count(*) as different, sum(n) as "values" from ${counted(places)} group by place`,
  );
  const { once = [], often = [] } = Object.groupBy(sizes, (size) =>
    Number(size["values"]) < REPEATS_COUNTED * Number(size["different"]) ? "once" : "often",
  );
  const placesIn = (some: readonly Row[]): number[] => some.map(({ place }) => Number(place));
  return [
    ...(once.length === 0 ? [] : await connection.rows(neighboursByValue(counted(placesIn(once))))),
    ...(often.length === 0 ? [] : await connection.rows(neighboursByCount(counted(placesIn(often))))),
  ];
}

function between(low: number, high: number, position: number): number {
  const share = position - Math.floor(position);
  return low === high ? low : low * (1 - share) + high * share;
}

/** SQL: per place the values beside each quantile's position, by running totals. */
function neighboursByCount(counted: string): string {
  const beside = (rounded: string): string =>
    QUANTILES.map((quantile) => `min(v) filter (upto > ${rounded}(${quantile}::DOUBLE * (total - 1)))`).join(", ");
  return `select place, any_value(total) as total, [${beside("floor")}] as low, [${beside("ceil")}] as high from (
    select place, v::DOUBLE as v, sum(n) over (partition by place order by v rows unbounded preceding)::DOUBLE as upto, sum(n) over (partition by place)::DOUBLE as total from ${counted}) group by place`;
}

/**
 * The same by selection; the interpolated value stands for both. In quarters, so that no difference of two values is
 * out of range.
 */
function neighboursByValue(counted: string): string {
  const list = `[${QUANTILES.join(", ")}]`;
  return `select place, count(*) as total, list_transform(quantile_cont(v / 4, ${list}), lambda x: x * 4) as low, low as high from (
    select place, v::DOUBLE as v from ${counted} and n = 1 union all select place, v from (select place, v::DOUBLE as v, unnest(range(n)) from ${counted} and n > 1)) group by place`;
}

/** The most frequent values; of equally frequent ones the smallest. */
export async function readTop(
  connection: AnalyticsConnection,
  columns: readonly MeasuredColumn[],
): Promise<ReadonlyMap<number, readonly CountedValue[]>> {
  const shown = { whole: "'v': v", real: "'v': v, 't': t", text: "'v': v, 'h': h" };
  const top = new Map<number, readonly CountedValue[]>();
  for (const kind of kindsOf(columns)) {
    const condition = kind === "real" ? "v is not null and not isnan(v)" : "v is not null";
    const rows = await connection.rows(
      `select place, min({'n': -n, ${shown[kind]}}, ${TOP_VALUES}) as top from ${tableOf(kind)} where ${condition} group by place`,
    );
    for (const row of rows) {
      const values = row["top"] as readonly { readonly n: JsonCell; readonly v: JsonCell; readonly t?: JsonCell }[];
      top.set(
        Number(row["place"]),
        values.map(({ n, v, t }) => ({ value: t ?? v, count: -Number(n) })),
      );
    }
  }
  return top;
}

/** Every finite value of columns with few, in order. */
export async function readValues(
  connection: AnalyticsConnection,
  columns: readonly MeasuredColumn[],
): Promise<ReadonlyMap<number, readonly CountedValue[]>> {
  const values = new Map<number, CountedValue[]>();
  for (const kind of ["whole", "real"] as const) {
    const places = placesOf(columns, kind);
    if (places.length === 0) continue;
    const text = kind === "real" ? ", t" : "";
    const rows = await connection.rows(
      `select place, v, n${text} from ${tableOf(kind)} where place in (${places.join(", ")}) and ${isFinite(kind)} order by place, v`,
    );
    for (const row of rows) {
      const place = Number(row["place"]);
      values.set(place, [
        ...(values.get(place) ?? []),
        { value: row["t"] ?? row["v"] ?? null, count: Number(row["n"]) },
      ]);
    }
  }
  return values;
}

/** Finite values of each bin. An edge belongs to the bin on its right, the last one to the last bin. */
export async function readHistograms(
  connection: AnalyticsConnection,
  bounded: readonly Bounds[],
): Promise<ReadonlyMap<number, { readonly edges: readonly number[]; readonly counts: readonly number[] }>> {
  const found = new Map<number, { readonly edges: readonly number[]; readonly counts: number[] }>();
  for (const kind of ["whole", "real"] as const) {
    const ofKind = bounded.filter(({ column }) => column.kind === kind);
    if (ofKind.length === 0) continue;
    for (const bounds of ofKind)
      found.set(bounds.column.place, {
        edges: edgesOf(bounds),
        counts: Array.from({ length: HISTOGRAM_BINS }, () => 0),
      });
    const list = ofKind.map(
      ({ column, low, high }) =>
        `(${column.place}, ${literal(low)}, ${literal(high)}, ${column.sense === "time" ? 1000 : 1}::DOUBLE)`,
    );
    const guess = `least(greatest(floor((x / 2 - low / 2) / (high / 2 - low / 2) * ${HISTOGRAM_BINS}), 0), ${HISTOGRAM_BINS - 1})::INTEGER`;
    const rows =
      await connection.rows(`select place, least(bin - (x < ${edgeSql("bin")})::INTEGER + (x >= ${edgeSql("(bin + 1)")})::INTEGER, ${HISTOGRAM_BINS - 1}) as bin, sum(n) as n from (
      select *, ${guess} as bin from (select place, v::DOUBLE / unit as x, n, low, high from ${tableOf(kind)} join (values ${list.join(", ")}) b(place, low, high, unit) using (place) where ${isFinite(kind)})) group by all`);
    for (const row of rows) {
      const counts = found.get(Number(row["place"]))?.counts;
      if (counts !== undefined) counts[Number(row["bin"])] = Number(row["n"]);
    }
  }
  return found;
}

function kindsOf(columns: readonly MeasuredColumn[]): readonly MeasuredKind[] {
  return MEASURED_KINDS.filter((kind) => columns.some((column) => column.kind === kind));
}

function placesOf(columns: readonly MeasuredColumn[], kind: MeasuredKind): number[] {
  return columns.filter((column) => column.kind === kind).map(({ place }) => place);
}

/** Text of a counted value. */
export function shownValue({ sense, type }: MeasuredColumn, value: JsonCell): string {
  if (sense === "boolean") return String(Number(value) === 1);
  return sense === "time" ? shownTime(BigInt(textOf(value)), type) : textOf(value);
}

/** Microseconds as ISO 8601. */
export function shownTime(microseconds: bigint, type: string): string {
  const milliseconds = Number((microseconds - (((microseconds % 1000n) + 1000n) % 1000n)) / 1000n);
  const date = new Date(milliseconds);
  if (Number.isNaN(date.getTime())) return `${microseconds} µs`;
  const iso = date.toISOString();
  if (type === "DATE") return iso.slice(0, iso.indexOf("T"));
  const fraction = String(((microseconds % 1_000_000n) + 1_000_000n) % 1_000_000n)
    .padStart(6, "0")
    .replace(/0+$/, "");
  return `${iso.slice(0, iso.indexOf("."))}${fraction === "" ? "" : `.${fraction}`}${type.endsWith("WITH TIME ZONE") ? "Z" : ""}`;
}
