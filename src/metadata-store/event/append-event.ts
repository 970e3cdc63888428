import type { WriteTransaction } from "../database.ts";
import { prepare } from "../prepared.ts";
import type { EventData, EventType } from "./catalogue.ts";

interface EventFacts {
  /** Epoch milliseconds. */
  readonly atMs: number;
  readonly project: string;
  readonly subjectKind: string;
  readonly subject: string;
  /** User name, or `engine`. */
  readonly actor: string;
}

/** A type of the catalogue with what it tells; of a type that may be one of several, each with its own. */
export type EventContent<Type extends EventType = EventType> = {
  [Each in Type]: Record<never, never> extends EventData<Each>
    ? { readonly type: Each; readonly data?: EventData<Each> }
    : { readonly type: Each; readonly data: EventData<Each> };
}[Type];

/** Contents of the types of one noun. */
export type EventsOf<Noun extends string> = Extract<EventContent, { readonly type: `${Noun}.${string}` }>;

/** One fact of the catalogue, written in the transaction of the change that it reports. JSON, no secret. */
export type NewEvent = EventFacts & EventContent;

/** Appends to the event log, in the same transaction as the state it reports. */
export async function appendEvent(transaction: WriteTransaction, event: NewEvent): Promise<void> {
  const { atMs, project, type, subjectKind, subject, actor } = event;
  await insertEvent(transaction, {
    atMs,
    project,
    type,
    subjectKind,
    subject,
    actor,
    data: JSON.stringify(event.data ?? {}),
  });
}

const insertEvent = prepare((transaction, event: EventFacts & { readonly type: EventType; readonly data: string }) =>
  transaction.insertInto("event").values({
    at_ms: event.atMs,
    project: event.project,
    type: event.type,
    subject_kind: event.subjectKind,
    subject: event.subject,
    actor: event.actor,
    data: event.data,
  }),
);
