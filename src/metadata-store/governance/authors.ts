import type { ReadTransaction } from "../database.ts";
import { listEvents } from "../event/list-events.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

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
    .execute();
  if (versions.length === 0) return [];
  const made = new Set(versions.map(({ id }) => id));
  const authors = new Set<string>();
  for (const asset of new Set(versions.map(({ asset: name }) => name))) {
    for (let after = 0; ;) {
      const events = await listEvents(transaction, {
        project: query.project,
        subjectKind: "asset",
        subject: asset,
        after,
        limit: LARGEST_PAGE,
      });
      for (const event of events)
        if (event.type === "asset_version.made" && made.has(event.data.id)) authors.add(event.actor);
      after = events.at(-1)?.sequence ?? after;
      if (events.length < LARGEST_PAGE) break;
    }
  }
  authors.delete("engine");
  return [...authors].sort();
}
