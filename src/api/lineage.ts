import type { ApiAssetKind } from "./asset.ts";

/** What stands in a lineage graph beside asset versions. */
export type LineageNodeKind = ApiAssetKind | "source_file" | "commit" | "prediction" | "endpoint";

export interface LineageNode {
  /** Asset version id, commit id, prediction id, or `file:<path>@<digest>`. */
  readonly id: string;
  readonly kind: LineageNodeKind;
  /** Asset name, path, or short commit id. */
  readonly label: string;
  readonly version?: number | undefined;
  readonly digest?: string | undefined;
  readonly atMs?: number | undefined;
  readonly rowCount?: number | undefined;
  readonly pipelineRunId?: string | undefined;
  readonly step?: string | undefined;
}

/** `from` is what was read, `to` what was made of it. */
export interface LineageEdge {
  readonly from: string;
  readonly to: string;
  readonly role?: string | undefined;
}

export interface LineageGraph {
  /** Id of the node that was asked about. */
  readonly root: string;
  readonly nodes: readonly LineageNode[];
  readonly edges: readonly LineageEdge[];
  /** True when the graph is larger than what is shown. */
  readonly truncated: boolean;
}
