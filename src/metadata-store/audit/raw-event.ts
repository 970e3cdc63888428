import type { ReadTransaction } from "../database.ts";

/** An event exactly as it is stored, whatever somebody made of it. */
export interface RawEvent {
  readonly sequence: number;
  readonly atMs: number;
  readonly project: string;
  readonly type: string;
  readonly subjectKind: string;
  readonly subject: string;
  readonly actor: string;
  /** JSON text. */
  readonly data: string;
}

/** Events by sequence, from one on: at most `limit`. */
export async function listRawEvents(
  transaction: ReadTransaction,
  query: { readonly from: number; readonly to?: number | undefined; readonly limit: number },
): Promise<readonly RawEvent[]> {
  let select = transaction.selectFrom("event").selectAll().where("sequence", ">=", query.from);
  if (query.to !== undefined) select = select.where("sequence", "<=", query.to);
  const rows = await select.orderBy("sequence").limit(query.limit).execute();
  return rows.map((row) => ({
    sequence: row.sequence,
    atMs: row.at_ms,
    project: row.project,
    type: row.type,
    subjectKind: row.subject_kind,
    subject: row.subject,
    actor: row.actor,
    data: row.data,
  }));
}

/** Highest sequence of an event; 0 when there is none. */
export async function getLastSequence(transaction: ReadTransaction): Promise<number> {
  const { last } = await transaction
    .selectFrom("event")
    .select((select) => select.fn.max("sequence").as("last"))
    .executeTakeFirstOrThrow();
  return last ?? 0;
}
