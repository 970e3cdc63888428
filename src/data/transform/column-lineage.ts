import { messageOf } from "#base";
import type { Column } from "../analytics/analytics.ts";
import type { SqlAnalysis } from "./sql-text-analysis.ts";

/** One input column and how it became the output (OpenLineage's words). */
export interface LineageInput {
  readonly dataset: string;
  readonly column: string;
  readonly type: "DIRECT" | "INDIRECT";
  readonly subtype: string;
}

/** Where each column of a result comes from. `unknown` is not "from nowhere": it could not be found out. */
export interface ColumnLineage {
  readonly format: "lineage/1";
  readonly columns: Readonly<Record<string, { readonly inputs: readonly LineageInput[]; readonly unknown?: string }>>;
  /** Columns that decide about all rows: filters, joins, groups, order. */
  readonly dataset: readonly LineageInput[];
}

/**
 * Column lineage of one SELECT.
 *
 * @param tables columns of every table it reads: without them nothing can be said of `*` and unqualified names
 * @param output columns of the result, from the engine itself; what the parser says is believed only where it agrees
 */
export async function columnLineage(
  sql: string,
  tables: ReadonlyMap<string, readonly Column[]>,
  output: readonly Column[],
  analysis: SqlAnalysis,
): Promise<ColumnLineage> {
  const { fields, failure } = await directFields(sql, tables);
  const columns: Record<string, { inputs: LineageInput[]; unknown?: string }> = {};
  const agrees =
    failure === undefined &&
    Object.keys(fields).every((name) => output.some((column) => column.name.toLowerCase() === name.toLowerCase()));
  for (const { name } of output) {
    const found = Object.entries(fields).find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
    const inputs = (found ?? []).filter(
      (input) =>
        tables.get(input.dataset)?.some((column) => column.name.toLowerCase() === input.column.toLowerCase()) === true,
    );
    if (failure !== undefined) columns[name] = { inputs: [], unknown: failure };
    else if (!agrees || found === undefined)
      columns[name] = { inputs: [], unknown: "the parser's columns differ from the engine's" };
    else if (inputs.length !== found.length) columns[name] = { inputs, unknown: "some inputs could not be told" };
    else columns[name] = { inputs };
  }
  return { format: "lineage/1", columns, dataset: decidingInputs(tables, analysis) };
}

async function directFields(
  sql: string,
  tables: ReadonlyMap<string, readonly Column[]>,
): Promise<{ fields: Record<string, LineageInput[]>; failure: string | undefined }> {
  try {
    const { openLineageColumnLineage } = await import("@polyglot-sql/sdk");
    const schema = {
      tables: [...tables].map(([name, columns]) => ({
        name,
        columns: columns.map((column) => ({ name: column.name, type: column.type })),
      })),
    };
    const result = openLineageColumnLineage(sql, {
      dialect: "duckdb",
      producer: "https://esteira.dev",
      datasetNamespace: "esteira",
      outputDataset: { namespace: "esteira", name: "output" },
      schema,
    });
    if (!result.success || result.facet === undefined || result.facet === null)
      return { fields: {}, failure: result.error ?? "the parser could not tell" };
    const warning = result.warnings[0];
    const fields = Object.fromEntries(
      Object.entries(result.facet.fields).map(([name, { inputFields }]) => [
        name,
        inputFields.map((input) => ({
          dataset: input.name,
          column: input.field,
          type: "DIRECT" as const,
          subtype: input.transformations?.[0]?.subtype ?? "TRANSFORMATION",
        })),
      ]),
    );
    const isEmpty = Object.values(fields).every((inputs) => inputs.length === 0);
    return { fields, failure: isEmpty && warning !== undefined ? warning.message : undefined };
  } catch (error) {
    return { fields: {}, failure: messageOf(error) };
  }
}

/** A name without qualifier belongs to the only table that has it; names of derived columns belong to none. */
function decidingInputs(tables: ReadonlyMap<string, readonly Column[]>, analysis: SqlAnalysis): LineageInput[] {
  const found = new Map<string, LineageInput>();
  for (const { qualifier, name } of analysis.deciding) {
    const named = qualifier === undefined ? undefined : analysis.aliases.get(qualifier.toLowerCase());
    const candidates = qualifier === undefined ? [...tables.keys()] : named === undefined ? [] : [named];
    const owners = candidates.filter(
      (table) => tables.get(table)?.some((column) => column.name.toLowerCase() === name.toLowerCase()) === true,
    );
    const [owner] = owners;
    if (owners.length === 1 && owner !== undefined)
      found.set(`${owner}.${name}`, {
        dataset: owner,
        column: name,
        type: "INDIRECT",
        subtype: "FILTER_JOIN_GROUP_OR_ORDER",
      });
  }
  return [...found.values()];
}
