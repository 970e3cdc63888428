import type { AnalyticsConnection } from "../analytics/analytics.ts";
import type { CompiledContract } from "../contract/rules.ts";
import { type OutlierBounds, type Outliers, setBounds, type Spread } from "../contract/outliers.ts";
import type { FilesPart } from "./read-files.ts";

/** Files of a batch by what they are selected with. */
export type BatchParts = ReadonlyMap<FilesPart, readonly number[]>;

/**
 * Bounds of outliers that follow from the values of the batch, made known to SQL on the connection; with those that are
 * stated, for people.
 */
export async function findBounds(
  connection: AnalyticsConnection,
  of: {
    readonly contract: CompiledContract | undefined;
    readonly parts: BatchParts;
    /** What values were like in the version that bounds refer to. */
    readonly referred: (outliers: Outliers) => Promise<Spread | undefined>;
  },
): Promise<Record<string, OutlierBounds>> {
  const { contract, parts, referred } = of;
  const found: Record<string, OutlierBounds> = {};
  for (const [name, { outliers }] of contract?.treatments ?? []) {
    if (outliers === undefined) continue;
    const { low, high, method } = outliers.declared;
    if (method === undefined) {
      found[outliers.column] = { ...(low === undefined ? {} : { low }), ...(high === undefined ? {} : { high }) };
      continue;
    }
    const selects = [...parts].flatMap(([part, numbers]) => part.measured(numbers).get(name) ?? []);
    if (selects.length === 0) continue;
    const spread = await referred(outliers);
    const by = spread === undefined ? { select: selects.join(" union all ") } : { spread };
    found[outliers.column] = await setBounds(connection, outliers, by);
  }
  return found;
}

/** Values that each treatment changes, of all rows that were read. */
export async function countTreated(
  connection: AnalyticsConnection,
  parts: BatchParts,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [part, numbers] of parts) {
    const treated = part.treated(numbers);
    if (treated === undefined) continue;
    const [row] = await connection.rows(treated.select);
    for (const [index, name] of treated.names.entries())
      counts[name] = (counts[name] ?? 0) + Number(row?.[`t${index}`] ?? 0);
  }
  return counts;
}

/** Rows that break each rule which only warns. */
export async function countWarnings(
  connection: AnalyticsConnection,
  parts: BatchParts,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [part, numbers] of parts) {
    for (const [id, select] of part.warnings(numbers))
      counts[id] = (counts[id] ?? 0) + Number((await connection.rows(select))[0]?.["n"]);
  }
  return counts;
}

/** The bounds in words. */
export function describeBounds(column: string, { low, high, why }: OutlierBounds): string {
  if (why !== undefined) return `${column}: no outliers are told: ${why}`;
  const said = [
    low === undefined ? [] : `below ${round(low)}`,
    high === undefined ? [] : `above ${round(high)}`,
  ].flat();
  return `${column}: outliers are ${said.join(" and ")}`;
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}
