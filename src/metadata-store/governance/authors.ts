import type { ReadTransaction } from "../database.ts";

/**
 * Who made what has this digest: the actors of the events that recorded its versions, and of the pipeline's start when
 * a trigger ran it. `engine` is nobody.
 */
export async function listAuthors(
  transaction: ReadTransaction,
  query: { readonly project: string; readonly digest: string },
): Promise<readonly string[]> {
  const versions = await transaction
    .selectFrom("asset_version")
    .select(["id", "asset"])
    .where("project", "=", query.project)
    .where("digest", "=", query.digest)
    .limit(1000)
    .execute();
  if (versions.length === 0) return [];
  const events = await transaction
    .selectFrom("event")
    .select(["actor", "data"])
    .where("project", "=", query.project)
    .where("type", "=", "asset_version.made")
    .where("subject_kind", "=", "asset")
    .where("subject", "in", [...new Set(versions.map(({ asset }) => asset))])
    .where("data", "like", `%${query.digest}%`)
    .limit(1000)
    .execute();
  return [...new Set(events.map(({ actor }) => actor))].filter((actor) => actor !== "engine").sort();
}
