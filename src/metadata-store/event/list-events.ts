import type { ReadTransaction } from "../database.ts";
import type { Selectable } from "kysely";
import type { NewEvent } from "./append-event.ts";
import type { EventTables } from "./tables.ts";
import { LARGEST_PAGE } from "../largest-page.ts";

export type StoredEvent = Required<NewEvent> & {
  /** Grows with time; not gapless. */
  readonly sequence: number;
};

export interface EventQuery {
  /** Only events after this sequence. */
  readonly after?: number;
  readonly project?: string;
  readonly subjectKind?: string;
  readonly subject?: string;
  /** At most this many; default 100, at most 1000. */
  readonly limit?: number;
  /** Newest first instead of oldest first. */
  readonly newestFirst?: boolean;
}

/** Events in order of their sequence. */
export async function listEvents(
  transaction: ReadTransaction,
  query: EventQuery = {},
): Promise<readonly StoredEvent[]> {
  let select = transaction.selectFrom("event").selectAll();
  if (query.after !== undefined) select = select.where("sequence", ">", query.after);
  if (query.project !== undefined) select = select.where("project", "=", query.project);
  if (query.subjectKind !== undefined) select = select.where("subject_kind", "=", query.subjectKind);
  if (query.subject !== undefined) select = select.where("subject", "=", query.subject);
  const rows = await select
    .orderBy("sequence", query.newestFirst === true ? "desc" : "asc")
    .limit(Math.min(query.limit ?? 100, LARGEST_PAGE))
    .execute();
  return rows.map(toEvent);
}

// Whoever appends an event names a type of the catalogue and what it tells; nothing else writes the table.
function toEvent(row: Selectable<EventTables["event"]>): StoredEvent {
  return {
    sequence: row.sequence,
    atMs: row.at_ms,
    project: row.project,
    type: row.type,
    subjectKind: row.subject_kind,
    subject: row.subject,
    actor: row.actor,
    data: JSON.parse(row.data) as object,
  } as StoredEvent;
}
