import type { Json } from "#base";
import type { Analytics, Column } from "../analytics/analytics.ts";
import { columnLineage, type LineageInput } from "./column-lineage.ts";
import { analyseSql } from "./sql-text-analysis.ts";

/**
 * Column lineage of a query that another engine ran; undefined where it is none that can be read. Nothing of it is run.
 *
 * @param of.output columns of its result, as that engine gave them
 */
export async function lineageOfQuery(
  analytics: Analytics,
  of: {
    readonly sql: string;
    readonly tables: Readonly<Record<string, readonly Column[]>>;
    readonly output: readonly Column[];
    /** The dataset itself, as it was before: nothing comes from there. */
    readonly own: string;
  },
): Promise<Json | undefined> {
  const analysis = await analyseSql(analytics, of.sql);
  if (analysis.problems.length > 0) return undefined;
  const lineage = await columnLineage(of.sql, new Map(Object.entries(of.tables)), of.output, analysis);
  const others = (inputs: readonly LineageInput[]): Json =>
    inputs.flatMap((input) => (input.dataset === of.own ? [] : { ...input }));
  return {
    format: lineage.format,
    columns: Object.fromEntries(
      Object.entries(lineage.columns).map(([name, { inputs, unknown }]) => [
        name,
        { inputs: others(inputs), ...(unknown === undefined ? {} : { unknown }) },
      ]),
    ),
    dataset: others(lineage.dataset),
  };
}
