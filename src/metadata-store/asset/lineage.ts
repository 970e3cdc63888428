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
  // `cross join` keeps SQLite to this order: left to itself it reads every edge of the store to join them with the few
  // that were reached.
  const [next, from] =
    direction === "upstream"
      ? (["input_version_id", "version_id"] as const)
      : (["version_id", "input_version_id"] as const);
  const { rows: edges } = await sql<{ version_id: string; input_version_id: string; role: string }>`
    with recursive reached(id) as (
      select ${versionId}
      union
      select e.${sql.ref(next)} from reached r cross join asset_version_input e where e.${sql.ref(from)} = r.id
    )
    select e.version_id, e.input_version_id, e.role
    from reached r cross join asset_version_input e where e.${sql.ref(from)} = r.id
    limit ${LARGEST_GRAPH + 1}`.execute(transaction);
  const kept = edges.slice(0, LARGEST_GRAPH);
  const ids = new Set([versionId, ...kept.flatMap((edge) => [edge.version_id, edge.input_version_id])]);
  const versions = await transaction
    .selectFrom("asset_version")
    .selectAll()
    .where("id", "in", [...ids])
    .execute();
  return {
    versions: versions.map(toAssetVersion),
    edges: kept.map((edge) => ({ from: edge.input_version_id, to: edge.version_id, role: edge.role })),
    truncated: edges.length > LARGEST_GRAPH,
  };
}

// Parameters of one statement.
const IDS_PER_STATEMENT = 5000;

/** What versions were made from directly, by version id: ids of the inputs and the part each played. */
export async function listDirectInputs(
  transaction: ReadTransaction,
  versionIds: readonly string[],
): Promise<ReadonlyMap<string, readonly { readonly versionId: string; readonly role: string }[]>> {
  const found = new Map<string, { readonly versionId: string; readonly role: string }[]>();
  for (let start = 0; start < versionIds.length; start += IDS_PER_STATEMENT) {
    const rows = await transaction
      .selectFrom("asset_version_input")
      .selectAll()
      .where("version_id", "in", versionIds.slice(start, start + IDS_PER_STATEMENT))
      .orderBy("version_id")
      .orderBy("input_version_id")
      .orderBy("role")
      .execute();
    for (const row of rows) {
      const list = found.get(row.version_id) ?? [];
      if (list.length === 0) found.set(row.version_id, list);
      list.push({ versionId: row.input_version_id, role: row.role });
    }
  }
  return found;
}
