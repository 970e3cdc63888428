import type { Digest } from "#base";
import type { AssetVersion } from "#metadata-store";

/** Describes a dataset version as a table of its own, for packages. Declared here, implemented by `data`. */
export interface TableExporter {
  /**
   * @returns `log`: text of the table's only log entry; `files`: name in the standalone table, absolute path now, bytes
   */
  describeTable(version: AssetVersion): Promise<{
    readonly log: string;
    readonly tableId: string;
    readonly files: readonly {
      readonly path: string;
      readonly absolutePath: string;
      readonly sizeBytes: number;
      readonly digest?: Digest;
    }[];
  }>;
}
