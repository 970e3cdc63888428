import { quoteName } from "#data";
import { getAssetVersion } from "#metadata-store";
import type { Parts } from "./parts.ts";

/** The values of a column of a dataset, each once, in order: what `EnginePorts.listKeys` is. None without a version. */
export async function listKeys(
  { store, project, datasets }: Pick<Parts, "store" | "project" | "datasets">,
  { dataset, column, most }: { readonly dataset: string; readonly column: string; readonly most: number },
): Promise<readonly string[]> {
  const version = await store.read((transaction) => getAssetVersion(transaction, { project, asset: dataset }));
  if (version === undefined) return [];
  const name = quoteName(column);
  const { rows } = await datasets.query({
    sql: `SELECT DISTINCT CAST(${name} AS VARCHAR) AS key FROM ${quoteName(dataset)} WHERE ${name} IS NOT NULL ORDER BY key`,
    tables: new Map([[dataset, version]]),
    limit: most,
  });
  return rows.flatMap(({ key }) => (typeof key === "string" ? [key] : []));
}
