import { z } from "zod";
import { formatQuantity } from "#base";
import { quoteName } from "../analytics/sql-text.ts";
import type { CheckedRule } from "../dataset.ts";
import type { CheckedDataset, DatasetChecks } from "./check-dataset.ts";

const MEASURES = ["rows", "missing", "mean"] as const;
const DAY_MS = 86_400_000;

/** `implementation` of a custom rule of the engine `esteira` that needs no figures. */
export const anomalySchema = z.strictObject({
  anomaly: z.enum(MEASURES).describe("rows of the dataset; of a property: missing (share of nulls) or mean."),
  deviations: z.number().positive().max(100).default(4),
  least: z.int().min(2).max(1000).default(5),
  versions: z.int().min(2).max(1000).default(30),
  season: z.literal("weekday").optional(),
});

/** A value that must not be far from what it was in the versions before. */
export interface AnomalyRule {
  readonly id: string;
  readonly measure: (typeof MEASURES)[number];
  readonly column: string | undefined;
  /** So many times the usual deviation is too far. */
  readonly deviations: number;
  /** With fewer versions to compare with, nothing is said. */
  readonly least: number;
  /** So many versions are compared with at most. */
  readonly versions: number;
  /** Compared are versions of the same day of the week, in UTC. */
  readonly season: "weekday" | undefined;
  readonly severity: "error" | "warning";
}

/** What was measured of one version. */
export interface MeasuredVersion {
  readonly atMs: number;
  readonly measured: Readonly<Record<string, number>>;
}

/** Measures in one scan, and compares with the versions before. */
export async function judgeAnomalies(of: CheckedDataset): Promise<DatasetChecks> {
  const { anomalies } = of.compiled;
  if (anomalies.length === 0) return { checks: [], measured: {} };
  const list = anomalies.map((rule, index) => `(${sqlOf(rule)})::DOUBLE as m${index}`);
  const [row] = await of.connection.rows(`select ${list.join(", ")} from ${of.added}`);
  const measured: Record<string, number> = {};
  const checks = anomalies.map((rule, index): CheckedRule => {
    const found = row?.[`m${index}`];
    const value = typeof found === "number" && Number.isFinite(found) ? found : undefined;
    if (value !== undefined) measured[keyOf(rule)] = value;
    return judge(rule, value, of);
  });
  return { checks, measured };
}

function sqlOf({ measure, column = "" }: AnomalyRule): string {
  const name = quoteName(column);
  switch (measure) {
    case "rows":
      return "count(*)";
    case "missing":
      return `count(*) filter (where ${name} is null) / nullif(count(*), 0)`;
    case "mean":
      return `avg(${name}) filter (where isfinite(${name}::DOUBLE))`;
  }
}

function keyOf({ measure, column }: AnomalyRule): string {
  return column === undefined ? measure : `${measure}:${column}`;
}

function judge(rule: AnomalyRule, value: number | undefined, { before, atMs }: CheckedDataset): CheckedRule {
  const { id, severity, least, deviations } = rule;
  const common = { id, severity, value: value === undefined ? "nothing" : show(value) };
  const compared = before
    .filter((version) => rule.season === undefined || weekday(version.atMs) === weekday(atMs))
    .flatMap(({ measured }) => measured[keyOf(rule)] ?? [])
    .slice(0, rule.versions);
  const day = rule.season === undefined ? "" : " of this weekday";
  const versions = formatQuantity(compared.length, `version${day}`, `versions${day}`);
  if (compared.length < least)
    return {
      ...common,
      expectation: `not judged yet: it has ${versions} to compare with, and needs ${least}`,
    };
  const middle = median(compared);
  const spread = Math.max(1.4826 * median(compared.map((one) => Math.abs(one - middle))), leastSpread(rule, middle));
  const [low, high] = [middle - deviations * spread, middle + deviations * spread];
  return {
    ...common,
    expectation: `${what(rule)} must be between ${show(low)} and ${show(high)}, as in ${versions} before`,
    holds: value !== undefined && value >= low && value <= high,
  };
}

/** Where the versions before were all alike, a small difference is none. */
function leastSpread({ measure, deviations }: AnomalyRule, middle: number): number {
  const tolerated =
    measure === "rows" ? Math.max(1, 0.1 * middle) : measure === "missing" ? 0.02 : 0.05 * Math.abs(middle);
  return tolerated / deviations;
}

function what({ measure, column }: AnomalyRule): string {
  if (measure === "rows") return "the number of rows";
  return measure === "missing" ? `the share of missing ${column}` : `the mean of ${column}`;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? (sorted[half] ?? 0) : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}

/** The epoch began on a Thursday. */
function weekday(atMs: number): number {
  return (Math.floor(atMs / DAY_MS) + 4) % 7;
}

function show(value: number): string {
  return String(Number(value.toPrecision(4)));
}
