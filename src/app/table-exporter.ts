import { type Analytics, type DatasetContent, describeStandaloneTable, tableAt } from "#data";
import type { TableExporter } from "#packaging";
import type { LocalFiles } from "#storage";

/**
 * `TableExporter` of `models`, by `data`.
 *
 * @param parts.files of the Delta tables
 */
export function createTableExporter({
  analytics,
  files,
}: {
  readonly analytics: Analytics;
  readonly files: LocalFiles;
}): TableExporter {
  return {
    describeTable: (version) => {
      const { table, deltaVersion } = version.content as DatasetContent;
      return describeStandaloneTable(analytics, tableAt(files, table), deltaVersion);
    },
  };
}
