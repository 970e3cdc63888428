import type { Selectable } from "kysely";
import type { ReadTransaction, WriteTransaction } from "../database.ts";
import type { AuditTables } from "./tables.ts";

/** Sequences that were not there when higher ones were taken, since when. */
export type Hole = readonly [first: number, last: number, sinceMs: number];

/** How far events were taken into the tree. */
export interface EventLog {
  readonly size: number;
  readonly lastSequence: number;
  readonly holes: readonly Hole[];
  readonly origin: string | undefined;
  readonly verifierKey: string | undefined;
}

export async function getEventLog(transaction: ReadTransaction): Promise<EventLog> {
  return toLog(await transaction.selectFrom("event_log").selectAll().where("id", "=", 1).executeTakeFirst());
}

/** The same, and nobody else takes events until the transaction has ended. */
export async function lockEventLog(transaction: WriteTransaction): Promise<EventLog> {
  await transaction
    .insertInto("event_log")
    .values({ id: 1, size: 0, last_sequence: 0, holes: "[]" })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const row = await transaction
    .updateTable("event_log")
    .set((row) => ({ size: row.ref("size") }))
    .where("id", "=", 1)
    .returningAll()
    .executeTakeFirst();
  return toLog(row);
}

export async function saveEventLog(transaction: WriteTransaction, change: Partial<EventLog>): Promise<void> {
  await transaction
    .updateTable("event_log")
    .set({
      ...(change.size === undefined ? {} : { size: change.size }),
      ...(change.lastSequence === undefined ? {} : { last_sequence: change.lastSequence }),
      ...(change.holes === undefined ? {} : { holes: JSON.stringify(change.holes) }),
      ...(change.origin === undefined ? {} : { origin: change.origin }),
      ...(change.verifierKey === undefined ? {} : { verifier_key: change.verifierKey }),
    })
    .where("id", "=", 1)
    .execute();
}

// The row is made with the first event taken; where somebody removed it, the checkpoints tell.
function toLog(row: Selectable<AuditTables["event_log"]> | undefined): EventLog {
  return {
    size: row?.size ?? 0,
    lastSequence: row?.last_sequence ?? 0,
    holes: JSON.parse(row?.holes ?? "[]") as Hole[],
    origin: row?.origin ?? undefined,
    verifierKey: row?.verifier_key ?? undefined,
  };
}
