import { z } from "zod";
import type { AnalyticsConnection } from "../analytics/analytics.ts";
import { quoteName, quoteText } from "../analytics/sql-text.ts";

/** How bounds follow from the values, with the factor that each is used with where none is said. */
const METHODS = { iqr: 1.5, mad: 3.5, z: 3 } as const;
const METHOD_NAMES = ["iqr", "mad", "z"] as const;
/** Fewer values say little of how they are spread. */
const LEAST = 20;

const number = z.number();

export const outliersSchema = z.strictObject({
  low: number.optional(),
  high: number.optional(),
  method: z.enum(METHOD_NAMES).optional(),
  factor: z.number().positive().optional(),
  least: z.int().min(3).optional(),
  reference: z.int().min(1).optional(),
  action: z.enum(["clip", "missing", "hold"]),
});

export type OutliersDeclaration = z.infer<typeof outliersSchema>;

/** What is wrong with the bounds that are declared. */
export function outlierProblem({
  low,
  high,
  method,
  factor,
  least,
  reference,
}: OutliersDeclaration): string | undefined {
  const hasBounds = low !== undefined || high !== undefined;
  if (method !== undefined) return hasBounds ? "outliers has a method or bounds (low, high), not both" : undefined;
  if (factor !== undefined || least !== undefined || reference !== undefined)
    return `factor, least and reference are for bounds that follow from the values: say a method (${METHOD_NAMES.join(", ")})`;
  return hasBounds && (low ?? -Infinity) <= (high ?? Infinity)
    ? undefined
    : `outliers needs low, high, or both, low below high; or a method (${METHOD_NAMES.join(", ")})`;
}

/** What the values of a column are like before outliers are treated. */
export interface Spread {
  /** Values that are there and finite. */
  readonly values: number;
  readonly q1: number;
  readonly median: number;
  readonly q3: number;
  /** Median of the distances from the median. */
  readonly mad: number;
  readonly mean: number;
  /** Standard deviation of the sample. */
  readonly deviation: number;
}

/** Bounds of a column in one version; without them nothing was judged, for the reason that `why` says. */
export interface OutlierBounds {
  readonly low?: number;
  readonly high?: number;
  readonly why?: string;
  /** What they follow from; undefined where the contract states them. */
  readonly spread?: Spread;
}

/** Outliers of one column, as SQL. */
export interface Outliers {
  readonly column: string;
  readonly declared: OutliersDeclaration;
  /** SQL of the bounds; undefined: there is none on that side. */
  readonly low: string | undefined;
  readonly high: string | undefined;
}

/** Bounds that follow from the values are variables of the connection: SQL is made before the values are known. */
export function outliersOf(declared: OutliersDeclaration, column: string): Outliers {
  const { low, high, method } = declared;
  if (method === undefined)
    return {
      column,
      declared,
      low: low === undefined ? undefined : String(low),
      high: high === undefined ? undefined : String(high),
    };
  const variable = (side: "low" | "high"): string => `getvariable(${quoteText(variableName(side, column))})`;
  return { column, declared, low: variable("low"), high: variable("high") };
}

function variableName(side: "low" | "high", column: string): string {
  return `esteira_outlier_${side}:${column.toLowerCase()}`;
}

/** SQL condition that a value is an outlier; null or false of others. */
export function isOutlier({ low, high }: Outliers, value: string): string {
  return [low === undefined ? [] : `${value} < ${low}`, high === undefined ? [] : `${value} > ${high}`]
    .flat()
    .join(" or ");
}

/** What a row with an outlier is told. */
export function describeOutliers({ low, high, method, factor }: OutliersDeclaration): string {
  if (method !== undefined)
    return `must be no outlier (${method}, factor ${factor ?? METHODS[method]}) among the values that came with it`;
  if (low === undefined) return `must be no outlier: at most ${high}`;
  return high === undefined ? `must be no outlier: at least ${low}` : `must be no outlier: from ${low} to ${high}`;
}

/** The bounds that a method gives. Sources: Tukey 1977 (iqr); Iglewicz and Hoaglin 1993 (mad). */
function boundsOf({ method, factor: declared, least = LEAST }: OutliersDeclaration, spread: Spread): OutlierBounds {
  if (method === undefined) return {};
  const factor = declared ?? METHODS[method];
  if (spread.values < least)
    return { spread, why: `${spread.values} values are too few, at least ${least} are needed` };
  const { q1, q3, median, mad, mean, deviation } = spread;
  const [low, high, width] =
    method === "iqr"
      ? [q1 - factor * (q3 - q1), q3 + factor * (q3 - q1), q3 - q1]
      : method === "mad"
        ? [median - (factor * mad) / NORMAL_MAD, median + (factor * mad) / NORMAL_MAD, mad]
        : [mean - factor * deviation, mean + factor * deviation, deviation];
  if (!(width > 0)) return { spread, why: `most values are ${median}: ${method} sees no spread in them` };
  return { low, high, spread };
}

/** Median absolute deviation of a normal distribution, in standard deviations. */
const NORMAL_MAD = 0.6745;

/** Measures values of a column. @param select of one column, `v` */
async function measureSpread(connection: AnalyticsConnection, select: string): Promise<Spread> {
  // stddev_samp refuses values whose squares are beyond a double.
  const [row] = await connection.rows(
    `with "values" as (select v from (select v::DOUBLE as v from (${select})) where isfinite(v)), "centre" as (select avg(v) as m from "values")
      select count(*) as n, quantile_cont(v, 0.25) as q1, median(v) as median, quantile_cont(v, 0.75) as q3, mad(v) as mad,
      any_value(m) as mean, sqrt(sum((v - m) * (v - m)) / nullif(count(*) - 1, 0)) as deviation from "values", "centre"`,
  );
  const figure = (name: string): number => Number(row?.[name] ?? 0);
  return {
    values: figure("n"),
    q1: figure("q1"),
    median: figure("median"),
    q3: figure("q3"),
    mad: figure("mad"),
    mean: figure("mean"),
    deviation: figure("deviation"),
  };
}

/**
 * Finds the bounds of a column that follow from its values, and makes them known to SQL on the connection. Without them
 * nothing is an outlier.
 *
 * @param of what the values are like, where that is known, or a SELECT of them
 */
export async function setBounds(
  connection: AnalyticsConnection,
  { declared, column }: Outliers,
  of: { readonly spread: Spread } | { readonly select: string },
): Promise<OutlierBounds> {
  const spread = "spread" in of ? of.spread : await measureSpread(connection, of.select);
  const bounds = boundsOf(declared, spread);
  for (const side of ["low", "high"] as const) {
    const bound = bounds[side];
    const value = bound === undefined || !Number.isFinite(bound) ? "NULL" : String(bound);
    await connection.run(`set variable ${quoteName(variableName(side, column))} = ${value}::DOUBLE`);
  }
  return bounds;
}
