import { sql } from "kysely";
import type { ReadTransaction } from "../database.ts";
import { type AssetVersion, toAssetVersion } from "./asset-version.ts";

const LARGEST_GRAPH = 2000;

/** Asset versions and the edges "was made from" between them. */
export interface VersionGraph {
  readonly versions: readonly AssetVersion[];
  /** `from` is the input, `to` what was made of it. */
  readonly edges: readonly { readonly from: string; readonly to: string; readonly role: string }[];
  /** True when the graph is larger than the 2,000 edges returned. */
  readonly truncated: boolean;
}

/** Everything a version was made from (`upstream`) or everything made of it (`downstream`), itself included. */
export async function getVersionGraph(
  transaction: ReadTransaction,
  versionId: string,
  direction: "upstream" | "downstream",
): Promise<VersionGraph> {
  const [next, from] = direction === "upstream" ? (["input_version_id", "version_id"] as const) : (["version_id", "input_version_id"] as const);
  const { rows: edges } = await sql<{ version_id: string; input_version_id: string; role: string }>`
    with recursive reached(id) as (
      select ${versionId}
      union
      select e.${sql.ref(next)} from asset_version_input e join reached r on e.${sql.ref(from)} = r.id
    )
    select e.version_id, e.input_version_id, e.role
    from asset_version_input e join reached r on e.${sql.ref(from)} = r.id
    limit ${LARGEST_GRAPH + 1}`.execute(transaction);
  const kept = edges.slice(0, LARGEST_GRAPH);
  const ids = new Set([versionId, ...kept.flatMap((edge) => [edge.version_id, edge.input_version_id])]);
  const versions = await transaction.selectFrom("asset_version").selectAll().where("id", "in", [...ids]).execute();
  return {
    versions: versions.map(toAssetVersion),
    edges: kept.map((edge) => ({ from: edge.input_version_id, to: edge.version_id, role: edge.role })),
    truncated: edges.length > LARGEST_GRAPH,
  };
}
