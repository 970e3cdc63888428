import type { WriteTransaction } from "../database.ts";

/** One fact, written in the transaction of the change that it reports. */
export interface NewEvent {
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly project: string;
  /** `<noun>.<past participle>`: `step_run.succeeded`. */
  readonly type: string;
  readonly subjectKind: string;
  readonly subject: string;
  /** User name, or `engine`. */
  readonly actor: string;
  /** Facts that a reader needs; JSON, no secret. */
  readonly data?: object;
}

/** Appends to the event log, in the same transaction as the state it reports. */
export async function appendEvent(transaction: WriteTransaction, event: NewEvent): Promise<void> {
  await transaction
    .insertInto("event")
    .values({
      at_ms: event.atMs,
      project: event.project,
      type: event.type,
      subject_kind: event.subjectKind,
      subject: event.subject,
      actor: event.actor,
      data: JSON.stringify(event.data ?? {}),
    })
    .execute();
}
