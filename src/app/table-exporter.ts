import { join } from "node:path";
import { type Analytics, type DatasetContent, describeStandaloneTable } from "#data";
import type { TableExporter } from "#packaging";

/**
 * `TableExporter` of `models`, by `data`.
 *
 * @param parts.folder folder of the Delta tables
 */
export function createTableExporter({
  analytics,
  folder,
}: {
  readonly analytics: Analytics;
  readonly folder: string;
}): TableExporter {
  return {
    describeTable: (version) => {
      const { table, deltaVersion } = version.content as DatasetContent;
      return describeStandaloneTable(analytics, join(folder, table), deltaVersion);
    },
  };
}
